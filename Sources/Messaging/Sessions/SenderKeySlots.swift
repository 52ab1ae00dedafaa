import Cryptography
import Signal

/// Sender keys of one device in memory: its own and those of others (03-signal, section 10). Same rules as `SessionSlots`.
package struct SenderKeySlots: Sendable {
    struct Slot: IdleSlot, Sendable {
        var record: SenderKeyRecord
        var imageTicket: CommitTicket?
        var cleanTicket: CommitTicket?
        var lastUse: Timestamp
    }

    private var slots: [SenderKeyName: Slot] = [:]
    package private(set) var departures: UInt64 = 0

    package init() {}

    package var count: Int { slots.count }

    /// Keys of a Signal user's devices that are in memory.
    package func names(of user: String) -> [SenderKeyName] {
        slots.filter { $0.key.sender.name == user && !$0.value.record.isEmpty }.map(\.key)
    }

    package func isLoaded(_ name: SenderKeyName) -> Bool { slots[name] != nil }
    package func keyID(_ name: SenderKeyName) -> UInt32? { slots[name]?.record.keyID }
    package func isEmpty(_ name: SenderKeyName) -> Bool { slots[name]?.record.isEmpty ?? true }

    /// Takes what the store returned; returns whether the row could be read.
    package mutating func adopt(_ row: StoredSenderKey?, for name: SenderKeyName, now: Timestamp) -> Bool {
        guard slots[name] == nil else { return true }
        var record = SenderKeyRecord()
        var isReadable = true
        if let row {
            do {
                record = try SenderKeyRecord(parsing: row.record)
                if let loss = row.loss { record.recover(from: loss) }
            } catch { isReadable = false }
        }
        slots[name] = Slot(record: record, imageTicket: nil, cleanTicket: nil, lastUse: now)
        return isReadable
    }

    /// What a group send needs from the own key.
    package struct Outgoing: Sendable {
        package var distribution: [UInt8]
        package var ciphertext: [UInt8]
        package var keyID: UInt32
    }

    /// Encrypts for a group with the own key, making one if there is none. The distribution is the one from before this
    /// message, so that a device that gets it now can read the message (03, section 10.3).
    package mutating func encrypt(
        _ plaintext: [UInt8], as name: SenderKeyName, random: some RandomSource, revision: Int64,
        draft: inout SignalDraft, now: Timestamp
    ) throws -> Outgoing {
        guard var slot = slots[name] else { throw SignalError.noSenderKey }
        let distribution: SenderKeyDistributionMessage
        if slot.record.hasOwnKey {
            distribution = GroupCipher.createDistribution(record: &slot.record, random: random)
        } else {
            distribution = GroupCipher.rotate(record: &slot.record, random: random)
        }
        let message = try GroupCipher.encrypt(plaintext, record: &slot.record, random: random)
        slot.lastUse = now
        slots[name] = slot
        switch message.cover {
        case .durable:
            if slot.record.needsExtension {
                slots[name]?.record.extend()
                writeImage(of: name, revision: revision, draft: &draft)
            }
        case .submitted: draft.require(slot.imageTicket ?? draft.ticket)
        case .needsImage:
            writeImage(of: name, revision: revision, draft: &draft)
            draft.require(draft.ticket)
        }
        return Outgoing(distribution: distribution.serialized(), ciphertext: message.bytes, keyID: message.keyID)
    }

    /// The own key's distribution at the current iteration, for a resend; nil when there is no own key.
    package mutating func distribution(
        of name: SenderKeyName, random: some RandomSource, revision: Int64, draft: inout SignalDraft
    ) -> (bytes: [UInt8], keyID: UInt32)? {
        guard var slot = slots[name], slot.record.hasOwnKey, let keyID = slot.record.keyID else { return nil }
        let distribution = GroupCipher.createDistribution(record: &slot.record, random: random)
        if slot.record.durableBound == nil {
            slots[name] = slot
            writeImage(of: name, revision: revision, draft: &draft)
            draft.require(draft.ticket)
        }
        return (distribution.serialized(), keyID)
    }

    /// Deletes the own key: the next message makes a new one that nobody who left has seen.
    package mutating func rotate(_ name: SenderKeyName, revision: Int64, draft: inout SignalDraft) {
        draft.changes.senderKeyMarkRemovals.append(.group(name.group))
        draft.changes.senderKeys.removeAll { $0.group == name.group && $0.sender == name.sender.description }
        draft.changes.senderKeys.append(
            SenderKeyImage(group: name.group, sender: name.sender.description, rev: revision, record: nil))
        slots[name] = Slot(
            record: SenderKeyRecord(), imageTicket: draft.ticket, cleanTicket: nil,
            lastUse: slots[name]?.lastUse ?? Timestamp(microseconds: 0))
    }

    /// Learns another's key.
    package mutating func process(
        _ distribution: SenderKeyDistributionMessage, from name: SenderKeyName, revision: Int64,
        draft: inout SignalDraft, now: Timestamp
    ) throws {
        guard var slot = slots[name] else { throw SignalError.noSenderKey }
        slot.lastUse = now
        let changed = try GroupCipher.process(distribution, record: &slot.record)
        slots[name] = slot
        if changed { writeImage(of: name, revision: revision, draft: &draft) }
    }

    package mutating func decrypt(
        _ message: SenderKeyMessage, from name: SenderKeyName, revision: Int64, draft: inout SignalDraft, now: Timestamp
    ) throws -> [UInt8] {
        guard let index = slots.index(forKey: name) else { throw SignalError.noSenderKey }
        let plaintext = try GroupCipher.decrypt(message, record: &slots.values[index].record)
        slots.values[index].lastUse = now
        writeImage(of: name, revision: revision, draft: &draft)
        return plaintext
    }

    /// Moves a sender's record from its PN to its LID name; an existing LID record wins.
    package mutating func migrate(
        from old: SenderKeyName, to new: SenderKeyName, revisions: (Int64, Int64), draft: inout SignalDraft,
        now: Timestamp
    ) {
        guard let source = slots[old], !source.record.isEmpty else { return }
        if slots[new]?.record.isEmpty ?? true {
            slots[new] = Slot(record: source.record, imageTicket: nil, cleanTicket: nil, lastUse: now)
            slots[new]?.record.forgetDurability()
            writeImage(of: new, revision: revisions.0, draft: &draft)
        }
        draft.changes.senderKeys.append(
            SenderKeyImage(group: old.group, sender: old.sender.description, rev: revisions.1, record: nil))
        slots[old] = Slot(record: SenderKeyRecord(), imageTicket: draft.ticket, cleanTicket: nil, lastUse: now)
    }

    private mutating func writeImage(of name: SenderKeyName, revision: Int64, draft: inout SignalDraft) {
        guard let index = slots.index(forKey: name) else { return }
        let image = slots.values[index].record.imageForStorage()
        slots.values[index].imageTicket = draft.ticket
        append(image, of: name, revision: revision, draft: &draft)
    }

    private func append(
        _ image: SenderKeyRecordImage, of name: SenderKeyName, revision: Int64, draft: inout SignalDraft
    ) {
        let row = SenderKeyImage(
            group: name.group, sender: name.sender.description, rev: revision, record: image.record)
        if let position = draft.changes.senderKeys.firstIndex(where: {
            $0.group == row.group && $0.sender == row.sender
        }) {
            draft.changes.senderKeys[position] = row
            draft.senderKeyReceipts.removeAll { $0.name == name }
        } else {
            draft.changes.senderKeys.append(row)
        }
        draft.senderKeyReceipts.append((name, image.receipt))
    }

    package mutating func committed(_ receipts: [(name: SenderKeyName, receipt: SenderKeyImageReceipt)]) {
        for (name, receipt) in receipts {
            guard let index = slots.index(forKey: name) else { continue }
            slots.values[index].record.committed(receipt)
        }
    }

    /// As `SessionSlots.evict`; `revision` makes a fresh one for each row.
    package mutating func evict(
        unusedSince limit: Timestamp, watermark: CommitTicket, draft: inout SignalDraft, revision: () -> Int64
    ) {
        let idle = slots.idle(since: limit, watermark: watermark)
        for name in idle.gone { slots[name] = nil }
        departures += UInt64(idle.gone.count)
        for name in idle.due {
            guard var leaving = slots[name] else { continue }
            let image = leaving.record.cleanImage()
            leaving.imageTicket = nil
            leaving.cleanTicket = draft.ticket
            slots[name] = leaving
            append(image, of: name, revision: revision(), draft: &draft)
        }
    }

    package mutating func close(draft: inout SignalDraft, revision: () -> Int64) {
        for name in slots.keys where slots[name]?.imageTicket != nil {
            guard let index = slots.index(forKey: name) else { continue }
            let image = slots.values[index].record.cleanImage()
            append(image, of: name, revision: revision(), draft: &draft)
        }
    }

    /// As `SessionSlots.rewrite`.
    package mutating func rewrite(draft: inout SignalDraft, revision: () -> Int64) {
        for (name, slot) in slots where !slot.record.isEmpty {
            slots[name]?.record.forgetDurability()
            slots[name]?.cleanTicket = nil
            writeImage(of: name, revision: revision(), draft: &draft)
        }
    }

    package mutating func removeAll() {
        departures += UInt64(slots.count)
        slots = [:]
    }
}

import Cryptography
import Signal

/// Pairwise sessions of one device in memory (16-performance-durability, sections 1.5 and 1.9).
///
/// All functions are synchronous: load everything first, then encrypt or decrypt in one stretch. A record that is loaded is
/// the truth; the store lags behind by what is submitted and not committed.
package struct SessionSlots: Sendable {
    struct Slot: IdleSlot, Sendable {
        var record: SessionRecord
        var identity: PublicKey?
        /// Ticket of the newest submitted image; nil while the record is as it was loaded.
        var imageTicket: CommitTicket?
        /// Ticket of a clean image after which nothing was written.
        var cleanTicket: CommitTicket?
        var lastUse: Timestamp
    }

    private var slots: [SignalAddress: Slot] = [:]
    /// Rises with every slot that leaves memory: a load that began before is stale (16, section 1.9).
    package private(set) var departures: UInt64 = 0
    private let epoch: Int64
    private var sequence: Int64 = 0

    package init(epoch: Int64) { self.epoch = epoch }

    package var count: Int { slots.count }

    /// Rises over deletions, restarts and take-overs.
    package mutating func nextRevision() -> Int64 {
        sequence += 1
        return epoch << 40 | (sequence & 0xFF_FFFF_FFFF)
    }

    package func missing(_ addresses: some Sequence<SignalAddress>) -> [SignalAddress] {
        var seen: Set<SignalAddress> = []
        return addresses.filter { slots[$0] == nil && seen.insert($0).inserted }
    }

    /// Devices of a Signal user that have something in memory.
    package func addresses(of user: String) -> [SignalAddress] {
        slots.filter { $0.key.name == user && (!$0.value.record.isEmpty || $0.value.identity != nil) }.map(\.key)
    }

    package func isLoaded(_ address: SignalAddress) -> Bool { slots[address] != nil }
    package func hasSession(_ address: SignalAddress) -> Bool { slots[address]?.record.hasCurrent ?? false }
    package func identity(_ address: SignalAddress) -> PublicKey? { slots[address]?.identity }
    package func registrationID(_ address: SignalAddress) -> UInt32? { slots[address]?.record.remoteRegistrationID }
    package func baseKey(_ address: SignalAddress) -> PublicKey? { slots[address]?.record.baseKey }
    package func knows(baseKey: PublicKey, at address: SignalAddress) -> Bool {
        slots[address]?.record.knows(baseKey: baseKey) ?? false
    }

    /// Takes what the store returned for `addresses`; addresses without a row get an empty record. A slot that exists stays.
    /// Returns addresses whose row cannot be read: treated as absent (16, section 1.8).
    package mutating func adopt(
        _ rows: [String: StoredSession], identities: [String: [UInt8]], for addresses: [SignalAddress], now: Timestamp
    ) -> [SignalAddress] {
        var corrupt: [SignalAddress] = []
        for address in addresses where slots[address] == nil {
            let text = address.description
            var record = SessionRecord()
            if let row = rows[text] {
                do {
                    record = try SessionRecord(current: row.record, archived: row.archived.map(\.record))
                    if row.loss != nil || row.archived.contains(where: { $0.loss != nil }) {
                        record.recover(current: row.loss, archived: row.archived.map(\.loss))
                    }
                } catch { corrupt.append(address) }
            }
            let identity = identities[text].flatMap { try? PublicKey(raw: $0) }
            slots[address] = Slot(record: record, identity: identity, imageTicket: nil, lastUse: now)
        }
        return corrupt
    }

    // MARK: Sending

    /// Starts a session from a bundle. Throws `SignalError`, and `SessionError.storageUnavailable` for an address that is not
    /// loaded; an identity that changed archives the old session and is
    /// reported by the result.
    package mutating func start(
        bundle: PreKeyBundle, at address: SignalAddress, own: SignalIdentity, random: some RandomSource,
        draft: inout SignalDraft, now: Timestamp
    ) throws -> IdentityTrust.Verdict {
        guard var slot = slots[address] else { throw SessionError.storageUnavailable }
        let verdict = try IdentityTrust.evaluate(bundle.identityKey, stored: slot.identity, policy: own.trust)
        try SessionBuilder.process(
            bundle: bundle, record: &slot.record, identity: own.keyPair, registrationID: own.registrationID,
            random: random)
        slot.lastUse = now
        slots[address] = slot
        note(verdict, bundle.identityKey, at: address, draft: &draft)
        writeImage(of: address, draft: &draft)
        return verdict
    }

    /// Encrypts for one address. The frame may leave when `draft.cover` is done.
    package mutating func encrypt(
        _ plaintext: [UInt8], to address: SignalAddress, draft: inout SignalDraft, now: Timestamp
    ) throws -> SessionCiphertext {
        guard let index = slots.index(forKey: address) else { throw SignalError.noSession }
        let ciphertext = try SessionCipher.encrypt(plaintext, record: &slots.values[index].record)
        slots.values[index].lastUse = now
        switch ciphertext.cover {
        case .durable:
            // Early extension: the image goes along without being waited for (16, section 1.4).
            if slots.values[index].record.needsExtension {
                slots.values[index].record.extend()
                writeImage(of: address, draft: &draft)
            }
        case .submitted:
            draft.require(slots.values[index].imageTicket ?? draft.ticket)
        case .needsImage:
            writeImage(of: address, draft: &draft)
            draft.require(draft.ticket)
        }
        return ciphertext
    }

    // MARK: Receiving

    /// Decrypts a `msg`.
    package mutating func decrypt(
        _ message: SignalMessage, from address: SignalAddress, own: SignalIdentity, random: some RandomSource,
        draft: inout SignalDraft, now: Timestamp
    ) throws -> Decrypted {
        guard var slot = slots[address] else { throw SignalError.noSession }
        let result = try SessionCipher.decrypt(message, record: &slot.record, random: random)
        let verdict = try IdentityTrust.evaluate(result.remoteIdentity, stored: slot.identity, policy: own.trust)
        return finish(result, verdict, slot, at: address, draft: &draft, now: now)
    }

    /// Decrypts a `pkmsg` with the prekeys it names. Throws as `start`.
    package mutating func decrypt(
        _ message: PreKeySignalMessage, from address: SignalAddress, own: SignalIdentity, signedPreKey: KeyPair?,
        oneTimePreKey: KeyPair?, random: some RandomSource, draft: inout SignalDraft, now: Timestamp
    ) throws -> Decrypted {
        guard var slot = slots[address] else { throw SessionError.storageUnavailable }
        let verdict = try IdentityTrust.evaluate(message.identityKey, stored: slot.identity, policy: own.trust)
        let result = try SessionCipher.decrypt(
            message, record: &slot.record, identity: own.keyPair, registrationID: own.registrationID,
            signedPreKey: signedPreKey, oneTimePreKey: oneTimePreKey, random: random)
        if let id = result.usedPreKeyID { draft.changes.usedPreKeys.append(id) }
        return finish(result, verdict, slot, at: address, draft: &draft, now: now)
    }

    package struct Decrypted: Sendable {
        package var plaintext: [UInt8]
        package var usedPreKeyID: UInt32?
        package var startedSession: Bool
        package var identityVerdict: IdentityTrust.Verdict
    }

    private mutating func finish(
        _ result: SessionCipher.DecryptResult, _ verdict: IdentityTrust.Verdict, _ slot: Slot,
        at address: SignalAddress, draft: inout SignalDraft, now: Timestamp
    ) -> Decrypted {
        var slot = slot
        slot.lastUse = now
        slots[address] = slot
        note(verdict, result.remoteIdentity, at: address, draft: &draft)
        writeImage(of: address, draft: &draft)
        return Decrypted(
            plaintext: result.plaintext, usedPreKeyID: result.usedPreKeyID, startedSession: result.startedSession,
            identityVerdict: verdict)
    }

    private mutating func note(
        _ verdict: IdentityTrust.Verdict, _ key: PublicKey, at address: SignalAddress, draft: inout SignalDraft
    ) {
        guard verdict != .known else { return }
        slots[address]?.identity = key
        draft.changes.identities.append(IdentityRow(address: address.description, identity: key.raw))
        if verdict == .changed { draft.changes.senderKeyMarkRemovals.append(.address(address.description)) }
    }

    // MARK: Upkeep

    /// Takes the current session out of service; it still decrypts.
    package mutating func archive(_ address: SignalAddress, draft: inout SignalDraft) {
        guard slots[address]?.record.hasCurrent == true else { return }
        slots[address]?.record.archiveCurrent()
        writeImage(of: address, draft: &draft)
    }

    /// Forgets the identity of an address whose user registered anew.
    package mutating func forgetIdentity(_ address: SignalAddress, draft: inout SignalDraft) {
        slots[address]?.identity = nil
        draft.changes.identities.append(IdentityRow(address: address.description, identity: nil))
    }

    /// Moves a device's records from its PN to its LID address (03, section 12.3). Both must be loaded.
    package mutating func migrate(
        from old: SignalAddress, to new: SignalAddress, draft: inout SignalDraft, now: Timestamp
    ) {
        guard let source = slots[old], !source.record.isEmpty || source.identity != nil else { return }
        var target = slots[new] ?? Slot(record: SessionRecord(), identity: nil, imageTicket: nil, lastUse: now)
        if target.record.isEmpty {
            target.record = source.record
            target.record.forgetStorage()
        } else {
            target.record.absorb(source.record)
        }
        if target.identity == nil, let identity = source.identity {
            target.identity = identity
            draft.changes.identities.append(IdentityRow(address: new.description, identity: identity.raw))
        }
        slots[new] = target
        if !target.record.isEmpty { writeImage(of: new, draft: &draft) }
        draft.changes.identities.append(IdentityRow(address: old.description, identity: nil))
        draft.changes.sessions.append(SessionImage(address: old.description, rev: nextRevision(), record: nil))
        slots[old] = Slot(record: SessionRecord(), identity: nil, imageTicket: draft.ticket, lastUse: now)
    }

    /// Puts the newest image of a record into the draft, in place of an older one that is already there.
    private mutating func writeImage(of address: SignalAddress, draft: inout SignalDraft) {
        guard let index = slots.index(forKey: address) else { return }
        let image = slots.values[index].record.imageForStorage()
        slots.values[index].imageTicket = draft.ticket
        append(image, at: address, draft: &draft)
    }

    private mutating func append(_ image: SessionRecordImage, at address: SignalAddress, draft: inout SignalDraft) {
        let text = address.description
        let row = SessionImage(
            address: text, rev: nextRevision(), record: image.current,
            archived: image.archived.map { ArchivedSessionState(baseKey: $0.baseKey, record: $0.record) },
            droppedArchive: image.dropped)
        if let position = draft.changes.sessions.firstIndex(where: { $0.address == text }) {
            draft.changes.sessions[position] = row
            draft.sessionReceipts.removeAll { $0.address == address }
        } else {
            draft.changes.sessions.append(row)
        }
        draft.sessionReceipts.append((address, image.receipt))
    }

    /// Notes that images are durable.
    package mutating func committed(_ receipts: [(address: SignalAddress, receipt: SessionImageReceipt)]) {
        for (address, receipt) in receipts {
            guard let index = slots.index(forKey: address) else { continue }
            slots.values[index].record.committed(receipt)
        }
    }

    /// Drops records unused since `limit`. Those written since they were loaded give up their reservation with a clean
    /// image first and go at the next sweep after its commit; those with pending images stay.
    package mutating func evict(unusedSince limit: Timestamp, watermark: CommitTicket, draft: inout SignalDraft) {
        let idle = slots.idle(since: limit, watermark: watermark)
        for address in idle.gone { slots[address] = nil }
        departures += UInt64(idle.gone.count)
        for address in idle.due {
            guard var leaving = slots[address] else { continue }
            let image = leaving.record.cleanImage()
            leaving.imageTicket = nil
            leaving.cleanTicket = draft.ticket
            slots[address] = leaving
            append(image, at: address, draft: &draft)
        }
    }

    /// Writes everything that is in memory, because the store may hold less of it than it said (16, section 1.8). What is
    /// encrypted from now on waits for that.
    package mutating func rewrite(draft: inout SignalDraft) {
        for (address, slot) in slots where !slot.record.isEmpty || slot.identity != nil {
            if let identity = slot.identity {
                draft.changes.identities.append(IdentityRow(address: address.description, identity: identity.raw))
            }
            if slot.record.isEmpty { continue }
            slots[address]?.record.forgetStorage()
            slots[address]?.cleanTicket = nil
            writeImage(of: address, draft: &draft)
        }
    }

    /// Drops everything: uncommitted changes must not outlive a commit that failed for good (16, section 2.1).
    package mutating func removeAll() {
        departures += UInt64(slots.count)
        slots = [:]
    }

    /// Clean images of everything that was written, for hand-over and shutdown.
    package mutating func close(draft: inout SignalDraft) {
        for (address, slot) in slots where slot.imageTicket != nil {
            guard let index = slots.index(forKey: address) else { continue }
            let image = slots.values[index].record.cleanImage()
            append(image, at: address, draft: &draft)
        }
    }
}

/// The own half of every session.
package struct SignalIdentity: Sendable {
    package var keyPair: KeyPair
    package var registrationID: UInt32
    package var trust: IdentityTrust.Policy = .automatic
}

import Cryptography

@testable import Messaging
@testable import Signal

/// One submission of a device: its rows, and whose commit it is.
struct ChaosSet {
    let ticket: CommitTicket
    let node: Int
    var changes: ChangeSet
    /// Whether its session and sender-key images are clean writes.
    var isClean = false

    /// What a second, late copy of it could still put back.
    var imagesOnly: ChaosSet {
        var copy = self
        copy.changes = ChangeSet(did: changes.did, epoch: changes.epoch)
        copy.changes.sessions = changes.sessions
        copy.changes.senderKeys = changes.senderKeys
        return copy
    }
}

/// The store of the simulation: rows by their natural keys, images by `rev`, and a fence.
struct ChaosStore {
    struct Row<Record> {
        var rev: Int64
        /// Nil after a tombstone, whose `rev` stays known.
        var record: Record?
    }

    var epoch: Int64 = 1
    var sessions: [String: Row<StoredSession>] = [:]
    var senderKeys: [String: Row<[UInt8]>] = [:]
    var identities: [String: [UInt8]] = [:]
    var preKeys: [UInt32: SecretBytes] = [:]
    var marks: Set<SenderKeyMark> = []
    /// Intents of sends by message id; the value is false once the send is settled.
    var unsettled: [String: Bool] = [:]
    /// Events by their key.
    var events: [String: Int] = [:]
    /// Newest ticket applied, by instance.
    var applied: [Int: CommitTicket] = [:]
    /// Where the sending chain of a ratchet key stands in the store, and which prekeys made which session.
    private var bounds: [PublicKey: UInt32] = [:]
    var preKeyUses: [UInt32: (address: String, baseKey: PublicKey)] = [:]

    /// Applies one batch whole, or throws what an oracle says. False: fenced.
    mutating func apply(_ sets: [ChaosSet], fault: ChaosFault?) throws -> Bool {
        guard let epoch = sets.first?.changes.epoch, epoch == self.epoch else { return false }
        for (index, set) in sets.enumerated() {
            if fault == .dropEarlierSets, index < sets.count - 1 {
                try applySignal(set, fault)
            } else {
                try applySignal(set, fault)
                applyMessages(set.changes)
            }
            applied[set.node] = max(applied[set.node] ?? .none, set.ticket)
        }
        try checkPreKeys()
        return true
    }

    private mutating func applySignal(_ set: ChaosSet, _ fault: ChaosFault?) throws {
        let anyOrder = fault == .applyLowerRevision
        for image in set.changes.sessions where anyOrder || image.rev > sessions[image.address]?.rev ?? -1 {
            var stored = sessions[image.address]?.record?.archived ?? []
            stored.removeAll { old in
                image.droppedArchive.contains(old.baseKey) || image.archived.contains { $0.baseKey == old.baseKey }
            }
            let record = image.record.map {
                StoredSession(rev: image.rev, record: $0, archived: image.archived + stored)
            }
            sessions[image.address] = Row(rev: image.rev, record: record)
            try checkBound(record, isClean: set.isClean)
        }
        for image in set.changes.senderKeys where anyOrder || image.rev > senderKeys[image.group]?.rev ?? -1 {
            senderKeys[image.group] = Row(rev: image.rev, record: image.record)
        }
        for row in set.changes.identities { identities[row.address] = row.identity }
        for key in set.changes.newPreKeys { preKeys[key.id] = key.privateKey }
        for id in set.changes.usedPreKeys { preKeys[id] = nil }
    }

    private mutating func applyMessages(_ changes: ChangeSet) {
        for removal in changes.senderKeyMarkRemovals {
            marks = marks.filter { mark in
                switch removal {
                case .group(let group): mark.group != group
                case .address(let address): mark.address != address
                case .device(let group, let address): mark.group != group || mark.address != address
                }
            }
        }
        marks.formUnion(changes.senderKeyMarks)
        for row in changes.retries where unsettled[row.messageID] == nil { unsettled[row.messageID] = true }
        for name in changes.settledSends { unsettled[name.messageID] = false }
        for event in changes.events where events[event.dedupeKey] == nil { events[event.dedupeKey] = 1 }
    }

    /// O4: the stored end of a chain falls only through a clean write.
    private mutating func checkBound(_ stored: StoredSession?, isClean: Bool) throws {
        guard let stored, let state = try SessionState.decode(stored.record[...]) else { return }
        let key = state.sender.ratchetKey.publicKey
        let bound = state.sender.chain.parked.index
        if !isClean, let before = bounds[key], bound < before {
            throw ChaosFinding(oracle: "O4", detail: "the bound of a chain fell from \(before) to \(bound)")
        }
        bounds[key] = bound
    }

    /// O10: a prekey's row is gone only where the session that it made is stored.
    mutating func checkPreKeys() throws {
        for id in preKeyUses.keys.sorted() where preKeys[id] == nil { try checkPreKey(id) }
    }

    private mutating func checkPreKey(_ id: UInt32) throws {
        guard let use = preKeyUses.removeValue(forKey: id) else { return }
        guard let stored = sessions[use.address]?.record else {
            throw ChaosFinding(oracle: "O10", detail: "prekey \(id) is gone and no session is stored")
        }
        let record = try SessionRecord(current: stored.record, archived: stored.archived.map(\.record))
        guard record.knows(baseKey: use.baseKey) else {
            throw ChaosFinding(oracle: "O10", detail: "prekey \(id) is gone without its session")
        }
    }
}

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
///
/// Its Signal tables may be replaced by what they were some commits ago, on another timeline. Who owns the device, and which
/// messages there are, stays: those commits are lost too in the world, but no code could bring them back.
@dynamicMemberLookup
struct ChaosStore {
    struct Row<Record> {
        var rev: Int64
        /// Nil after a tombstone, whose `rev` stays known.
        var record: Record?
        /// Fail-overs before it was written.
        var timeline = 0
    }

    var signal = ChaosSignalTables()
    /// The tables before each of the newest commits.
    private var earlier: [ChaosSignalTables] = []
    private(set) var timeline = 0
    /// Rows of earlier timelines may be older than what chains can allow for.
    private var restoredAt = 0

    subscript<Value>(dynamicMember path: WritableKeyPath<ChaosSignalTables, Value>) -> Value {
        get { signal[keyPath: path] }
        set { signal[keyPath: path] = newValue }
    }

    var epoch: Int64 = 1
    /// Intents of sends by message id; the value is false once the send is settled.
    var unsettled: [String: Bool] = [:]
    /// Events by their key.
    var events: [String: Int] = [:]
    /// Newest ticket applied, by instance.
    var applied: [Int: CommitTicket] = [:]
    /// Which prekeys made which session.
    var preKeyUses: [UInt32: (address: String, baseKey: PublicKey)] = [:]

    /// Applies one batch whole, or throws what an oracle says. False: fenced.
    mutating func apply(_ sets: [ChaosSet], fault: ChaosFault?) throws -> Bool {
        guard let epoch = sets.first?.changes.epoch, epoch == self.epoch else { return false }
        earlier = earlier.suffix(2) + [signal]
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
        for image in set.changes.sessions where anyOrder || image.rev > signal.sessions[image.address]?.rev ?? -1 {
            var stored = signal.sessions[image.address]?.record?.archived ?? []
            stored.removeAll { old in
                image.droppedArchive.contains(old.baseKey) || image.archived.contains { $0.baseKey == old.baseKey }
            }
            let record = image.record.map {
                StoredSession(rev: image.rev, record: $0, archived: image.archived + stored)
            }
            for state in image.archived { signal.archiveTimelines[state.baseKey] = timeline }
            signal.sessions[image.address] = Row(rev: image.rev, record: record, timeline: timeline)
            try checkBound(record, isClean: set.isClean)
        }
        for image in set.changes.senderKeys where anyOrder || image.rev > signal.senderKeys[image.group]?.rev ?? -1 {
            signal.senderKeys[image.group] = Row(rev: image.rev, record: image.record, timeline: timeline)
        }
        for row in set.changes.identities { signal.identities[row.address] = row.identity }
        for key in set.changes.newPreKeys { signal.preKeys[key.id] = key.privateKey }
        for id in set.changes.usedPreKeys { signal.preKeys[id] = nil }
    }

    private mutating func applyMessages(_ changes: ChangeSet) {
        for removal in changes.senderKeyMarkRemovals {
            signal.marks = signal.marks.filter { mark in
                switch removal {
                case .group(let group): mark.group != group
                case .address(let address): mark.address != address
                case .device(let group, let address): mark.group != group || mark.address != address
                }
            }
        }
        signal.marks.formUnion(changes.senderKeyMarks)
        for row in changes.retries where unsettled[row.messageID] == nil { unsettled[row.messageID] = true }
        for name in changes.settledSends { unsettled[name.messageID] = false }
        for event in changes.events where events[event.dedupeKey] == nil { events[event.dedupeKey] = 1 }
    }

    /// O4: the stored end of a chain falls only through a clean write.
    private mutating func checkBound(_ stored: StoredSession?, isClean: Bool) throws {
        guard let stored, let state = try SessionState.decode(stored.record[...]) else { return }
        let key = state.sender.ratchetKey.publicKey
        let bound = state.sender.chain.parked.index
        if !isClean, let before = signal.bounds[key], bound < before {
            throw ChaosFinding(oracle: "O4", detail: "the bound of a chain fell from \(before) to \(bound)")
        }
        signal.bounds[key] = bound
    }

    // MARK: Fail-over

    /// Becomes what it was before the newest `count` commits. False when there is nothing to lose.
    mutating func failOver(losing count: Int) throws -> Bool {
        guard let before = earlier.suffix(count).first else { return false }
        let (were, are) = (try before.positions(), try signal.positions())
        let fall = were.map { chain, position in (are[chain] ?? position) - min(position, are[chain] ?? position) }
            .max()
        signal = before
        earlier = []
        timeline += 1
        if fall ?? 0 > 128 { restoredAt = timeline }
        preKeyUses = preKeyUses.filter { signal.preKeys[$0.key] != nil }
        return true
    }

    /// What may be lost since a row of `timeline` was written.
    func loss(sinceTimeline written: Int) -> SessionRecord.StoredLoss? {
        if written < restoredAt { return .much }
        return written < timeline ? .some : nil
    }

    /// O10: a prekey's row is gone only where the session that it made is stored.
    mutating func checkPreKeys() throws {
        for id in preKeyUses.keys.sorted() where signal.preKeys[id] == nil { try checkPreKey(id) }
    }

    private mutating func checkPreKey(_ id: UInt32) throws {
        guard let use = preKeyUses.removeValue(forKey: id) else { return }
        guard let stored = signal.sessions[use.address]?.record else {
            throw ChaosFinding(oracle: "O10", detail: "prekey \(id) is gone and no session is stored")
        }
        let record = try SessionRecord(current: stored.record, archived: stored.archived.map(\.record))
        guard record.knows(baseKey: use.baseKey) else {
            throw ChaosFinding(oracle: "O10", detail: "prekey \(id) is gone without its session")
        }
    }
}

/// The tables that a fail-over takes back.
struct ChaosSignalTables {
    var sessions: [String: ChaosStore.Row<StoredSession>] = [:]
    /// When archived states were written, by base key.
    var archiveTimelines: [[UInt8]: Int] = [:]
    var senderKeys: [String: ChaosStore.Row<[UInt8]>] = [:]
    var identities: [String: [UInt8]] = [:]
    var preKeys: [UInt32: SecretBytes] = [:]
    var marks: Set<SenderKeyMark> = []
    /// Where the sending chain of a ratchet key stands.
    fileprivate(set) var bounds: [PublicKey: UInt32] = [:]

    /// Up to where each sending chain may have been used.
    fileprivate func positions() throws -> [[UInt8]: UInt32] {
        var positions: [[UInt8]: UInt32] = [:]
        for row in sessions.values.compactMap(\.record) {
            for record in [row.record] + row.archived.map(\.record) {
                guard let state = try SessionState.decode(record[...]) else { continue }
                positions[state.sender.ratchetKey.publicKey.raw] = state.sender.chain.parked.index
            }
        }
        for (group, row) in senderKeys {
            guard let record = try row.record.map({ try SenderKeyRecord(parsing: $0) }), let id = record.keyID,
                let chain = record.states.first?.reserved
            else { continue }
            positions[Array("\(group) \(id)".utf8)] = chain.parked.index
        }
        return positions
    }
}

import Cryptography
import Messaging

@testable import Signal
@testable import Storage

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
    /// Unread messages by chat: counters rise by what a set says, so that applying one twice shows.
    var unread: [String: Int] = [:]
    /// Which sets of an instance arrived.
    private var arrived: [Int: Arrived] = [:]
    /// Which prekeys made which session.
    var preKeyUses: [UInt32: (address: String, baseKey: PublicKey)] = [:]
    /// Revisions of clean writes.
    var cleanRevisions: Set<Int64> = []
    /// Sets that the store refuses.
    var poison: Set<ChaosMark> = []

    static let neighbour: Int64 = 2
    var neighbourEpoch: Int64 = 1
    /// Of the neighbour's sets: the newest that was written, and those that arrived.
    var neighbourNewest = 0
    private var neighbourSets: [Int] = []

    enum Result: Equatable {
        case applied
        case fenced(Set<Int64>)
        case refused
    }

    /// Applies one batch whole or nothing of it, or throws what an oracle says.
    mutating func apply(
        _ devices: [DeviceChanges], position: Int64, of queue: Int, fault: ChaosFault?
    ) throws -> Result {
        let lost = devices.filter { $0.epoch != ($0.did == Self.neighbour ? neighbourEpoch : epoch) }.map(\.did)
        if !lost.isEmpty { return .fenced(Set(lost)) }
        let marks = devices.flatMap(\.events).compactMap(ChaosMark.init)
        guard poison.isDisjoint(with: marks) else { return .refused }
        if devices.contains(where: { $0.did == ChaosNode.did }) { earlier = earlier.suffix(2) + [signal] }
        signal.positions[queue] = position
        for device in devices { try applyRows(device, fault: fault) }
        try checkPreKeys()
        return .applied
    }

    /// Makes a position void unless it was taken, and tells which one is.
    mutating func void(_ position: Int64, of queue: Int) -> Int64 {
        if signal.positions[queue] ?? 0 < position { signal.positions[queue] = position + 1 }
        return signal.positions[queue] ?? 0
    }

    /// The rows of one device's part, under the conditions of the product's statements.
    mutating func applyRows(_ device: DeviceChanges, fault: ChaosFault?) throws {
        try applySignal(device, fault)
        for event in device.events {
            switch ChaosMark(event) {
            case .set(let node, let ticket): arrived[node, default: Arrived()].insert(ticket)
            case .neighbour(let number):
                if number <= neighbourSets.last ?? 0, timeline == 0 {
                    throw ChaosFinding(oracle: "O12", detail: "set \(number) of the neighbour arrives late")
                }
                neighbourSets.append(number)
            case nil: events[event.dedupeKey] = 1
            }
        }
        applyMessages(device)
    }

    mutating func applySignal(_ device: DeviceChanges, _ fault: ChaosFault?) throws {
        let anyOrder = fault == .applyLowerRevision
        for (address, image) in device.sessions.sorted(by: { $0.key < $1.key })
        where anyOrder || image.rev > signal.sessions[address]?.rev ?? -1 {
            let earlier = image.wipesArchive ? [] : signal.sessions[address]?.record?.archived ?? []
            let stored = earlier.filter { image.archive[$0.baseKey] == nil }
            let states = image.archive.compactMap { key, state in
                state.record.map { (order: state.order, state: ArchivedSessionState(baseKey: key, record: $0)) }
            }.sorted { $0.order < $1.order }.map(\.state)
            for state in states { signal.archiveTimelines[state.baseKey] = timeline }
            let record = image.record.map { StoredSession(rev: image.rev, record: $0, archived: states + stored) }
            signal.sessions[address] = Row(rev: image.rev, record: record, timeline: timeline)
            try checkBound(record, isClean: cleanRevisions.contains(image.rev))
        }
        for image in device.senderKeys.values where anyOrder || image.rev > signal.senderKeys[image.group]?.rev ?? -1 {
            signal.senderKeys[image.group] = Row(rev: image.rev, record: image.record, timeline: timeline)
        }
        for (address, identity) in device.identities { signal.identities[address] = identity }
        for (id, state) in device.preKeys {
            switch state {
            case .new(let key): signal.preKeys[id] = key.privateKey
            case .used: signal.preKeys[id] = nil
            case .uploaded: break
            }
        }
    }

    private mutating func applyMessages(_ device: DeviceChanges) {
        for removal in device.markRemovals {
            signal.marks = signal.marks.filter { mark in
                switch removal {
                case .group(let group): mark.group != group
                case .address(let address): mark.address != address
                case .device(let group, let address): mark.group != group || mark.address != address
                }
            }
        }
        for (key, id) in device.marks {
            signal.marks = signal.marks.filter { $0.group != key.group || $0.address != key.address }
            signal.marks.insert(SenderKeyMark(group: key.group, address: key.address, keyID: id))
        }
        for row in device.retries.values where unsettled[row.messageID] == nil {
            unsettled[row.messageID] = row.sendBy != nil
        }
        for name in device.settledSends { unsettled[name.messageID] = false }
        for chat in device.chats.values { unread[chat.chat, default: 0] += chat.unreadIncrement }
    }

    // MARK: What arrived

    /// The sets of one instance by ticket: all up to `through`, and some beyond.
    private struct Arrived {
        private(set) var through: UInt64 = 0
        private var beyond: Set<UInt64> = []

        mutating func insert(_ ticket: UInt64) {
            beyond.insert(ticket)
            while beyond.remove(through + 1) != nil { through += 1 }
        }
    }

    /// Whether a frame behind `ticket` may leave: everything of `node` up to there is stored.
    func covers(_ ticket: CommitTicket, of node: Int) -> Bool {
        guard ticket > .none else { return true }
        guard let sets = arrived[node] else { return false }
        return ticket.number <= sets.through
    }

    /// These sets will never arrive: nothing depends on them.
    mutating func refused(_ marks: [ChaosMark]) {
        for mark in marks {
            switch mark {
            case .set(let node, let ticket): arrived[node, default: Arrived()].insert(ticket)
            case .neighbour: break
            }
        }
    }

    /// O12: what another device of the batch is told is so, and is its own.
    func told(neighbour number: Int, _ error: CommitError?) throws {
        let isStored = neighbourSets.contains(number)
        guard isStored == (error == nil) else {
            throw ChaosFinding(
                oracle: "O12", detail: "the neighbour is told that \(number) is \(isStored ? "not " : "")stored")
        }
        guard case .rejected = error else { return }
        let isToBlame = poison.contains { if case .neighbour(let refused) = $0 { refused <= number } else { false } }
        guard isToBlame else { throw ChaosFinding(oracle: "O12", detail: "\(number) is refused with another's rows") }
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
        let (were, are) = (try before.reached(), try signal.reached())
        let fall = were.map { chain, position in (are[chain] ?? position) - min(position, are[chain] ?? position) }
            .max()
        signal = before
        // What memory holds may be older or newer than this: the bounds are learnt anew.
        signal.bounds = [:]
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
    /// The newest batch of each queue.
    var positions: [Int: Int64] = [:]
    /// Where the sending chain of a ratchet key stands.
    fileprivate(set) var bounds: [PublicKey: UInt32] = [:]

    /// Up to where each sending chain may have been used.
    fileprivate func reached() throws -> [[UInt8]: UInt32] {
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

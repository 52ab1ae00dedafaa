import Cryptography
import TestSupport

@testable import Messaging
@testable import Signal
@testable import Storage

/// The whole world of the chaos test: one device, three peers who are also the members of two groups, a store, and a server
/// that keeps what was not acknowledged (16-performance-durability, section 1.12).
struct ChaosSimulation {
    static let peerCount = 3
    static let groupCount = 2

    let fault: ChaosFault?
    var dice: Dice
    var store = ChaosStore()
    var node: ChaosNode
    /// An instance that was taken over and does not know it yet, with the actions it has left.
    var former: (node: ChaosNode, left: Int)?
    var peers: [ChaosPeer]
    var members: [Set<Int>]
    var inbound: [ChaosInbound] = []
    /// Everything that was ever on its way to the device, for duplicates.
    var seenInbound: [ChaosInbound] = []
    var published = ChaosPublished()
    /// Messages the device's owner was told of as sent, with who must read them.
    var sent: [String: (chat: ChaosChat, readers: Set<Int>)] = [:]
    /// The chat of every message ever begun, for resends.
    var chats: [String: ChaosChat] = [:]
    /// Sends whose caller gave up: their frames are dropped at the gate.
    var cancelled: Set<String> = []
    /// Retry receipts by message and peer: a limit, and an oracle when it is reached.
    var retries: [String: Int] = [:]
    /// Sessions that the device ever had with each peer, and the newest message id when it last started one itself.
    var starts = [Int](repeating: 0, count: Self.peerCount)
    var newestStart = [Int](repeating: 0, count: Self.peerCount)
    /// Retry receipts that the server keeps until the device has acknowledged them with its answer.
    var asked: [String: ChaosRetry] = [:]
    var nextID = 0
    /// How often the oldest message to the device was passed over.
    var passedOver = 0
    var nextNode = 1
    var now = Timestamp(seconds: 1_000)
    /// A commit whose outcome comes only after so many more actions.
    var delay = 0
    /// A copy of a batch that comes to the store a second time, late.
    var late: [(images: DeviceChanges, after: Int)] = []
    /// Bounds of chains that went before, for the fault `inheritBound`.
    var inherited: [SignalAddress: UInt32] = [:]
    /// Who left which group, and under which event that is stored.
    var removals: [(group: Int, peer: Int, event: String)] = []
    /// The store lost commits: what peers wrote in sessions that went with them has to be asked for.
    var hasFailedOver = false
    let own: SignalIdentity
    let signedPreKey: SignedPreKey
    let random: SeededRandom
    var nextPreKeyID: UInt32 = 1
    /// Public halves of one-time keys that the server hands out.
    var offered: [OneTimePreKey] = []

    static let ownAddress = SignalAddress(name: "100_1", device: 7)

    init(seed: UInt64, fault: ChaosFault? = nil) throws {
        self.fault = fault
        dice = Dice(seed)
        let bytes = withUnsafeBytes(of: seed) { Array($0) }
        random = SeededRandom(seed: bytes, label: "device")
        own = SignalIdentity(keyPair: KeyPair.generate(random: random), registrationID: 5)
        signedPreKey = SignedPreKey.generate(id: 1, identity: own.keyPair, random: random)
        node = ChaosNode(number: 0, epoch: 1)
        peers = (0..<Self.peerCount).map { ChaosPeer($0, seed: bytes) }
        members = Array(repeating: Set(0..<Self.peerCount), count: Self.groupCount)
        try addPreKeys(4)
    }

    /// Stores one-time keys and tells the server of those that are.
    mutating func addPreKeys(_ count: Int) throws {
        var draft = node.makeDraft()
        let keys = OneTimePreKey.generate(count, after: nextPreKeyID - 1, random: random)
        nextPreKeyID += UInt32(count)
        draft.changes.newPreKeys += keys.map {
            PreKeyRow(id: $0.id, privateKey: $0.keyPair.privateKey.secret, uploaded: true)
        }
        node.submit(draft)
        try flush()
        let stored = store.preKeys
        offered += keys.filter { stored[$0.id] != nil }
    }

    /// The bundle a peer gets of the device.
    mutating func ownBundle() -> PreKeyBundle {
        let key = offered.isEmpty ? nil : offered.removeFirst()
        return PreKeyBundle(
            registrationID: own.registrationID, deviceID: 7, identityKey: own.keyPair.publicKey,
            signedPreKeyID: signedPreKey.id, signedPreKey: signedPreKey.keyPair.publicKey,
            signedPreKeySignature: signedPreKey.signature, oneTimePreKeyID: key?.id,
            oneTimePreKey: key?.keyPair.publicKey)
    }

    mutating func newID() -> String {
        nextID += 1
        return "M\(nextID)"
    }

    // MARK: Loading

    mutating func load(_ address: SignalAddress) throws {
        guard !node.sessions.isLoaded(address) else { return }
        try awaitQueue()
        let text = address.description
        _ = node.sessions.adopt(rows(address), identities: identities(text), for: [address], now: now)
    }

    func rows(_ address: SignalAddress) -> [String: StoredSession] {
        guard let row = store.sessions[address.description], var session = row.record else { return [:] }
        if fault != .trustFailedOver {
            session.loss = store.loss(sinceTimeline: row.timeline)
            for index in session.archived.indices {
                let timeline = store.archiveTimelines[session.archived[index].baseKey] ?? 0
                session.archived[index].loss = store.loss(sinceTimeline: timeline)
            }
        }
        return [address.description: session]
    }

    func identities(_ text: String) -> [String: [UInt8]] { store.identities[text].map { [text: $0] } ?? [:] }

    mutating func loadSenderKey(_ name: SenderKeyName) throws {
        guard !node.senderKeys.isLoaded(name) else { return }
        try awaitQueue()
        let stored = store.senderKeys[name.group].flatMap { row in
            row.record.map { record in
                let loss = fault == .trustFailedOver ? nil : store.loss(sinceTimeline: row.timeline)
                return StoredSenderKey(rev: row.rev, record: record, loss: loss)
            }
        }
        _ = node.senderKeys.adopt(stored, for: name, now: now)
    }

    // MARK: What leaves

    /// Puts a frame in the gate, or on the wire when it may leave at once.
    mutating func send(_ frame: ChaosFrame, lane: String?, after ticket: CommitTicket) throws {
        var frame = frame
        frame.generation = node.ledger.forgetCount
        if let frame = node.ledger.enqueue(frame, lane: lane, after: ticket) { try publish([frame]) }
    }

    /// On the wire: oracles O1, O2, O3 and O11, then the server hands it on.
    mutating func publish(_ frames: [ChaosFrame]) throws {
        for frame in frames {
            guard frame.generation == node.ledger.forgetCount else {
                throw ChaosFinding(oracle: "O11", detail: "\(frame.id) left, and what it was made with is forgotten")
            }
            guard store.covers(frame.cover, of: node.number) else {
                throw ChaosFinding(oracle: "O2", detail: "\(frame.id) left before its commit \(frame.cover.number)")
            }
            if let id = frame.acknowledges {
                guard store.events[id] != nil else {
                    throw ChaosFinding(oracle: "O3", detail: "\(id) was acknowledged and is not stored")
                }
                inbound.removeAll { $0.id == id }
                continue
            }
            if cancelled.contains(frame.id) { continue }
            try published.note(frame)
            if let key = frame.answers { asked[key] = nil }
            try deliver(frame)
        }
        // Retry receipts come after everything that leaves now.
        let fresh = asked.filter { $0.value.isFresh }.keys.sorted()
        for key in fresh { try answerRetry(key) }
    }

    /// The server's part: every copy to its device, and an ack to the sender.
    private mutating func deliver(_ frame: ChaosFrame) throws {
        var unreadable: Set<Int> = []
        for copy in frame.copies {
            if try peers[copy.peer].receive(copy, of: frame) == .unreadable { unreadable.insert(copy.peer) }
        }
        if let text = frame.groupText, case .group(let group)? = chats[frame.id] {
            for member in members[group] where try peers[member].receiveGroup(text, of: frame) == .unreadable {
                unreadable.insert(member)
            }
            try checkExcluded(text, frame)
        }
        acknowledged(frame)
        for peer in unreadable.sorted() { try ask(peer, again: frame) }
    }

    /// O13: who left a group before a message was encrypted cannot read it.
    private func checkExcluded(_ text: [UInt8], _ frame: ChaosFrame) throws {
        guard !hasFailedOver else { return }
        for peer in frame.excluded {
            var outsider = peers[peer]
            guard try outsider.receiveGroup(text, of: frame) == .unreadable else {
                throw ChaosFinding(oracle: "O13", detail: "\(frame.id) can be read by peer \(peer), who had left")
            }
        }
    }
}

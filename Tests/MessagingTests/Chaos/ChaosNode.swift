import Cryptography

@testable import Messaging
@testable import Signal

/// The device under test, as one process holds it: records, tickets, gate and queue are the product's own; what drives
/// them follows `DeviceSession`. A value, so that a crash is forgetting it.
struct ChaosNode {
    let number: Int
    let epoch: Int64
    var sessions: SessionSlots
    var senderKeys = SenderKeySlots()
    var tickets = CommitTickets()
    var gate = FrameGate<ChaosFrame>()
    /// Submitted and not settled, oldest first.
    var queue: [ChaosSet] = []
    var receipts: [UInt64: SignalDraft] = [:]
    var usedPreKeys: Set<UInt32> = []
    var isFenced = false
    /// What is read must wait until everything queued is through.
    var mustWaitForQueue = false
    /// One above the last counter that this process encrypted at, by ratchet key.
    var encrypted: [PublicKey: UInt32] = [:]
    /// Devices that hold the own group keys.
    var marks: Set<SenderKeyMark> = []
    /// Sends that were not acknowledged, in order.
    var pending: [(id: String, chat: ChaosChat)] = []

    init(number: Int, epoch: Int64) {
        self.number = number
        self.epoch = epoch
        sessions = SessionSlots(epoch: epoch)
    }

    func makeDraft() -> SignalDraft {
        SignalDraft(ticket: tickets.next, changes: ChangeSet(did: 1, epoch: epoch))
    }

    @discardableResult
    mutating func submit(_ draft: SignalDraft, isClean: Bool = false) -> CommitTicket {
        guard !draft.changes.isEmpty else { return tickets.newest }
        let ticket = tickets.submitted()
        precondition(ticket == draft.ticket)
        queue.append(ChaosSet(ticket: ticket, node: number, changes: draft.changes, isClean: isClean))
        receipts[ticket.number] = draft
        // An archived chain goes on past its block if it ever returns: what it burns then is meant.
        for state in draft.changes.sessions.flatMap(\.archived) {
            guard let state = try? SessionState.decode(state.record[...]) else { continue }
            encrypted[state.sender.ratchetKey.publicKey] = nil
        }
        usedPreKeys.formUnion(draft.changes.usedPreKeys)
        return ticket
    }

    /// The outcome of the oldest submissions is success: what waited for them may leave.
    mutating func committed(_ sets: [ChaosSet]) -> [ChaosFrame] {
        for set in sets {
            guard let draft = receipts.removeValue(forKey: set.ticket.number) else { continue }
            sessions.committed(draft.sessionReceipts)
            senderKeys.committed(draft.senderKeyReceipts)
            usedPreKeys.subtract(draft.changes.usedPreKeys)
            tickets.settled(set.ticket)
            tickets.done(set.ticket)
        }
        return gate.release(watermark: tickets.watermark)
    }

    /// The store is away for too long: nothing that waits may leave, memory forgets what is not stored. The sets stay queued.
    mutating func forgetUncommitted() {
        for set in queue { receipts[set.ticket.number] = nil }
        tickets.settled(tickets.newest)
        _ = gate.removeAll()
        sessions.removeAll()
        senderKeys.removeAll()
        usedPreKeys = []
        mustWaitForQueue = true
    }
}

/// Where a message goes.
enum ChaosChat: Hashable, Sendable {
    case peer(Int)
    case group(Int)

    var name: String {
        switch self {
        case .peer(let number): "peer \(number)"
        case .group(let number): "\(number)@g.us"
        }
    }
}

/// A message on its way to the device, kept by the server until it is acknowledged.
struct ChaosInbound {
    let id: String
    let peer: Int
    let type: CiphertextType
    let bytes: [UInt8]
    /// Written in a session that the peer began anew.
    let isReborn: Bool
}

import Cryptography
import Messaging
import NIOCore

@testable import Signal
@testable import Storage

/// The device under test, as one process holds it: records, ledger, the line of the group commit and the attempts of its
/// worker are the product's own; what drives them follows `DeviceSession`, `GroupCommit` and `CommitWorker`. A value, so
/// that a crash is forgetting it.
struct ChaosNode {
    /// Who waits for a set.
    enum Waiter {
        case session(Int, CommitLedger<ChaosFrame>.Submission)
        case barrier(Int, CommitTicket)
        case neighbour(Int)
    }

    /// A send that was not acknowledged.
    struct Pending {
        let id: String
        let chat: ChaosChat
        var intent: CommitTicket
        /// Its frame was destroyed: it is to be encrypted again.
        var isRequeued = false

        /// Whether its caller was promised that it goes out some day.
        var isQueued: Bool { id.utf8.last.map { $0 % 2 == 0 } ?? false }
    }

    static let did: Int64 = 1

    let number: Int
    let epoch: Int64
    var ledger: CommitLedger<ChaosFrame>
    var sessions: SessionSlots
    var senderKeys = SenderKeySlots()
    /// The process: its queue, the batch under way, and what of the one before was not told yet.
    var queue = ChaosQueue()
    var isFenced = false
    /// One above the last counter that this process encrypted at, by ratchet key.
    var encrypted: [PublicKey: UInt32] = [:]
    /// Devices that hold the own group keys.
    var marks: Set<SenderKeyMark> = []
    /// In order.
    var pending: [Pending] = []

    init(number: Int, epoch: Int64) {
        self.number = number
        self.epoch = epoch
        ledger = CommitLedger(did: Self.did, epoch: epoch)
        sessions = SessionSlots(epoch: epoch)
    }

    var tickets: CommitTickets { ledger.tickets }

    func makeDraft() -> SignalDraft { ledger.makeDraft() }

    @discardableResult
    mutating func submit(_ draft: SignalDraft) -> CommitTicket {
        guard !draft.changes.isEmpty else { return tickets.newest }
        var draft = draft
        draft.changes.events.append(.chaos(.set(node: number, ticket: draft.ticket.number)))
        guard let submission = ledger.submit(draft) else { return tickets.newest }
        queue.newest = submission
        // An archived chain goes on past its block if it ever returns: what it burns then is meant.
        for state in draft.changes.sessions.flatMap(\.archived) {
            guard let state = try? SessionState.decode(state.record[...]) else { continue }
            encrypted[state.sender.ratchetKey.publicKey] = nil
        }
        if queue.line.refusal(of: submission.changes) != nil {
            isFenced = true
        } else {
            queue.append(submission.changes, .session(number, submission))
        }
        return submission.ticket
    }

    /// Drops what is in memory and destroys what waits, as the session does when a commit failed for good.
    mutating func forget() {
        _ = ledger.forget(sessions: &sessions, senderKeys: &senderKeys)
        marks = []
        encrypted = [:]
    }
}

/// The group commit of one process: its line, its worker's attempts, and the positions of its batches.
struct ChaosQueue {
    var line = CommitLine<ChaosNode.Waiter>()
    var attempts: CommitAttempts?
    var positions = CommitPositions()
    /// Verdicts that were not told yet: telling one may commit others.
    var untold: [CommitLine<ChaosNode.Waiter>.Verdict] = []
    /// Names its positions in the store.
    var number = 0
    var newest: CommitLedger<ChaosFrame>.Submission?

    mutating func append(_ changes: ChangeSet, _ waiter: ChaosNode.Waiter) {
        line.append(changes, deadline: .uptimeNanoseconds(0), waiter: waiter)
    }

    /// Sets of the device in the batch under way.
    var sets: [ChangeSet] { line.inFlight.map(\.changes).filter { $0.did == ChaosNode.did } }
}

/// Names a set by an event in it, so that the store knows what reached it, whatever it was put together with.
enum ChaosMark: Hashable {
    case set(node: Int, ticket: UInt64)
    case neighbour(Int)

    private static let type = "chaos.set"

    init?(_ event: DeviceEvent) {
        guard event.type == Self.type else { return nil }
        let parts = event.dedupeKey.split(separator: " ").compactMap { UInt64($0) }
        guard let first = parts.first else { return nil }
        self = parts.count == 2 ? .set(node: Int(first), ticket: parts[1]) : .neighbour(Int(first))
    }

    var event: DeviceEvent {
        let key =
            switch self {
            case .set(let node, let ticket): "\(node) \(ticket)"
            case .neighbour(let number): "\(number)"
            }
        return DeviceEvent(type: Self.type, dedupeKey: key, data: [], at: Timestamp(seconds: 0))
    }
}

extension DeviceEvent {
    static func chaos(_ mark: ChaosMark) -> DeviceEvent { mark.event }
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

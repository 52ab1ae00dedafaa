import Signal

/// The commits of one device as its session sees them: what was submitted, which frames wait for it, and what a failure
/// takes along (16-performance-durability, sections 1.6 and 1.8). Pure: the session hands the sets to the queue and writes
/// what comes out.
package struct CommitLedger<Frame: Sendable>: Sendable {
    /// A set on its way to the store, with what the records are told once it is there.
    package struct Submission: Sendable {
        package let ticket: CommitTicket
        package let changes: ChangeSet
        fileprivate let sessionReceipts: [(address: SignalAddress, receipt: SessionImageReceipt)]
        fileprivate let senderKeyReceipts: [(name: SenderKeyName, receipt: SenderKeyImageReceipt)]
    }

    private let did: Int64
    private let epoch: Int64
    package private(set) var tickets = CommitTickets()
    private var gate = FrameGate<Frame>()
    /// One-time prekeys that sets on their way delete: the store still shows them.
    package private(set) var usedPreKeys: Set<UInt32> = []
    /// Set while records may not be read: what the store holds may be older than what is on its way there.
    package private(set) var loadBarrier: CommitTicket?
    /// Rises whenever uncommitted records are dropped: what was loaded before must not be used any more.
    package private(set) var forgetCount: UInt64 = 0
    /// Submissions up to here failed with one whose rows the store refused.
    private var refusedThrough = CommitTicket.none

    package init(did: Int64, epoch: Int64) {
        self.did = did
        self.epoch = epoch
    }

    /// Frames that wait for commits.
    package var waitingFrames: Int { gate.count }

    /// An empty draft carrying the next ticket. Must be submitted (or dropped) before anything suspends.
    package func makeDraft() -> SignalDraft {
        SignalDraft(ticket: tickets.next, changes: ChangeSet(did: did, epoch: epoch))
    }

    /// Takes what a draft holds; nil when it holds nothing.
    package mutating func submit(_ draft: SignalDraft) -> Submission? {
        guard !draft.changes.isEmpty else { return nil }
        let ticket = tickets.submitted()
        precondition(ticket == draft.ticket, "a draft was kept across another submission")
        usedPreKeys.formUnion(draft.changes.usedPreKeys)
        return Submission(
            ticket: ticket, changes: draft.changes, sessionReceipts: draft.sessionReceipts,
            senderKeyReceipts: draft.senderKeyReceipts)
    }

    /// Takes a frame that may leave once `ticket` is durable; returns it when that is now. Frames of one lane keep their
    /// order.
    package mutating func enqueue(_ frame: Frame, lane: String?, after ticket: CommitTicket) -> Frame? {
        gate.enqueue(frame, lane: lane, after: ticket, watermark: tickets.watermark)
    }

    /// Whether a frame that fulfils `condition` waits for its commit, or behind one of its lane that does.
    package func holdsFrame(where condition: (Frame) -> Bool) -> Bool { gate.contains(where: condition) }

    /// A submission is durable: returns what may leave now, in order.
    package mutating func succeeded(
        _ submission: Submission, sessions: inout SessionSlots, senderKeys: inout SenderKeySlots
    ) -> [Frame] {
        sessions.committed(submission.sessionReceipts)
        senderKeys.committed(submission.senderKeyReceipts)
        usedPreKeys.subtract(submission.changes.usedPreKeys)
        tickets.settled(submission.ticket)
        tickets.done(submission.ticket)
        return gate.release(watermark: tickets.watermark)
    }

    /// A submission failed. False when it did so with an earlier one, whose failure was dealt with; else everything
    /// uncommitted is to be forgotten.
    package mutating func failed(_ submission: Submission, _ error: CommitError) -> Bool {
        tickets.settled(submission.ticket)
        guard case .rejected = error else { return true }
        if submission.ticket <= refusedThrough { return false }
        refusedThrough = tickets.newest
        return true
    }

    /// Drops every record in memory and destroys what waits, so that the server's redelivery finds the state that the store
    /// has. The next use loads what is stored, behind a barrier. Returns the frames that will never leave.
    package mutating func forget(sessions: inout SessionSlots, senderKeys: inout SenderKeySlots) -> [Frame] {
        loadBarrier = tickets.newest
        forgetCount += 1
        sessions.removeAll()
        senderKeys.removeAll()
        usedPreKeys = []
        return gate.removeAll()
    }

    /// Everything that was submitted before `barrier` was read from ``loadBarrier`` has settled.
    package mutating func passed(_ barrier: CommitTicket) {
        if loadBarrier == barrier { loadBarrier = nil }
    }

    /// Destroys what waits.
    package mutating func destroyFrames() { _ = gate.removeAll() }
}

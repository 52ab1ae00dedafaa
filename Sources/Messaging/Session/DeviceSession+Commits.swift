import DequeModule
import Logging
import NIOCore
import Transport

extension DeviceSession {
    /// An empty draft carrying the next ticket. Must be submitted (or dropped) before anything suspends.
    func makeDraft() -> SignalDraft { ledger.makeDraft() }

    /// Submits what a draft holds and returns the ticket that what depends on it must wait for: the draft's own, or with
    /// nothing to write the newest one before.
    ///
    /// - Parameter isPatient: Nobody waits for it: it may go with the next that somebody waits for.
    @discardableResult
    func submit(_ draft: SignalDraft, isInbound: Bool = false, isPatient: Bool = false) -> CommitTicket {
        guard let submission = ledger.submit(draft) else { return tickets.newest }
        if isInbound { inboundSubmitted() }
        let stanza = isInbound ? lane.handling : nil
        let stored = isPatient ? commits.submitWithNext(submission.changes) : commits.submit(submission.changes)
        stored.whenComplete { result in
            self.assumeIsolated { $0.settled(submission, result, isInbound: isInbound, stanza: stanza) }
        }
        return submission.ticket
    }

    /// Submits and waits until it is durable. Throws `SessionError.storageUnavailable`.
    func commit(_ draft: SignalDraft) async throws {
        let ticket = submit(draft)
        try await committed(ticket)
    }

    /// Submits one change outside the Signal state.
    @discardableResult
    func record(_ fill: (inout ChangeSet) -> Void) -> CommitTicket {
        var draft = makeDraft()
        fill(&draft.changes)
        return submit(draft)
    }

    /// Waits for a ticket.
    func committed(_ ticket: CommitTicket) async throws {
        if ticket <= tickets.watermark { return }
        let promise = eventLoop.makePromise(of: Void.self)
        commitWaiters.append((ticket, promise))
        do { try await promise.futureResult.get() } catch { throw SessionError.storageUnavailable }
    }

    private func settled(
        _ submission: CommitLedger<OutgoingFrame>.Submission, _ result: Result<Void, any Error>, isInbound: Bool,
        stanza: String?
    ) {
        if isInbound { inboundSettled() }
        switch result {
        case .success:
            let frames = ledger.succeeded(submission, sessions: &sessions, senderKeys: &senderKeys)
            resumeCommitWaiters()
            for frame in frames { write(frame) }
        case .failure(let error):
            let error = error as? CommitError ?? .unavailable
            if ledger.failed(submission, error) { commitFailed(error, stanza: stanza) }
        }
    }

    /// After records were dropped with images on their way to the store: what is read before those have settled may be
    /// older than what the store will hold.
    ///
    /// A queue whose store was away tells so and keeps the sets: an empty one behind them says when they are through. Throws
    /// `SessionError.storageUnavailable`.
    func awaitLoadBarrier() async throws {
        guard let barrier = ledger.loadBarrier else { return }
        let behind = ChangeSet(did: configuration.did, epoch: configuration.epoch)
        do { try await commits.submit(behind).get() } catch { throw SessionError.storageUnavailable }
        ledger.passed(barrier)
    }

    private func resumeCommitWaiters() {
        guard !commitWaiters.isEmpty else { return }
        let done = commitWaiters.filter { $0.ticket <= tickets.watermark }
        commitWaiters.removeAll { $0.ticket <= tickets.watermark }
        for waiter in done { waiter.promise.succeed() }
    }

    /// Nothing that waited may leave; what is in memory and was not stored goes with it, so that the server's redelivery
    /// finds the state the store has (16, sections 1.8 and 2.1).
    private func commitFailed(_ error: CommitError, stanza: String?) {
        // A device that was deleted or moved is fenced off: nothing is wrong.
        logger.log(
            level: error == .fenced || error == .closed ? .info : .error, "commit failed",
            metadata: ["error": "\(error)"])
        for waiter in commitWaiters { waiter.promise.fail(error) }
        commitWaiters = []
        let destroyed = forgetUncommitted()
        if error == .unavailable {
            failUnwrittenSends()
            requeue(destroyed)
        }
        switch error {
        case .fenced: end(.leaseLost, announce: false)
        case .rejected(let reason): rowsRefused(reason, stanza: stanza)
        case .unavailable: loseConnection(.ladder(minimum: 5), reason: "storage unavailable")
        case .closed: end(.leaseLost, announce: false)
        }
    }

    /// Throws when records that were loaded at `generation` (of the ledger) were dropped since: to be asked after the last
    /// suspension, before they are used.
    func requireCurrent(_ generation: UInt64) throws(SessionError) {
        guard generation == ledger.forgetCount else { throw .storageUnavailable }
    }

    /// Drops every cached record: the next use loads what is stored. Returns the messages whose ciphertexts went with them.
    @discardableResult
    func forgetUncommitted() -> [String] {
        let destroyed = ledger.forget(sessions: &sessions, senderKeys: &senderKeys)
        lids.removeAll()
        deviceLists.removeAll()
        groups.removeAll()
        keyMarks.removeAll()
        tokens.removeAll()
        lane.removeAll()
        return destroyed.compactMap(\.messageID)
    }

    // MARK: The gate

    /// Writes a stanza once `ticket` is durable; frames of one lane keep their order.
    func send(
        _ stanza: Stanza, after ticket: CommitTicket, lane: String? = nil, messageID: String? = nil,
        followsMessages: Bool = false
    ) {
        let frame = OutgoingFrame(
            stanza: stanza, link: linkNumber, messageID: messageID, followsMessages: followsMessages)
        if let frame = ledger.enqueue(frame, lane: lane, after: ticket) { write(frame) }
    }

    /// Writes a stanza that depends on nothing.
    func sendNow(_ stanza: Stanza) { write(OutgoingFrame(stanza: stanza)) }

    private func write(_ frame: OutgoingFrame) {
        let isMessage = frame.stanza.tag == "message"
        // An ack or a receipt belongs to its connection: over the next one what it answers comes again.
        if !isMessage, let number = frame.link {
            guard number == linkNumber else { return }
            if case .open(_, .authenticating) = link { return }
        }
        guard isMessage || (frame.followsMessages && !heldFrames.isEmpty) else { return transmit(frame.stanza) }
        guard case .open(let connection, let phase) = link, mayWrite() else { return }
        // A send goes out when the device is ready; what is not remembered as one waits here for that.
        if phase != .ready, frame.messageID != nil { return }
        // Messages wait their turn while the socket is full; acks have a reserve (16, section 2.4).
        guard connection.isWritable, heldFrames.isEmpty, phase == .ready else { return heldFrames.append(frame) }
        write(message: frame)
    }

    private func write(message frame: OutgoingFrame) {
        if let id = frame.messageID {
            guard pendingSends[id] != nil, case .open(_, .ready) = link, mayWrite() else { return }
            pendingSends[id]?.writtenAt = instant
            if let send = pendingSends[id] {
                newestWritten[send.chat] = max(newestWritten[send.chat] ?? 0, send.order)
            }
            watchAcks(within: configuration.timeouts.ack)
        }
        transmit(frame.stanza)
    }

    /// The socket of link `number` takes more, or no more.
    func writabilityChanged(number: UInt64) {
        if number == linkNumber { writeHeldFrames() }
    }

    /// Messages that waited for the socket, or for the login to end.
    func writeHeldFrames() {
        while case .open(let connection, .ready) = link, connection.isWritable, !heldFrames.isEmpty {
            write(message: heldFrames.removeFirst())
        }
    }

    /// The one way to the socket.
    func transmit(_ stanza: Stanza) {
        guard mayWrite(), case .open(let connection, _) = link else { return }
        connection.send(stanza).whenFailure { _ in }
    }

    /// A node whose leases ran out writes nothing: the devices may be another's by now.
    private func mayWrite() -> Bool {
        if configuration.holdsLease() { return true }
        end(.leaseLost, announce: false)
        return false
    }

    // MARK: Backpressure

    /// Stanzas and bytes of one device, bytes of all devices of a loop; those of all loops are the queue's to say.
    private static let pauseAt = 128
    private static let pauseAtBytes = 512 << 10
    private static let pauseLoopAt = 8 << 20

    private func inboundSubmitted() {
        unsettledInbound += 1
        updateReading()
    }

    private func inboundSettled() {
        unsettledInbound -= 1
        updateReading()
    }

    /// Stops reading the socket while too much is received and not committed, or waits on the loop, and resumes at half
    /// (16, section 2.4).
    func updateReading() {
        guard case .open(let connection, _) = link else { return }
        let load = unsettledInbound + lane.count
        let (waiting, everywhere) = (commits.pendingBytes, commits.processBytes)
        let pauseProcessAt = type(of: commits).maximumProcessBytes
        if !isReadingPaused {
            guard
                load >= Self.pauseAt || lane.bytes >= Self.pauseAtBytes || waiting > Self.pauseLoopAt
                    || everywhere > pauseProcessAt
            else { return }
        } else {
            let others = waiting > Self.pauseLoopAt / 2 || everywhere > pauseProcessAt / 2
            guard load <= Self.pauseAt / 2, lane.bytes <= Self.pauseAtBytes / 2, !others else {
                // What waits on the loops is mostly others', and its end is not told to us.
                if others { lookAtReadingAgain() }
                return
            }
        }
        isReadingPaused.toggle()
        keepAlive?.setReading(!isReadingPaused, at: instant)
        connection.setReading(!isReadingPaused)
        if isReadingPaused {
            for waiter in resendRoom { waiter.resume() }
            resendRoom = []
            lookAtReadingAgain()
        } else {
            readAgainAt = instant
        }
    }

    private func lookAtReadingAgain() {
        guard timers[.reading] == nil else { return }
        schedule(.reading, milliseconds: 250) { $0.updateReading() }
    }
}

import DequeModule
import Logging
import NIOCore
import Transport

extension DeviceSession {
    /// An empty draft carrying the next ticket. Must be submitted (or dropped) before anything suspends.
    func makeDraft() -> SignalDraft {
        SignalDraft(ticket: tickets.next, changes: ChangeSet(did: configuration.did, epoch: configuration.epoch))
    }

    /// Submits what a draft holds and returns the ticket that what depends on it must wait for: the draft's own, or with
    /// nothing to write the newest one before.
    ///
    /// - Parameter isPatient: Nobody waits for it: it may go with the next that somebody waits for.
    @discardableResult
    func submit(_ draft: SignalDraft, isInbound: Bool = false, isPatient: Bool = false) -> CommitTicket {
        guard !draft.changes.isEmpty else { return tickets.newest }
        let ticket = tickets.submitted()
        precondition(ticket == draft.ticket, "a draft was kept across another submission")
        if isInbound { inboundSubmitted() }
        let stanza = isInbound ? lane.handling : nil
        let (sessionReceipts, senderKeyReceipts) = (draft.sessionReceipts, draft.senderKeyReceipts)
        let used = draft.changes.usedPreKeys
        pendingUsedPreKeys.formUnion(used)
        let stored = isPatient ? commits.submitWithNext(draft.changes) : commits.submit(draft.changes)
        stored.whenComplete { result in
            self.assumeIsolated { session in
                session.settled(ticket, result, isInbound: isInbound, stanza: stanza) {
                    session.sessions.committed(sessionReceipts)
                    session.senderKeys.committed(senderKeyReceipts)
                    session.pendingUsedPreKeys.subtract(used)
                }
            }
        }
        return ticket
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
        _ ticket: CommitTicket, _ result: Result<Void, any Error>, isInbound: Bool, stanza: String?,
        _ apply: () -> Void
    ) {
        if isInbound { inboundSettled() }
        tickets.settled(ticket)
        switch result {
        case .success:
            apply()
            tickets.done(ticket)
            resumeCommitWaiters()
            for frame in gate.release(watermark: tickets.watermark) { write(frame) }
        case .failure(let error):
            commitFailed(error as? CommitError ?? .unavailable, ticket: ticket, stanza: stanza)
        }
    }

    /// After records were dropped with images on their way to the store: what is read before those have settled may be
    /// older than what the store will hold.
    ///
    /// A queue whose store was away tells so and keeps the sets: an empty one behind them says when they are through. Throws
    /// `SessionError.storageUnavailable`.
    func awaitLoadBarrier() async throws {
        guard let barrier = loadBarrier else { return }
        let behind = ChangeSet(did: configuration.did, epoch: configuration.epoch)
        do { try await commits.submit(behind).get() } catch { throw SessionError.storageUnavailable }
        if loadBarrier == barrier { loadBarrier = nil }
    }

    private func resumeCommitWaiters() {
        guard !commitWaiters.isEmpty else { return }
        let done = commitWaiters.filter { $0.ticket <= tickets.watermark }
        commitWaiters.removeAll { $0.ticket <= tickets.watermark }
        for waiter in done { waiter.promise.succeed() }
    }

    /// Nothing that waited may leave; what is in memory and was not stored goes with it, so that the server's redelivery
    /// finds the state the store has (16, sections 1.8 and 2.1).
    private func commitFailed(_ error: CommitError, ticket: CommitTicket, stanza: String?) {
        // It failed with an earlier one, whose failure was dealt with.
        if case .rejected = error, ticket <= refusedThrough { return }
        // A device that was deleted or moved is fenced off: nothing is wrong.
        logger.log(
            level: error == .fenced || error == .closed ? .info : .error, "commit failed",
            metadata: ["error": "\(error)"])
        for waiter in commitWaiters { waiter.promise.fail(error) }
        commitWaiters = []
        forgetUncommitted()
        if error == .unavailable { failUnwrittenSends() }
        switch error {
        case .fenced: end(.leaseLost, announce: false)
        case .rejected(let reason): rowsRefused(reason, stanza: stanza)
        case .unavailable: loseConnection(.ladder(minimum: 5), reason: "storage unavailable")
        case .closed: end(.leaseLost, announce: false)
        }
    }

    /// Throws when records that were loaded at `generation` (of `forgetCount`) were dropped since: to be asked after the last
    /// suspension, before they are used.
    func requireCurrent(_ generation: UInt64) throws(SessionError) {
        guard generation == forgetCount else { throw .storageUnavailable }
    }

    /// Drops every cached record: the next use loads what is stored.
    func forgetUncommitted() {
        loadBarrier = tickets.newest
        forgetCount += 1
        _ = gate.removeAll()
        sessions.removeAll()
        senderKeys.removeAll()
        lids.removeAll()
        deviceLists.removeAll()
        groups.removeAll()
        keyMarks.removeAll()
        tokens.removeAll()
        pendingUsedPreKeys = []
        lane.removeAll()
    }

    // MARK: The gate

    /// Writes a stanza once `ticket` is durable; frames of one lane keep their order.
    func send(
        _ stanza: Stanza, after ticket: CommitTicket, lane: String? = nil, messageID: String? = nil,
        followsMessages: Bool = false
    ) {
        let frame = OutgoingFrame(stanza: stanza, messageID: messageID, followsMessages: followsMessages)
        if let frame = gate.enqueue(frame, lane: lane, after: ticket, watermark: tickets.watermark) { write(frame) }
    }

    /// Writes a stanza that depends on nothing.
    func sendNow(_ stanza: Stanza) { write(OutgoingFrame(stanza: stanza, messageID: nil)) }

    private func write(_ frame: OutgoingFrame) {
        guard frame.stanza.tag == "message" || (frame.followsMessages && !heldFrames.isEmpty) else {
            return transmit(frame.stanza)
        }
        guard case .open(let connection, _) = link, mayWrite() else { return }
        // Messages wait their turn while the socket is full; acks have a reserve (16, section 2.4).
        guard connection.isWritable, heldFrames.isEmpty else { return heldFrames.append(frame) }
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
        guard number == linkNumber else { return }
        while case .open(let connection, _) = link, connection.isWritable, !heldFrames.isEmpty {
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

    /// Stanzas and bytes of one device, bytes of all devices of a loop.
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
        let waiting = commits.pendingBytes
        if !isReadingPaused {
            guard load >= Self.pauseAt || lane.bytes >= Self.pauseAtBytes || waiting > Self.pauseLoopAt else { return }
        } else {
            guard load <= Self.pauseAt / 2, lane.bytes <= Self.pauseAtBytes / 2, waiting <= Self.pauseLoopAt / 2 else {
                // What waits on the loop is mostly others', and its end is not told to us.
                if waiting > Self.pauseLoopAt / 2 { lookAtReadingAgain() }
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

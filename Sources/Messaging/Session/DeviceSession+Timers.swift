import NIOCore
import Transport

extension DeviceSession {
    func schedule(_ timer: SessionTimer, seconds: Int64, _ body: @escaping @Sendable (isolated DeviceSession) -> Void) {
        schedule(timer, milliseconds: seconds * 1000, body)
    }

    /// Sets one of the session's timers, in place of what it was set to.
    func schedule(
        _ timer: SessionTimer, milliseconds: Int64, _ body: @escaping @Sendable (isolated DeviceSession) -> Void
    ) {
        timers[timer]?.cancel()
        timers[timer] = eventLoop.scheduleTask(in: .milliseconds(max(milliseconds, 0))) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { session in
                session.timers[timer] = nil
                body(session)
            }
        }
    }

    func cancel(_ timer: SessionTimer) { timers.removeValue(forKey: timer)?.cancel() }

    func cancelConnectionTimers() {
        for timer in [SessionTimer.keepAlive, .acks, .login, .qr, .restart, .offline, .offlineBatch, .reading] {
            cancel(timer)
        }
    }

    func cancelTimers() {
        for timer in timers.values { timer.cancel() }
        timers = [:]
    }

    // MARK: Keepalive

    /// The clock that the keepalive counts by: no change of the machine's time moves it.
    var instant: NIODeadline { .now() }

    /// For a connection that is new.
    func startKeepAlive() {
        let timeouts = configuration.timeouts
        let settings = KeepAlive.Settings(
            interval: timeouts.keepAliveInterval, deadline: .milliseconds(timeouts.keepAliveDeadline),
            maximumSilence: .seconds(timeouts.keepAliveSilence))
        keepAlive = KeepAlive(at: instant, settings: settings, random: fraction())
        scheduleKeepAlive()
    }

    private func scheduleKeepAlive() {
        guard let next = keepAlive?.nextTimer else { return }
        schedule(.keepAlive, milliseconds: (next - instant).nanoseconds / 1_000_000 + 1) { $0.keepAliveFired() }
    }

    private func keepAliveFired() {
        guard case .open = link else { return }
        let number = linkNumber
        perform(keepAlive?.timerFired(at: instant, random: fraction()))
        if number == linkNumber { scheduleKeepAlive() }
    }

    private func perform(_ action: KeepAlive.Action?) {
        switch action {
        case .wait, nil: break
        case .ping:
            let number = linkNumber
            Task { await ping(number: number) }
        case .reportMissed(let count, let lastReply):
            let silence = (instant - lastReply).nanoseconds / 1000
            let time = Timestamp(microseconds: now.microseconds - silence)
            let event = DeviceEvent.keepAliveTimeout(own: ownNumber, errorCount: count, lastSuccess: time, at: now)
            announce(event, isSilent: true)
        case .reportRestored:
            announce(DeviceEvent.keepAliveRestored(own: ownNumber, at: now), isSilent: false)
        case .reconnect: loseConnection(.ladder(minimum: 0), reason: "no answer to pings")
        }
    }

    /// From the first miss to the next answer the device counts as not connected, here and on other nodes.
    private func announce(_ event: DeviceEvent, isSilent: Bool) {
        let isNew = state.isSilent != isSilent
        publish { $0.isSilent = isSilent }
        let live: LiveState? =
            switch link {
            case .open(_, .ready) where isNew: isSilent ? .connecting : .loggedIn
            case .open where isNew: isSilent ? .connecting : .connected
            default: nil
            }
        record { changes in
            changes.device.liveState = live
            changes.events.append(event)
        }
    }

    /// A second message without its ack in this time is told (15-peers-and-users, P3).
    private static let degradedWithin = TimeAmount.minutes(10)
    /// Connections that one message may cost: what the server does not take on the second, it takes on no other.
    private static let maximumLapses = 2

    /// Looks in so many seconds whether a message was left without an ack; a connection that does that is made anew.
    func watchAcks(within seconds: Int64) {
        guard timers[.acks] == nil else { return }
        schedule(.acks, seconds: seconds) { session in
            let patience = session.configuration.timeouts.ack
            // Acks wait in the socket.
            if session.isReadingPaused { return session.watchAcks(within: patience) }
            guard case .open(_, .ready) = session.link,
                let oldest = session.unacknowledged.compactMap(\.writtenAt).min()
            else { return }
            let since = session.readAgainAt.map { max($0, oldest) } ?? oldest
            let left = patience - (session.instant - since).nanoseconds / 1_000_000_000
            if left > 0 { return session.watchAcks(within: left) }
            session.acksMissed()
        }
    }

    /// What was written and not answered; one that is built again was.
    private var unacknowledged: [PendingSend] {
        pendingSends.values.filter { $0.stanza != nil && $0.lapses < Self.maximumLapses }
    }

    private func acksMissed() {
        for send in unacknowledged where send.wasWritten { pendingSends[send.id]?.lapses += 1 }
        let reason = "a message was not acknowledged in time"
        if let missedAck, instant - missedAck < Self.degradedWithin, let answered = keepAlive?.lastReply {
            let silence = (instant - answered).nanoseconds / 1000
            let event = DeviceEvent.degraded(
                own: ownNumber, reason: reason, lastSuccess: Timestamp(microseconds: now.microseconds - silence),
                at: now)
            record { $0.events.append(event) }
        }
        missedAck = instant
        loseConnection(.ladder(minimum: 0), reason: reason)
    }

    /// Late answers count as well, hence the long time-out, and refusals: who refuses is there.
    private func ping(number: UInt64) async {
        do {
            _ = try await query(timeout: 20, repeats: false) { LoginStanzas.ping(id: $0) }
        } catch SessionError.serverRefused {
        } catch SessionError.malformedAnswer {
        } catch { return }
        guard number == linkNumber else { return }
        perform(keepAlive?.replyReceived(at: instant))
    }

    // MARK: Upkeep

    private static let upkeepSeconds: Int64 = 60

    /// Once a minute: idle records leave memory, sends past their time fail.
    func scheduleUpkeep() {
        schedule(.upkeep, seconds: Self.upkeepSeconds) { session in
            session.upkeep()
            session.scheduleUpkeep()
            let number = session.linkNumber
            Task { await session.runUpkeepJobs(number: number) }
        }
    }

    /// What only speeds things up; records have their own rules.
    private func dropCaches() {
        lids.removeAll()
        deviceLists.removeAll()
        groups.removeAll()
        keyMarks.removeAll()
        tokens.removeAll()
        chatTimers.removeAll()
        pushNames.removeAll()
        placeholderRequests.removeAll()
        requestedMessages.removeAll()
    }

    func upkeep() {
        guard !isClosed else { return }
        var draft = makeDraft()
        let limit = now.adding(seconds: -configuration.timeouts.idleRecords)
        sessions.evict(unusedSince: limit, watermark: tickets.watermark, draft: &draft)
        senderKeys.evict(unusedSince: limit, watermark: tickets.watermark, draft: &draft) { sessions.nextRevision() }
        submit(draft)
        ownRefusals = 0
        forgotten = forgotten.filter { $0.value > tickets.watermark }
        expireSends()
        if lastActivity < limit { dropCaches() }
    }
}

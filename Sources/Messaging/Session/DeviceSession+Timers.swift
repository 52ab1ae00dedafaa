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
        for timer in [SessionTimer.ping, .pingDeadline, .login, .qr, .restart, .offline] { cancel(timer) }
    }

    func cancelTimers() {
        for timer in timers.values { timer.cancel() }
        timers = [:]
    }

    // MARK: Keepalive

    func schedulePing() {
        schedule(.ping, milliseconds: PingSchedule.interval(fraction: fraction())) { session in
            session.ping()
            session.schedulePing()
        }
    }

    private func ping() {
        guard case .open = link, pings.intervalElapsed(at: now) == .ping else { return }
        if isReadingPaused { pings.excuse(at: now) }
        let number = linkNumber
        Task {
            guard (try? await query(timeout: PingSchedule.deadline * 2) { LoginStanzas.ping(id: $0) }) != nil,
                number == linkNumber
            else { return }
            pingAnswered()
        }
        schedule(.pingDeadline, seconds: PingSchedule.deadline) { $0.pingDeadlineElapsed() }
    }

    private func pingAnswered() {
        guard pings.answered(at: now) else { return }
        let event = DeviceEvent.keepAliveRestored(own: ownNumber, at: now)
        record { $0.events.append(event) }
    }

    private func pingDeadlineElapsed() {
        switch pings.deadlineElapsed(at: now) {
        case .missed(let count, let lastSuccess):
            let event = DeviceEvent.keepAliveTimeout(
                own: ownNumber, errorCount: count, lastSuccess: lastSuccess, at: now)
            record { $0.events.append(event) }
        case .giveUp:
            if isReadingPaused { return pings.excuse(at: now) }
            loseConnection(.ladder(minimum: 0), reason: "no answer to pings")
        case .ping, nil: break
        }
    }

    // MARK: Upkeep

    private static let upkeepSeconds: Int64 = 60

    /// Once a minute: idle records leave memory, sends past their time fail.
    func scheduleUpkeep() {
        schedule(.upkeep, seconds: Self.upkeepSeconds) { session in
            session.upkeep()
            session.scheduleUpkeep()
        }
    }

    /// What only speeds things up; records have their own rules.
    private func dropCaches() {
        lids.removeAll()
        deviceLists.removeAll()
        groups.removeAll()
        keyMarks.removeAll()
        tokens.removeAll()
        pushNames.removeAll()
        placeholderRequests.removeAll()
    }

    func upkeep() {
        guard !isClosed else { return }
        var draft = makeDraft()
        let limit = now.adding(seconds: -configuration.timeouts.idleRecords)
        sessions.evict(unusedSince: limit, watermark: tickets.watermark, draft: &draft)
        senderKeys.evict(unusedSince: limit, watermark: tickets.watermark, draft: &draft) { sessions.nextRevision() }
        submit(draft)
        expireSends()
        if lastActivity < limit { dropCaches() }
    }
}

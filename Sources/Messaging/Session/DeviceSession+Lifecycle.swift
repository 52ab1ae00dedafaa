import Logging
import NIOCore
import Transport

extension DeviceSession {
    // MARK: DeviceClient

    package func start() async throws {
        guard case .idle = link else { return }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        guard case .idle = link else { return }
        scheduleUpkeep()
        guard credentials?.isPaired == true else { return }
        if let end = configuration.earlierEnd {
            link = .stopped(end)
            // What waits to be sent is read by the next login.
            hasMoreUnsettled = true
            return publish { state in
                state.phase = .stopped
                state.end = end
            }
        }
        try await resumeUnsettledSends()
        guard case .idle = link else { return }
        dial(pairing: false)
    }

    package func resume() async {
        await readHeldSends()
        guard case .stopped(let end) = link, end.passes else { return }
        ladder.reset()
        didRefreshVersion = false
        publish { $0.end = nil }
        dial(pairing: false)
    }

    package func stop() async {
        guard !isClosed else { return }
        // Flush what is on its way: receipts wait for commits that are in flight.
        try? await committedSoon(tickets.newest)
        guard !isClosed else { return }
        if isActivePresence { setPresence(isAvailable: false) }
        var draft = makeDraft()
        sessions.close(draft: &draft)
        senderKeys.close(draft: &draft) { sessions.nextRevision() }
        draft.changes.device.liveState = LiveState.none
        if credentials?.isPaired == true, state.end == nil { draft.changes.device.status = .disconnected }
        let last = submit(draft)
        closeConnection()
        link = .closed
        cancelTimers()
        failEverything(.stopping)
        publish { $0.phase = .idle }
        // The lease is given up next: what is written after that would be refused.
        try? await committedSoon(last)
    }

    /// Waits two seconds at most.
    private func committedSoon(_ ticket: CommitTicket) async throws {
        let deadline = eventLoop.scheduleTask(in: .seconds(2)) { self.assumeIsolated { $0.failCommitWaiters() } }
        defer { deadline.cancel() }
        try await committed(ticket)
    }

    package func abandon() async {
        guard !isClosed else { return }
        end(.leaseLost, announce: false)
        link = .closed
        cancelTimers()
    }

    package func isIdle() async -> Bool {
        pendingSends.isEmpty && waitingSends == 0 && queries.isEmpty && registration == nil && lane.count == 0
    }

    package func reconnect() async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        guard credentials?.isPaired == true else { throw SessionError.notPaired }
        // Just paired: the server makes the device and restarts us. A login before that would be taken for one of a device
        // that was removed.
        if case .open(_, .registering) = link, registration?.isConfirming == true {
            return try await waitUntilReady(seconds: configuration.timeouts.reconnect)
        }
        await readHeldSends()
        guard !isClosed else { throw SessionError.stopping }
        ladder.reset()
        didRefreshVersion = false
        switch link {
        case .open, .connecting: closeConnection()
        case .idle, .waiting, .stopped, .closed: break
        }
        cancel(.reconnect)
        record { changes in
            changes.device.wish = .run
            changes.device.heldReason = .some(nil)
            changes.device.heldUntil = .some(nil)
        }
        publish { $0.end = nil }
        dial(pairing: false, isUrgent: true)
        try await waitUntilReady(seconds: configuration.timeouts.reconnect)
    }

    /// What waits in the store alone is known before the server is asked: a login that is answered with a logout fails it
    /// by name. A store that is away is asked again after the login.
    private func readHeldSends() async {
        guard hasMoreUnsettled, credentials?.isPaired == true else { return }
        do { try await resumeUnsettledSends() } catch { hasMoreUnsettled = true }
    }

    package func setProxy(_ url: String?) async throws {
        configuration.proxyURL = url
        guard credentials?.isPaired == true else { return }
        switch link {
        case .open, .connecting, .waiting: try await reconnect()
        case .idle, .stopped, .closed: break
        }
    }

    // MARK: Connecting

    var isClosed: Bool { if case .closed = link { true } else { false } }

    /// Takes stored credentials into use. Throws `storageUnavailable` when they cannot be read.
    func adopt(_ stored: DeviceCredentials) throws {
        do { keys = try OwnKeys(stored) } catch { throw SessionError.storageUnavailable }
        credentials = stored
        if let pn = stored.jid.flatMap(JID.init(_:)) {
            own = OwnAddresses(pn: pn, lid: stored.lid.flatMap(JID.init(_:)))
            if let lid = own?.lid { lids.learn(LIDPair(lid: lid.user, pn: pn.user)) }
        } else {
            own = nil
        }
        let (name, platform, business) = (configuration.pushName, configuration.platform, configuration.businessName)
        publish { state in
            state.jid = stored.jid
            state.lid = stored.lid
            state.pushName = name
            state.platform = platform
            state.businessName = business
        }
    }

    /// Opens a connection, for login or for pairing. The old one must be gone; a login ends the registration before it.
    func dial(pairing: Bool, isUrgent: Bool = false) {
        guard let keys, !isClosed else { return }
        if !pairing { registration = nil }
        guard configuration.holdsLease() else { return end(.leaseLost, announce: false) }
        configuration.clientVersion = host.clientVersion ?? configuration.clientVersion
        let payload: [UInt8]
        if pairing {
            payload = ClientPayload.registration(
                keys.publicKeys, properties: configuration.companion, version: configuration.clientVersion)
        } else {
            guard let own, let login = ClientPayload.login(own.pn, version: configuration.clientVersion) else { return }
            payload = login
        }
        linkNumber += 1
        let number = linkNumber
        link = .connecting(number: number, isPairing: pairing)
        publish { state in
            state.phase = .connecting
            state.pairing = nil
            state.retryAt = nil
        }
        let request = ConnectRequest(
            staticKey: keys.noise, payload: payload, routingInfo: credentials?.routingInfo,
            proxyURL: configuration.proxyURL, isPairing: pairing, isUrgent: isUrgent)
        let handler = LinkHandler(session: self, number: number)
        connector.connect(request, on: eventLoop, handler: handler).hop(to: eventLoop).whenComplete { result in
            self.assumeIsolated { $0.dialed(result, number: number, isPairing: pairing) }
        }
    }

    /// Whether connection `number` is the one to be made, and this node's to make.
    func wants(connection number: UInt64) -> Bool {
        if case .connecting(number, _) = link { configuration.holdsLease() } else { false }
    }

    private func dialed(_ result: Result<any SessionConnection, any Error>, number: UInt64, isPairing: Bool) {
        guard case .connecting(number, _) = link else {
            if case .success(let connection) = result { connection.close() }
            return
        }
        switch result {
        case .success(let connection):
            SessionMetrics.count(.connected)
            link = .open(connection, isPairing ? .registering : .authenticating)
            isReadingPaused = false
            isActivePresence = false
            offline = OfflineDrain()
            startKeepAlive()
            publish { state in
                state.phase = isPairing ? .registering : .authenticating
                state.isSilent = false
            }
            record { $0.device.liveState = .connected }
            if !isPairing {
                schedule(.login, seconds: configuration.timeouts.login) { session in
                    session.loseConnection(.ladder(minimum: 0), reason: "no answer to the login")
                }
            }
        case .failure(let error):
            SessionMetrics.count(.notConnected)
            logger.info("connection attempt failed", metadata: ["error": "\(error)"])
            if isPairing {
                registrationClosed(.pairingInterrupted)
                becomeIdle(error: "\(error)")
            } else {
                wait(minimum: 0, reason: "\(error)")
            }
        }
    }

    /// The socket of link `number` is gone.
    func closed(_ reason: String, number: UInt64) {
        guard number == linkNumber, case .open(_, let phase) = link else { return }
        connectionGone(reason: reason) { session in
            switch phase {
            case .registering, .unlinking: session.becomeIdle(error: reason)
            case .authenticating, .settling, .ready: session.wait(minimum: 0, reason: reason)
            }
        }
    }

    /// Ends the running connection for a reason of ours and goes on as `aftermath` says.
    func loseConnection(_ aftermath: Aftermath, reason: String) {
        switch link {
        case .open(let connection, _):
            // Closing tells the handler before it returns: that must not count as a second end, with a second dial.
            linkNumber += 1
            connection.close()
            connectionGone(reason: reason) { $0.follow(aftermath, reason: reason) }
        case .connecting(_, let isPairing):
            linkNumber += 1
            if isPairing { return registrationConnectionClosed(reason) }
            follow(aftermath, reason: reason)
        case .idle, .waiting, .stopped, .closed: break
        }
    }

    private func connectionGone(reason: String, _ next: (isolated DeviceSession) -> Void) {
        linkNumber += 1
        let wasReadyFor = state.phase == .ready ? state.readySince.map { now.seconds - $0.seconds } : nil
        SessionMetrics.disconnected(wasReadyFor == nil ? "before_ready" : "lost")
        ladder.connectionEnded(readyFor: wasReadyFor)
        cancelConnectionTimers()
        if wasReadyFor == nil { failQueries(.disconnected) } else { suspendQueries() }
        lane.removeAll()
        heldFrames.removeAll()
        isActivePresence = false
        link = .idle
        if wasReadyFor != nil {
            let (ownNumber, now) = (ownNumber, now)
            record { changes in
                changes.device.status = .disconnected
                changes.device.liveState = LiveState.none
                changes.device.liveError = reason
                changes.events.append(.disconnected(own: ownNumber, reason: nil, at: now))
            }
        }
        // No ladder brings a registration back: its refs and codes went with its socket.
        if registration != nil { return registrationConnectionClosed(reason) }
        next(self)
    }

    private func follow(_ aftermath: Aftermath, reason: String) {
        switch aftermath {
        case .ladder(let minimum): wait(minimum: minimum, reason: reason)
        case .immediately: ladder.restartsAtOnce() ? dial(pairing: false) : wait(minimum: 0, reason: reason)
        case .idle: becomeIdle(error: reason)
        }
    }

    /// Sets the timer of the next attempt.
    private func wait(minimum: Int64, reason: String) {
        guard credentials?.isPaired == true, !isClosed else { return becomeIdle(error: reason) }
        let delay = ladder.next(fraction: fraction(), minimum: minimum)
        link = .waiting
        let (now, failures) = (now, ladder.failures)
        publish { state in
            state.phase = .waiting
            state.lastError = reason
            state.retryAt = Timestamp(microseconds: now.microseconds + delay * 1000)
            state.failedAttempts = failures
        }
        let event = DeviceEvent.reconnecting(own: ownNumber, attempt: failures, delayMilliseconds: delay, at: now)
        record { changes in
            changes.device.liveState = .connecting
            changes.device.liveError = reason
            changes.events.append(event)
        }
        schedule(.reconnect, milliseconds: delay) { $0.dial(pairing: false) }
    }

    func becomeIdle(error: String) {
        link = .idle
        publish { state in
            state.phase = .idle
            state.lastError = error
        }
    }

    /// Closes the socket without an aftermath of its own.
    func closeConnection() {
        linkNumber += 1
        if case .open(let connection, _) = link { connection.close() }
        cancelConnectionTimers()
        failQueries(.disconnected)
        lane.removeAll()
        heldFrames.removeAll()
        link = .idle
    }
}

/// Brings the callbacks of one connection to its session.
private final class LinkHandler: SessionConnectionHandler {
    private let session: DeviceSession
    private let number: UInt64

    init(session: DeviceSession, number: UInt64) {
        self.session = session
        self.number = number
    }

    var isWanted: Bool { session.assumeIsolated { $0.wants(connection: number) } }

    func received(_ stanza: Stanza) {
        session.assumeIsolated { $0.received(stanza, number: number) }
    }

    func writabilityChanged() {
        session.assumeIsolated { $0.writabilityChanged(number: number) }
    }

    func closed(_ reason: String) {
        session.assumeIsolated { $0.closed(reason, number: number) }
    }
}

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
        try await resumeUnsettledSends()
        guard case .idle = link else { return }
        dial(pairing: false)
    }

    package func stop() async {
        guard !isClosed else { return }
        // Flush what is on its way: receipts wait for commits that are in flight.
        let deadline = eventLoop.scheduleTask(in: .seconds(2)) { self.assumeIsolated { $0.failCommitWaiters() } }
        if tickets.hasPending { try? await committed(tickets.newest) }
        deadline.cancel()
        guard !isClosed else { return }
        var draft = makeDraft()
        sessions.close(draft: &draft)
        senderKeys.close(draft: &draft) { sessions.nextRevision() }
        draft.changes.device.liveState = LiveState.none
        if credentials?.isPaired == true, state.end == nil { draft.changes.device.status = .disconnected }
        submit(draft)
        closeConnection()
        link = .closed
        cancelTimers()
        failEverything(.stopping)
        publish { $0.phase = .idle }
    }

    package func reconnect() async throws {
        guard !isClosed else { throw SessionError.stopping }
        if credentials == nil, let stored = try await load({ try await store.credentials(did: did) }) {
            try adopt(stored)
        }
        guard credentials?.isPaired == true else { throw SessionError.notPaired }
        ladder.reset()
        didRefreshVersion = false
        switch link {
        case .open(_, .ready), .open(_, .settling), .open(_, .authenticating): closeConnection()
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
        dial(pairing: false)
        try await waitUntilReady(seconds: configuration.timeouts.reconnect)
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

    /// Opens a connection, for login or for pairing. The old one must be gone.
    func dial(pairing: Bool) {
        guard let keys, !isClosed else { return }
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
            state.retryAt = nil
        }
        let request = ConnectRequest(
            staticKey: keys.noise, payload: payload, routingInfo: credentials?.routingInfo,
            proxyURL: configuration.proxyURL, isPairing: pairing)
        let handler = LinkHandler(session: self, number: number)
        connector.connect(request, on: eventLoop, handler: handler).hop(to: eventLoop).whenComplete { result in
            self.assumeIsolated { $0.dialed(result, number: number, isPairing: pairing) }
        }
    }

    private func dialed(_ result: Result<any SessionConnection, any Error>, number: UInt64, isPairing: Bool) {
        guard case .connecting(number, _) = link else {
            if case .success(let connection) = result { connection.close() }
            return
        }
        switch result {
        case .success(let connection):
            link = .open(connection, isPairing ? .registering : .authenticating)
            pings = PingSchedule(now: now, maximumSilence: configuration.timeouts.keepAliveSilence)
            isReadingPaused = false
            isActivePresence = false
            offline = OfflineDrain()
            schedulePing()
            publish { $0.phase = isPairing ? .registering : .authenticating }
            record { $0.device.liveState = .connected }
            if !isPairing {
                schedule(.login, seconds: configuration.timeouts.login) { session in
                    session.loseConnection(.ladder(minimum: 0), reason: "no answer to the login")
                }
            }
        case .failure(let error):
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
        connectionGone(phase, reason: reason)
    }

    /// Ends the running connection for a reason of ours and goes on as `aftermath` says.
    func loseConnection(_ aftermath: Aftermath, reason: String) {
        switch link {
        case .open(let connection, _):
            // Closing tells the handler before it returns: that must not count as a second end, with a second dial.
            linkNumber += 1
            connection.close()
            connectionGone(.ending(aftermath), reason: reason)
        case .connecting:
            linkNumber += 1
            follow(aftermath, reason: reason)
        case .idle, .waiting, .stopped, .closed: break
        }
    }

    private func connectionGone(_ phase: LinkPhase, reason: String) {
        linkNumber += 1
        let wasReadyFor = state.phase == .ready ? state.readySince.map { now.seconds - $0.seconds } : nil
        ladder.connectionEnded(readyFor: wasReadyFor)
        cancelConnectionTimers()
        failQueries(.disconnected)
        lane.removeAll()
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
        switch phase {
        case .ending(let aftermath): follow(aftermath, reason: reason)
        case .registering: registrationConnectionClosed(reason)
        case .authenticating, .settling, .ready: wait(minimum: 0, reason: reason)
        }
    }

    private func follow(_ aftermath: Aftermath, reason: String) {
        switch aftermath {
        case .ladder(let minimum): wait(minimum: minimum, reason: reason)
        case .immediately: dial(pairing: false)
        case .stay(let end): settleEnd(end)
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
        link = .idle
    }

    // MARK: Ends

    /// The connection is over for good: no attempt until somebody asks. `announce` writes row and events (not when the
    /// device is not ours any more).
    func end(_ reason: SessionEnd, announce: Bool = true) {
        guard !isClosed else { return }
        if announce { record { self.describe(reason, in: &$0) } }
        closeConnection()
        settleEnd(reason)
    }

    private func settleEnd(_ reason: SessionEnd) {
        link = .stopped(reason)
        cancel(.reconnect)
        if case .loggedOut = reason { forgetIdentity() }
        if reason == .unlinked { forgetIdentity() }
        publish { state in
            state.phase = .stopped
            state.end = reason
        }
        failEverything(.ended(reason))
    }

    private func describe(_ reason: SessionEnd, in changes: inout ChangeSet) {
        let (now, ownNumber) = (now, ownNumber)
        changes.device.liveState = LiveState.none
        changes.device.liveError = reason.word
        switch reason {
        case .loggedOut, .unlinked:
            changes.credentials = .erase
            changes.device.status = .loggedOut
            changes.device.wish = .stopped
            changes.events.append(.loggedOut(own: ownNumber, end: reason, at: now))
        case .replaced:
            hold(reason, until: nil, in: &changes)
            changes.events.append(.streamReplaced(own: ownNumber, at: now))
        case .banned(let code, let until):
            hold(reason, until: until, in: &changes)
            changes.events.append(.temporaryBan(own: ownNumber, code: code, until: until, at: now))
        case .clientOutdated:
            hold(reason, until: nil, in: &changes)
        case .refused(let code, let text):
            hold(reason, until: nil, in: &changes)
            changes.events.append(.connectFailure(own: ownNumber, code: code, text: text, at: now))
            changes.events.append(
                .disconnected(own: ownNumber, reason: "connect_failure: \(code): \(text)", at: now))
        case .leaseLost, .storage: break
        }
    }

    private func hold(_ reason: SessionEnd, until: Timestamp?, in changes: inout ChangeSet) {
        changes.device.status = .disconnected
        changes.device.wish = .held
        changes.device.heldReason = .some(reason.word)
        changes.device.heldUntil = .some(until)
    }

    private func forgetIdentity() {
        credentials = nil
        keys = nil
        own = nil
        forgetUncommitted()
        publish { state in
            state.jid = nil
            state.lid = nil
        }
    }

    /// Everybody who waits gets `error`.
    func failEverything(_ error: SessionError) {
        failQueries(error)
        let ready = readyWaiters
        readyWaiters = [:]
        for waiter in ready.values { waiter.resume(throwing: error) }
        registrationClosed(error)
        failPendingSends(error)
        failCommitWaiters()
    }

    private func failCommitWaiters() {
        let waiters = commitWaiters
        commitWaiters = []
        for waiter in waiters { waiter.promise.fail(CommitError.closed) }
    }

    // MARK: Waiting

    /// Returns when the session is ready. Throws the reason it cannot become so, or `notConnected` when time is up.
    func waitUntilReady(seconds: Int64) async throws {
        switch link {
        case .open(_, .ready): return
        case .stopped(let end): throw SessionError.ended(end)
        case .closed: throw SessionError.stopping
        default: break
        }
        nextWaiter += 1
        let id = nextWaiter
        let timeout = eventLoop.scheduleTask(in: .seconds(seconds)) {
            self.assumeIsolated { session in
                session.readyWaiters.removeValue(forKey: id)?.resume(throwing: SessionError.notConnected)
            }
        }
        defer { timeout.cancel() }
        try await withCheckedThrowingContinuation { readyWaiters[id] = $0 }
    }

    func resumeReadyWaiters() {
        let waiters = readyWaiters
        readyWaiters = [:]
        for waiter in waiters.values { waiter.resume() }
    }

    /// Throws unless messages can be sent now.
    func requireReady() throws(SessionError) {
        switch link {
        case .open(_, .ready): return
        case .open(_, .registering): throw .notLoggedIn
        case .open, .connecting, .waiting: throw .notConnected
        case .stopped(let end): throw .ended(end)
        case .closed: throw .stopping
        case .idle: throw credentials?.isPaired == true ? .notConnected : .notPaired
        }
    }

    /// A read from the store; its failure in the words of the session.
    func load<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch is StoreError { throw SessionError.storageUnavailable }
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

    func received(_ stanza: Stanza) {
        session.assumeIsolated { $0.received(stanza, number: number) }
    }

    func closed(_ reason: String) {
        session.assumeIsolated { $0.closed(reason, number: number) }
    }
}

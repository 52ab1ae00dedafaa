import NIOCore
import Transport

/// How a session ends, and how callers wait for it to become ready.
extension DeviceSession {
    // MARK: Ends

    /// The connection is over for good: no attempt until somebody asks. `announce` writes row and events (not when the
    /// device is not ours any more).
    func end(_ reason: SessionEnd, announce: Bool = true) {
        guard !isClosed else { return }
        if announce {
            record { changes in
                describe(reason, in: &changes)
                guard reason.erases else { return }
                for send in pendingSends.values.sorted(by: { $0.order < $1.order }) {
                    noteFailure(of: send, .ended(reason), in: &changes)
                }
            }
        }
        closeConnection()
        settleEnd(reason)
    }

    func settleEnd(_ reason: SessionEnd) {
        SessionMetrics.disconnected(reason.word)
        link = .stopped(reason)
        cancel(.reconnect)
        if reason.erases { forgetIdentity() }
        publish { state in
            state.phase = .stopped
            state.end = reason
        }
        failEverything(.ended(reason))
        // What waits to be sent is in the store alone now: the next login reads it.
        if !reason.erases { hasMoreUnsettled = true }
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
            note(reason, until: nil, in: &changes)
            changes.events.append(.loggedOut(own: ownNumber, end: reason, at: now))
        case .replaced:
            hold(reason, until: nil, in: &changes)
            changes.events.append(.streamReplaced(own: ownNumber, at: now))
        case .banned(let code, let until):
            hold(reason, until: until.map { max($0, now.adding(seconds: Self.shortestBan)) }, in: &changes)
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

    /// Seconds without an attempt after a ban, however soon it is said to be over: the next would follow at once.
    private static let shortestBan: Int64 = 20

    private func hold(_ reason: SessionEnd, until: Timestamp?, in changes: inout ChangeSet) {
        changes.device.status = .disconnected
        changes.device.wish = .held
        note(reason, until: until, in: &changes)
    }

    private func note(_ reason: SessionEnd, until: Timestamp?, in changes: inout ChangeSet) {
        changes.device.heldReason = .some(reason.word)
        changes.device.heldUntil = .some(until)
        switch reason {
        case .loggedOut(let code, let text, _), .refused(let code, let text):
            (changes.device.endCode, changes.device.endText) = (code, text)
        case .banned(let code, _): changes.device.endCode = code
        case .clientOutdated: changes.device.endText = configuration.clientVersion.description
        case .unlinked, .replaced, .leaseLost, .storage: break
        }
    }

    private func forgetIdentity() {
        credentials = nil
        keys = nil
        own = nil
        forgetUncommitted()
        publish { state in
            state.jid = nil
            state.lid = nil
            state.preKeysLeft = nil
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

    func failCommitWaiters() {
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

    /// Returns when requests can be made: at once when ready, else after the rest of a login that the server accepted, since
    /// such a device calls itself logged in. Throws when it is in any other state.
    func readyForRequests() async throws {
        if case .open(_, .settling) = link { try await waitUntilReady(seconds: configuration.timeouts.login) }
        try requireReady()
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

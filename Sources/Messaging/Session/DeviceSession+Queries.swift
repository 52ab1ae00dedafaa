import NIOCore
import Transport

extension DeviceSession {
    /// Sends a request and returns its answer, checked for an error. When the connection is lost it goes out once more, with
    /// the same id, if the session is logged in again soon (01-transport, section 14), unless `repeats` is false.
    ///
    /// Throws `notConnected`, `timedOut`, `disconnected`, `serverRefused`, `malformedAnswer`.
    func query(timeout: Int64? = nil, repeats: Bool = true, _ build: (String) -> Stanza) async throws -> Stanza {
        let answer = try await exchange(timeout: timeout, repeats: repeats, build)
        return try IQ.result(of: answer)
    }

    private func exchange(timeout: Int64?, repeats: Bool, _ build: (String) -> Stanza) async throws -> Stanza {
        guard case .open = link else { throw SessionError.notConnected }
        let id = ids.next()
        let stanza = build(id)
        let limit = timeout ?? configuration.timeouts.query
        return try await withCheckedThrowingContinuation { continuation in
            let timeout = eventLoop.scheduleTask(in: .seconds(limit)) {
                self.assumeIsolated { $0.failQuery(id, .timedOut) }
            }
            queries[id] = PendingQuery(
                continuation: continuation, timeout: timeout, repetition: repeats ? stanza : nil)
            transmit(stanza)
        }
    }

    /// Completes the request a stanza answers; false when it answers none.
    func completeQuery(_ stanza: Stanza) -> Bool {
        guard let id = stanza.id, let pending = queries.removeValue(forKey: id) else { return false }
        pending.timeout.cancel()
        pending.continuation.resume(returning: stanza)
        return true
    }

    private func failQuery(_ id: String, _ error: SessionError) {
        guard let pending = queries.removeValue(forKey: id) else { return }
        pending.timeout.cancel()
        pending.continuation.resume(throwing: error)
    }

    func failQueries(_ error: SessionError) {
        for id in Array(queries.keys) { failQuery(id, error) }
    }

    /// The connection of a ready session is lost: requests that may be repeated wait for the next login.
    func suspendQueries() {
        for (id, pending) in queries where pending.repetition == nil { failQuery(id, .disconnected) }
        guard !queries.isEmpty else { return }
        schedule(.repetition, seconds: configuration.timeouts.repetition) { $0.failQueries(.disconnected) }
    }

    /// Logged in again: what waits goes out once more.
    func repeatQueries() {
        cancel(.repetition)
        for id in queries.keys.sorted() {
            guard let stanza = queries[id]?.repetition else { continue }
            queries[id]?.repetition = nil
            transmit(stanza)
        }
    }

    /// A fresh id for a `sid` or a request that nobody waits for.
    func nextID() -> String { ids.next() }

    /// Runs `body` unless the same thing is being fetched: then waits for that, and ends as it does.
    func sharedFlight(_ key: FlightKey, _ body: () async throws -> Void) async throws {
        if flights[key] != nil {
            return try await withCheckedThrowingContinuation { flights[key, default: []].append($0) }
        }
        flights[key] = []
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        for waiter in flights.removeValue(forKey: key) ?? [] { waiter.resume(with: outcome) }
        try outcome.get()
    }
}

import NIOCore

/// The requests that wait for an answer, by id (01-transport, section 14.2). `Waiter` is whatever the caller completes: a
/// continuation, a promise.
///
/// Pure: the caller sends, keeps the time, and completes the waiters that come back. A request whose connection is lost
/// is sent once more, unchanged, if the device is logged in again within ``resendWindow``.
package struct IQTracker<Waiter> {
    /// Time-out of an ordinary request.
    package static var requestTimeout: TimeAmount { .seconds(75) }
    /// How long a request whose connection was lost waits for the next one.
    package static var resendWindow: TimeAmount { .seconds(5) }

    fileprivate struct Pending {
        var waiter: Waiter
        /// Kept in clear: a retry is encrypted again.
        var stanza: Stanza
        var deadline: NIODeadline
        /// Whether it may be sent once more.
        var mayResend: Bool
        /// Set while it waits for the next connection.
        var lostTo: DisconnectReason?
    }

    private var pending: [String: Pending] = [:]

    package init() {}

    /// Requests that wait.
    package var count: Int { pending.count }
    package var isEmpty: Bool { pending.isEmpty }

    /// The earliest time at which ``expire(at:)`` has something to do.
    package var nextDeadline: NIODeadline? { pending.values.map(\.deadline).min() }

    /// Notes a request that is being sent; its `id` finds the answer.
    ///
    /// - Parameter resend: whether it may be sent again on the next connection.
    /// - Returns: false, and nothing noted, when the stanza has no id or the id is in use.
    package mutating func register(
        _ stanza: Stanza, waiter: Waiter, deadline: NIODeadline, resend: Bool = true
    ) -> Bool {
        guard let id = stanza.id, pending[id] == nil else { return false }
        pending[id] = Pending(waiter: waiter, stanza: stanza, deadline: deadline, mayResend: resend)
        return true
    }

    /// Takes an `iq` or `ack`, and gives the waiter that it completes with what to complete it with; nil when nobody
    /// waits for it. An `ack` is a success whatever it says.
    package mutating func response(_ stanza: Stanza) -> (waiter: Waiter, result: Result<Stanza, QueryError>)? {
        guard stanza.tag == "iq" || stanza.tag == "ack", let id = stanza.id else { return nil }
        // A request of the server with an id that we happen to use is no answer.
        if stanza.tag == "iq", stanza.type == "get" || stanza.type == "set" { return nil }
        guard let entry = pending.removeValue(forKey: id) else { return nil }
        if stanza.tag == "ack" { return (entry.waiter, .success(stanza)) }
        switch stanza.type {
        case "result": return (entry.waiter, .success(stanza))
        case "error": return (entry.waiter, .failure(.refused(IQError(stanza))))
        default: return (entry.waiter, .failure(.malformedAnswer))
        }
    }

    /// Gives up the request `id`, because nobody waits for it any more.
    package mutating func cancel(_ id: String) -> Waiter? { pending.removeValue(forKey: id)?.waiter }

    /// The requests whose time is over at `now`, with what to complete them with.
    package mutating func expire(at now: NIODeadline) -> [(waiter: Waiter, error: QueryError)] {
        guard let next = nextDeadline, next <= now else { return [] }
        var expired: [(Waiter, QueryError)] = []
        for (id, entry) in pending where entry.deadline <= now {
            pending[id] = nil
            expired.append((entry.waiter, entry.lostTo.map(QueryError.disconnected) ?? .timedOut))
        }
        return expired
    }

    /// The connection ended. Gives the requests that fail now; the others wait for ``reconnected()``.
    package mutating func disconnected(
        _ reason: DisconnectReason, at now: NIODeadline
    ) -> [(waiter: Waiter, error: QueryError)] {
        var failed: [(Waiter, QueryError)] = []
        for (id, entry) in pending {
            if entry.mayResend, reason.permitsResend {
                pending[id]?.mayResend = false
                pending[id]?.lostTo = reason
                pending[id]?.deadline = min(entry.deadline, now + Self.resendWindow)
            } else if entry.lostTo == nil {
                pending[id] = nil
                failed.append((entry.waiter, .disconnected(reason)))
            }
        }
        return failed
    }

    /// Connected and logged in again: the requests to send once more, unchanged. They have ``requestTimeout`` from `now`.
    package mutating func reconnected(at now: NIODeadline) -> [Stanza] {
        var resent: [Stanza] = []
        for (id, entry) in pending where entry.lostTo != nil {
            pending[id]?.lostTo = nil
            pending[id]?.deadline = now + Self.requestTimeout
            resent.append(entry.stanza)
        }
        return resent
    }

    /// Nothing will be sent any more: every waiter, to be failed with `.disconnected`.
    package mutating func removeAll() -> [Waiter] {
        defer { pending = [:] }
        return pending.values.map(\.waiter)
    }
}

extension IQTracker: Sendable where Waiter: Sendable {}
extension IQTracker.Pending: Sendable where Waiter: Sendable {}

extension DisconnectReason {
    /// Whether requests that were waiting may be sent again on the next connection.
    fileprivate var permitsResend: Bool {
        switch self {
        case .requested: false
        case .failure(let failure): failure.reaction == .reconnect(minimumDelay: 0)
        case .streamError(let fault): fault.permitsRetry
        default: true
        }
    }
}

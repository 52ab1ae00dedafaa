import Metrics

/// What sessions count. Names and meanings: `MetricCatalogue` of the gateway.
enum SessionMetrics {
    enum Event: Sendable {
        case connected, notConnected, login, received, decryptFailure, retrySent, retryAnswered
    }

    private static let connects = Counter(
        label: "switchboard_session_connects_total", dimensions: [("outcome", "success")])
    private static let failedConnects = Counter(
        label: "switchboard_session_connects_total", dimensions: [("outcome", "failure")])
    private static let preKeys = Counter(label: "switchboard_prekeys_uploaded_total")
    private static let logins = Counter(label: "switchboard_session_logins_total")
    private static let received = Counter(label: "switchboard_messages_received_total")
    private static let decryptFailures = Counter(label: "switchboard_message_decrypt_failures_total")
    private static let retriesSent = Counter(
        label: "switchboard_message_retries_total", dimensions: [("direction", "sent")])
    private static let retriesAnswered = Counter(
        label: "switchboard_message_retries_total", dimensions: [("direction", "answered")])
    private static let sent = Counter(label: "switchboard_messages_sent_total", dimensions: [("outcome", "success")])
    private static let unsent = Counter(label: "switchboard_messages_sent_total", dimensions: [("outcome", "failure")])
    private static let sending = Metrics.Timer(label: "switchboard_message_send_duration_seconds")

    static func count(_ event: Event) {
        switch event {
        case .connected: connects.increment()
        case .notConnected: failedConnects.increment()
        case .login: logins.increment()
        case .received: received.increment()
        case .decryptFailure: decryptFailures.increment()
        case .retrySent: retriesSent.increment()
        case .retryAnswered: retriesAnswered.increment()
        }
    }

    static func uploaded(preKeys count: Int) { preKeys.increment(by: count) }

    /// A connection ended.
    ///
    /// - Parameter reason: One of few words.
    static func disconnected(_ reason: String) {
        Counter(label: "switchboard_session_disconnects_total", dimensions: [("reason", reason)]).increment()
    }

    /// Counts and times a send.
    static func timed<Value>(
        isolation: isolated (any Actor)? = #isolation, _ send: () async throws -> Value
    ) async throws -> Value {
        let started = ContinuousClock.now
        do {
            let value = try await send()
            sending.record(duration: .now - started)
            sent.increment()
            return value
        } catch {
            unsent.increment()
            throw error
        }
    }
}

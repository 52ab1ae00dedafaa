import Metrics

/// What sessions count. Names and meanings: `MetricCatalogue` of the gateway.
enum SessionMetrics {
    enum Event: Sendable {
        case login, received, decryptFailure, retrySent, retryAnswered
    }

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
        case .login: logins.increment()
        case .received: received.increment()
        case .decryptFailure: decryptFailures.increment()
        case .retrySent: retriesSent.increment()
        case .retryAnswered: retriesAnswered.increment()
        }
    }

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

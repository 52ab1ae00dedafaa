import Metrics
import Storage

/// What an operator's monitoring sees of delivery. No label names a tenant, a device or an endpoint.
struct WebhookMetrics: Sendable {
    private let attempts: [String: Counter]
    private let latency = Metrics.Timer(label: "switchboard_webhook_attempt_seconds")
    private let lag = Metrics.Timer(label: "switchboard_webhook_delivery_lag_seconds")
    private let lanes = Gauge(label: "switchboard_webhook_lanes")
    private let cancelled = Counter(label: "switchboard_webhook_cancelled_total")
    private let expired = Counter(label: "switchboard_webhook_expired_total")

    init() {
        attempts = Dictionary(
            uniqueKeysWithValues: ["success", "retrying", "failed", "dead"].map {
                ($0, Counter(label: "switchboard_webhook_attempts_total", dimensions: [("outcome", $0)]))
            })
    }

    func attempted(_ result: DeliveryResult, lagSeconds: Double) {
        attempts[result.state.rawValue]?.increment()
        latency.recordMilliseconds(result.durationMilliseconds)
        if result.state == .success { lag.recordSeconds(lagSeconds) }
    }

    func running(_ count: Int) { lanes.record(count) }
    func cancelled(_ count: Int) { if count > 0 { cancelled.increment(by: count) } }
    func expired(_ count: Int) { if count > 0 { expired.increment(by: count) } }
}

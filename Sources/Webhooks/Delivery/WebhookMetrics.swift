import Metrics
import Storage

/// What an operator's monitoring sees of delivery. No label names a tenant, a device or an endpoint.
struct WebhookMetrics: Sendable {
    private let attempts: [DeliveryResult.State: Counter]
    private let latency: Metrics.Timer
    private let lag: Metrics.Timer
    private let lanes: Gauge
    private let cancelled: Counter
    private let expired: Counter

    init(_ factory: any MetricsFactory) {
        latency = Metrics.Timer(label: "switchboard_webhook_attempt_seconds", factory: factory)
        lag = Metrics.Timer(label: "switchboard_webhook_delivery_lag_seconds", factory: factory)
        lanes = Gauge(label: "switchboard_webhook_lanes", factory: factory)
        cancelled = Counter(label: "switchboard_webhook_cancelled_total", factory: factory)
        expired = Counter(label: "switchboard_webhook_expired_total", factory: factory)
        attempts = Dictionary(
            uniqueKeysWithValues: DeliveryResult.State.allCases.map { outcome in
                let labels = [("outcome", outcome.rawValue)]
                let name = "switchboard_webhook_attempts_total"
                return (outcome, Counter(label: name, dimensions: labels, factory: factory))
            })
    }

    func attempted(_ result: DeliveryResult, lagSeconds: Double) {
        attempts[result.state]?.increment()
        latency.recordMilliseconds(result.durationMilliseconds)
        if result.state == .success { lag.recordSeconds(lagSeconds) }
    }

    func running(_ count: Int) { lanes.record(count) }
    func cancelled(_ count: Int) { if count > 0 { cancelled.increment(by: count) } }
    func expired(_ count: Int) { if count > 0 { expired.increment(by: count) } }
}

import Metrics

/// What a pool tells the metrics system. Names: 13-configuration, section 13.
struct PoolMetrics: Sendable {
    let leased: Gauge
    let idle: Gauge
    let waiting: Gauge
    let connectFailures: Counter
    let retries: Counter
    private let succeeded: Counter
    private let failed: Counter
    private let wait: Metrics.Timer
    private let duration: Metrics.Timer

    init(pool: String) {
        let labels = [("pool", pool)]
        leased = Gauge(label: "switchboard_database_connections_leased", dimensions: labels)
        idle = Gauge(label: "switchboard_database_connections_idle", dimensions: labels)
        waiting = Gauge(label: "switchboard_database_waiting", dimensions: labels)
        connectFailures = Counter(label: "switchboard_database_connect_failures_total", dimensions: labels)
        retries = Counter(label: "switchboard_database_retries_total", dimensions: labels)
        succeeded = Counter(
            label: "switchboard_database_transactions_total", dimensions: labels + [("outcome", "success")])
        failed = Counter(
            label: "switchboard_database_transactions_total", dimensions: labels + [("outcome", "failure")])
        wait = Metrics.Timer(label: "switchboard_database_acquire_seconds", dimensions: labels)
        duration = Metrics.Timer(label: "switchboard_database_transaction_seconds", dimensions: labels)
    }

    func acquired(after waited: Duration) { wait.record(duration: waited) }

    func finished(after taken: Duration, failed didFail: Bool) {
        duration.record(duration: taken)
        (didFail ? failed : succeeded).increment()
    }

    func observe(leased: Int, idle: Int, waiting: Int) {
        self.leased.record(leased)
        self.idle.record(idle)
        self.waiting.record(waiting)
    }
}

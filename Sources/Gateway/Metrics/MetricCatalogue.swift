/// Every metric the program emits, with the text that explains it. `docs/metrics.md`, the dashboard and the alert rules are
/// tested against it. Names and labels follow Prometheus' conventions: base units, `_total` on counters, few values per
/// label, and never a tenant, a device or a number (13-configuration, section 13).
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package let name: String
    package let kind: Kind
    package let help: String
    /// Names of its labels.
    package let labels: [String]
    /// Upper bounds of a histogram.
    let buckets: [Double]

    init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = [], buckets: [Double] = Self.seconds) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
        self.buckets = kind == .histogram ? buckets : []
    }

    /// From half a millisecond to a minute.
    static let seconds: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    static let sizes: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
}

package enum MetricCatalogue {
    package static let all: [MetricFamily] = http + devices + messages + webhooks + storage + process

    static let byName = Dictionary(all.map { ($0.name, $0) }) { first, _ in first }

    private static let http = [
        MetricFamily(
            "switchboard_http_requests_total", .counter, "Answered requests.", labels: ["method", "route", "status"]),
        MetricFamily(
            "switchboard_http_request_duration_seconds", .histogram, "From the request's head to the answer's.",
            labels: ["method", "route"]),
        MetricFamily("switchboard_http_requests_in_flight", .gauge, "Requests being worked on."),
    ]

    private static let devices = [
        MetricFamily("switchboard_devices", .gauge, "Devices by stored status, of all nodes.", labels: ["status"]),
        MetricFamily("switchboard_api_keys", .gauge, "API keys, of all nodes.", labels: ["state"]),
        MetricFamily("switchboard_sessions", .gauge, "Sessions of this node by state.", labels: ["state"]),
        MetricFamily("switchboard_leases", .gauge, "Devices owned by any node."),
        MetricFamily("switchboard_leases_held", .gauge, "Devices that this node owns."),
        MetricFamily(
            "switchboard_leases_lost_total", .counter,
            "Sessions closed because their device is, or may be, another node's.", labels: ["reason"]),
        MetricFamily(
            "switchboard_lease_takeovers_total", .counter,
            "Devices that came to this node from another: handed over, released, or expired there.", labels: ["reason"]),
        MetricFamily("switchboard_restore_devices", .gauge, "Devices of the restore at start.", labels: ["outcome"]),
        MetricFamily(
            "switchboard_session_connects_total", .counter, "Attempts to connect to WhatsApp.", labels: ["outcome"]),
        MetricFamily("switchboard_session_logins_total", .counter, "Logins that WhatsApp accepted."),
        MetricFamily(
            "switchboard_session_disconnects_total", .counter, "Connections to WhatsApp that ended.",
            labels: ["reason"]),
        MetricFamily(
            "switchboard_prekeys_left", .gauge,
            "One-time prekeys that WhatsApp holds for the devices of this node, as it last said."),
        MetricFamily("switchboard_prekeys_low_devices", .gauge, "Devices of this node with fewer than five of them."),
        MetricFamily("switchboard_prekeys_uploaded_total", .counter, "One-time prekeys given to WhatsApp."),
    ]

    private static let messages = [
        MetricFamily(
            "switchboard_messages_sent_total", .counter, "Messages that callers asked to send.", labels: ["outcome"]),
        MetricFamily(
            "switchboard_message_send_duration_seconds", .histogram, "From the call to WhatsApp's acknowledgement."),
        MetricFamily("switchboard_messages_received_total", .counter, "Messages that were decrypted and stored."),
        MetricFamily("switchboard_message_decrypt_failures_total", .counter, "Messages that could not be decrypted."),
        MetricFamily(
            "switchboard_message_retries_total", .counter, "Retry receipts, sent and answered.", labels: ["direction"]),
    ]

    private static let webhooks = [
        MetricFamily("switchboard_webhooks", .gauge, "Webhooks, of all nodes.", labels: ["state"]),
        MetricFamily(
            "switchboard_webhook_attempts_total", .counter, "Attempts to deliver, by what became of the delivery.",
            labels: ["outcome"]),
        MetricFamily("switchboard_webhook_attempt_seconds", .histogram, "Length of an attempt to deliver."),
        MetricFamily(
            "switchboard_webhook_delivery_lag_seconds", .histogram,
            "Time from storing an event to its arrival at the endpoint."),
        MetricFamily(
            "switchboard_webhook_switched_off", .gauge, "Webhooks that the gateway switched off, of all nodes."),
        MetricFamily("switchboard_webhook_lanes", .gauge, "Webhooks that this node is delivering to."),
        MetricFamily(
            "switchboard_webhook_cancelled_total", .counter, "Deliveries cancelled because a device had too many."),
        MetricFamily(
            "switchboard_webhook_expired_total", .counter,
            "Deliveries given up because of their age, without an attempt."),
        MetricFamily("switchboard_outbox_pending", .gauge, "Deliveries that wait, of all nodes."),
        MetricFamily("switchboard_outbox_oldest_seconds", .gauge, "Age of the oldest delivery that waits."),
        MetricFamily(
            "switchboard_outbox_dead", .gauge, "Deliveries that were given up in the last 30 days, replayed ones too."),
    ]

    private static let storage = [
        MetricFamily(
            "switchboard_database_connections_leased", .gauge, "Connections in use, by pool.", labels: ["pool"]),
        MetricFamily(
            "switchboard_database_connections_idle", .gauge, "Connections at rest, by pool.", labels: ["pool"]),
        MetricFamily("switchboard_database_waiting", .gauge, "Callers that wait for a connection.", labels: ["pool"]),
        MetricFamily(
            "switchboard_database_connect_failures_total", .counter, "Connections that could not be made.",
            labels: ["pool"]),
        MetricFamily(
            "switchboard_database_retries_total", .counter, "Transactions that were run again.", labels: ["pool"]),
        MetricFamily(
            "switchboard_database_transactions_total", .counter, "Transactions.", labels: ["pool", "outcome"]),
        MetricFamily(
            "switchboard_database_acquire_seconds", .histogram, "Waiting for a connection.", labels: ["pool"]),
        MetricFamily(
            "switchboard_database_transaction_seconds", .histogram, "Length of transactions.", labels: ["pool"]),
        MetricFamily(
            "switchboard_signal_records_quarantined_total", .counter, "Stored Signal records that could not be read."),
        MetricFamily("switchboard_commit_seconds", .histogram, "Length of a group commit."),
        MetricFamily(
            "switchboard_commit_devices", .histogram, "Devices per group commit.", buckets: MetricFamily.sizes),
        MetricFamily("switchboard_commit_failures_total", .counter, "Group commits that failed and were tried again."),
    ]

    private static let process = [
        MetricFamily("switchboard_build_info", .gauge, "Always 1.", labels: ["version"]),
        MetricFamily(
            "switchboard_node_info", .gauge, "Always 1; the id is that of `/admin/nodes`.", labels: ["node_id"]),
        MetricFamily("switchboard_up", .gauge, "1 while the node takes requests."),
        MetricFamily(
            "switchboard_metric_series_dropped_total", .counter,
            "Series that were not made because their family has too many."),
        MetricFamily("process_resident_memory_bytes", .gauge, "Resident memory."),
        MetricFamily("process_virtual_memory_bytes", .gauge, "Virtual memory."),
        MetricFamily("process_cpu_seconds_total", .counter, "User and system time."),
        MetricFamily("process_open_fds", .gauge, "Open file descriptors."),
        MetricFamily("process_threads", .gauge, "Threads."),
        MetricFamily("process_start_time_seconds", .gauge, "Start, in Unix seconds."),
    ]
}

// Shapes of what the operator gets, member by member as the writers beside this file write them.

extension Schema {
    static let status: Schema = .one(of: "pending", "active", "disconnected", "logged_out").example("active")

    private static let count: Schema = .integer.example(3)
    private static let deviceName: Schema = .string.example("Front desk")
    private static let customerName: Schema = .string.example("Harbour Ltd")
    private static let linkedJID: Schema = .string.example("15557770000:7@s.whatsapp.net")

    private static let tenantMembers: [Member] = [
        .init("id", .integer.example(42)), .init("api_key_masked", .string.example("wam_0a1b...c6d7")),
        .init("customer_name", customerName), .init("customer_email", .string.example("ops@harbour.example")),
        .init("customer_phone", .string.example("")), .init("max_devices", .integer.example(10)),
        .init("rate_limit_per_hour", .integer.example(1000)), .init("is_active", .boolean),
        .init("device_count", count),
    ]

    static let tenant = Schema.object(tenantMembers).named("APIKey")

    static let tenantWithDevices = Schema.object(
        tenantMembers + [
            .init("devices", .list(of: deviceOfTenant)), .init("created_at", .time.orNull),
            .init("updated_at", .time.orNull),
        ])

    static let createdTenant = Schema.object(
        .init("id", .integer.example(42)),
        .init("api_key", .string.example("wam_0a1b2c3d4e5f60718293a4b5c6d7"), "Shown this once"),
        .init("customer_name", customerName), .init("customer_email", .string.example("")),
        .init("customer_phone", .string.example("")), .init("max_devices", .integer.example(10)),
        .init("rate_limit_per_hour", .integer.example(1000)))

    private static let deviceOfTenant = Schema.object(
        .init("device_id", .uuid), .init("api_key_id", .integer.example(42)),
        .init("device_name", deviceName, optional: true), .init("whatsmeow_jid", linkedJID, optional: true),
        .init("status", status), .init("created_at", .time), .init("last_active_at", .time, optional: true),
        .init("external_id", .string.example("desk-1"), optional: true))

    /// Why a device is not connected.
    static let stateReason: [Member] = [
        .init(
            "state_reason",
            .one(
                of: "never_paired", "pairing_qr", "pairing_code", "passkey_required", "network", "stream_replaced",
                "client_outdated", "temporary_ban", "connect_failure", "account_locked", "account_banned",
                "logged_out_by_phone", "logged_out_by_api", "lease_moved", "storage_error"), optional: true,
            "Why it is not connected, or what its login waits for"),
        .init("reason_code", .integer.example(401), optional: true, "WhatsApp's number for it"),
        .init("reason_text", .string.example("device_removed"), optional: true, "WhatsApp's text for it"),
        .init("ban_code", .integer.example(101), optional: true), .init("ban_until", .time, optional: true),
        .init(
            "held_reason", .string.example("stream_replaced"), optional: true,
            "Set while the device is not connected again by itself"),
    ]

    private static let summaryMembers: [Member] = [
        .init("device_id", .uuid), .init("device_name", deviceName),
        .init("whatsmeow_jid", linkedJID, "Empty before it is linked"), .init("status", status),
        .init("created_at", .time), .init("last_active_at", .time.orNull),
        .init("external_id", .string.example("desk-1"), optional: true),
    ]

    /// Row 12.
    static let deviceSummary = Schema.object(summaryMembers).named("Device")

    /// Row 12 with the live state.
    static let liveDevice = Schema.object(
        summaryMembers + [
            .init("client_loaded", .boolean, "A node has a session for it"),
            .init("connected", .boolean, "Connected and logged in"), .init("is_connected", .boolean, "Socket is open"),
            .init("is_logged_in", .boolean),
            .init(
                "error", .string.example("WhatsApp Client is not Connected"), optional: true, "Why it is not usable"),
            .init("held_reason", .string.example("stream_replaced"), optional: true, "Why it is not reconnected"),
        ]
    ).named("LiveDevice")

    /// Row 3.
    private static let deviceOverview = Schema.object(
        .init("device_id", .uuid), .init("device_name", deviceName), .init("api_key_id", .integer.example(42)),
        .init("customer_name", customerName), .init("whatsmeow_jid", linkedJID), .init("status", status),
        .init("created_at", .time), .init("last_active_at", .time.orNull),
        .init("external_id", .string.example("desk-1"), optional: true)
    ).named("DeviceOverview")

    static let deviceList = Schema.object(
        .init("devices", .list(of: deviceOverview)),
        .init(
            "summary",
            .object(
                .init("total", count), .init("connected", count), .init("disconnected", count),
                .init("pending", count)), "Over all rows, not the page"))

    /// Rows 4 and 13.
    static let deviceStatus = Schema.object(
        [
            .init("device_id", .uuid), .init("device_name", deviceName),
            .init("customer_name", customerName, optional: true), .init("whatsmeow_jid", linkedJID),
            .init("db_status", status, "Stored status"),
            .init("client_loaded", .boolean, "A node has a session for it"),
            .init("connected", .boolean, "Connected and logged in"), .init("is_connected", .boolean, "Socket is open"),
            .init("is_logged_in", .boolean),
            .init("error", .string.example("WhatsApp Client is not Connected"), optional: true, "Why it is not usable"),
            .init("external_id", .string.example("desk-1"), optional: true),
            .init("node_id", .uuid.orNull, "Node that owns it"),
        ] + stateReason
    ).named("DeviceStatus")

    static let deviceStatusList = Schema.object(
        .init("devices", .list(of: deviceStatus)),
        .init(
            "summary", .object(.init("total", count), .init("online", count), .init("offline", count))))

    static let reconnections = Schema.object(
        .init(
            "results",
            .list(
                of: .object(
                    .init("device_id", .uuid), .init("device_name", deviceName),
                    .init(
                        "status", .one(of: "reconnected", "failed", "already_connected", "skipped", "queued")),
                    .init("error", .string.example("Device never logged in"), optional: true)))),
        .init(
            "summary",
            .object(
                .init("total", count), .init("reconnected", count), .init("failed", count), .init("skipped", count))))

    static let statistics = Schema.object(
        [
            "total_api_keys", "active_api_keys", "total_devices", "connected_devices", "disconnected_devices",
            "pending_devices", "logged_out_devices", "total_webhooks", "active_webhooks",
        ].map { Member($0, count) })

    static let health = Schema.object(
        .init("status", .one(of: "ok", "degraded")), .init("database", .string.example("ok")),
        .init("whatsapp_clients", count, "Sessions on this node"), .init("total_devices", count),
        .init("memory_alloc", .string.example("41.3 MB"), "Resident"),
        .init("memory_sys", .string.example("96.0 MB"), "Virtual"), .init("goroutines", count, "Threads"),
        .init("uptime", .string.example("1d 2h 3m 4s")), .init("uptime_seconds", .integer.example(93784)),
        .init("version", .string.example("0.1.0")), .init("go_version", .string.example("swift-6")),
        .init("api_keys", count), .init("active_api_keys", count), .init("node_id", .uuid),
        .init("leases", count, "Devices owned by any node"),
        .init("outbox_pending", count, "Deliveries that wait"), .init("outbox_oldest_seconds", .number.example(0.4)),
        .init("db_latency_ms", .number.example(1.25)),
        .init(
            "restore", .object(.init("total", count), .init("done", count), .init("failed", .integer.example(0))),
            "Devices being brought back after the start"))

    static let webhookStatistics = Schema.object(
        .init("total_webhooks", count), .init("active_webhooks", count), .init("total_deliveries", count),
        .init("success_deliveries", count), .init("failed_deliveries", count),
        .init("success_rate", .number.example(99.57), "Per cent"), .init("total_deliveries_24h", count),
        .init("successful_deliveries_24h", count), .init("failed_deliveries_24h", count),
        .init("failed_attempts", count), .init("pending", count), .init("dead", count),
        .init("oldest_pending_seconds", .number.example(0.4)),
        .init("switched_off", .integer.example(0), "Webhooks that the gateway switched off"),
        .init(
            "api_keys_24h", .list(of: .object([.init("api_key_id", .integer)] + deliveryCounts)),
            "The last 24 hours by API key, most dead letters first"))

    static let node = Schema.object(
        .init("node_id", .uuid), .init("name", .string.example("node-1")),
        .init("advertise_url", .string.example("http://10.0.0.5:7001")), .init("version", .string.example("0.1.0")),
        .init("started_at", .time), .init("heartbeat_at", .time), .init("draining", .boolean.example(false)),
        .init("max_devices", .integer.example(10_000)), .init("leases", count)
    ).named("Node")

    static let auditEntry = Schema.object(
        .init("at", .time), .init("actor", .string.example("admin"), "admin, api_key:<id>, device or system"),
        .init("action", .string.example("api_key.create")), .init("result", .string.example("ok")),
        .init("api_key_id", .integer.example(42).orNull), .init("device_id", .uuid, optional: true),
        .init("target", .string.example("42")), .init("client", .string.example("203.0.113.7").orNull),
        .init("request_id", .string.example("5b0f6c8e-2f0a-4a52-9d0c-2f6f5e0a9b11").orNull)
    ).named("AuditEntry")

    private static let versionMembers: [Member] = [
        .init(
            "wa_web_version",
            .object(
                .init("array", .list(of: .integer).example([2, 3000, 1_032_094_433])),
                .init("string", .string.example("2.3000.1032094433")))),
        .init("last_refreshed", .time.orNull, "Last attempt, also a failed one"),
        .init("last_error", .string.example("")),
    ]

    static let version = Schema.object(versionMembers)

    static let refreshedVersion = Schema.object(
        versionMembers + [.init("refreshed", .boolean, "False when the last attempt was too recent")])
}

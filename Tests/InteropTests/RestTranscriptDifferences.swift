/// A point in which the gateway answers other than the reference on purpose. Each must be seen at least once, or the test
/// fails.
struct RestDifference: Hashable, CustomStringConvertible {
    /// Empty: every route.
    let route: String
    /// Name of the exchange; empty: every one of the route.
    let exchange: String
    let modes: [RestTranscript.Mode]
    let deviation: Deviation
    /// Where 10-rest-api says so: a section, with the row of the endpoint in brackets.
    let section: String

    var description: String {
        "\(route.isEmpty ? "any route" : route)\(exchange.isEmpty ? "" : ", \(exchange)"): \(deviation) (\(section))"
    }

    func covers(_ deviation: Deviation, of exchange: RestExchange, in mode: RestTranscript.Mode) -> Bool {
        deviation == self.deviation && modes.contains(mode) && (route.isEmpty || route == exchange.route)
            && (self.exchange.isEmpty || self.exchange == exchange.name)
    }
}

/// The table of deliberate differences, by the section of 10-rest-api that rules them.
enum RestDifferences {
    static let all = [words, emptyBodies, states, additions, webhooks, tenancy, ownDevice, messageActions].joined()
        .flatMap { $0 }

    /// Failures carry a machine word and the name of the field, some also what to do.
    private static let words: [[RestDifference]] =
        [
            "auth_missing", "auth_invalid", "device_unknown", "invalid_body", "validation_error", "not_found",
            "client_not_loaded", "http_method_not_allowed", "webhook_limit_reached",
        ].map { on([""], by: "2.2, 5", .added("data.error_code", $0)) } + [
            on([""], by: "2.2", .added("data.field", "text"), .added("data.hint", "text"))
        ]

    /// An empty body is an empty object.
    private static let emptyBodies: [[RestDifference]] = [
        on(
            ["POST /admin/api-keys"], in: ["empty body"], by: "2.3",
            .message("Invalid request body", "customer_name is required")),
        on(
            ["PATCH /admin/api-keys/{}"], in: ["empty body"], by: "2.3", .status(400, 200),
            .message("Invalid request body", "API key updated successfully")),
        on(
            ["POST /devices/token"], in: ["empty body"], by: "2.3",
            .message("Invalid request body", "device_id and device_secret are required")),
        on(
            ["POST /devices/me/push-notifications"], in: ["empty body"], by: "2.3",
            .message("Failed to parse body request", "platform must be one of: fcm, apns, webhook")),
        on(
            ["POST /devices/me/force-active-receipts"], in: ["empty body"], by: "2.3", .status(400, 200),
            .message("Failed to parse body request", "Force active delivery receipts updated successfully")),
        on(
            ["POST /devices/me/proxy"], in: ["empty body"], by: "2.3", .status(400, 200),
            .message("Failed to parse body request", "Device proxy configured successfully")),
        on(
            ["POST /devices/me/passive"], in: ["empty body"], by: "2.3",
            .message("Failed parse body request", "WhatsApp Client is not Valid")),
        on(["POST /devices/me/passive"], in: ["empty body"], with: [.strict], by: "2.3, 5.3", .status(400, 409)),
        on(["POST /devices/me/passive"], in: ["empty body"], with: [.reference], by: "2.3, 5.3", .status(400, 500)),
        on(
            ["POST /chats/{}/messages"], in: ["empty body"], by: "2.3",
            .message("Failed parse body request", "text is required")),
        on(["POST /webhooks"], in: ["empty body"], by: "2.3", .message("invalid request body", "url is required")),
    ]

    /// The state of the session has statuses of its own.
    private static let states: [[RestDifference]] = [
        on(
            [
                "POST /chats/{}/messages", "POST /devices/me/force-active-receipts", "POST /devices/me/reconnect",
                "POST /devices/me/passive",
            ], in: ["device not logged in to WhatsApp"], with: [.strict], by: "5.3", .status(500, 409)),
        // After the logout.
        on(["POST /devices/me/passive"], in: ["empty object"], with: [.strict], by: "5.3", .status(500, 409)),
        on(
            ["POST /devices/me/passive", "DELETE /devices/me/session"], in: ["many fields"], with: [.strict], by: "5.3",
            .status(500, 409)),
    ]

    /// Members that answers have beside the recorded ones.
    private static let additions: [[RestDifference]] = [
        on(
            ["GET /admin/health"], by: "8 (2)", .added("data.node_id", "text"), .added("data.leases", "number"),
            .added("data.outbox_pending", "number"), .added("data.outbox_oldest_seconds", "number"),
            .added("data.db_latency_ms", "number"), .changed("data.go_version", "'go1.27.3'", "'swift-6'")),
        on(["GET /admin/health"], by: "13-configuration, section 12", .added("data.restore", "object")),
        on(
            ["GET /admin/devices/status"], by: "12-device-scoping-api, section 6.1",
            .added("data.devices[].state_reason", "text")),
        on(
            ["GET /admin/api-keys/{}/devices/status"], by: "12-device-scoping-api, section 6.1",
            .added("data[].state_reason", "text")),
        on(["GET /admin/devices/status"], by: "8 (4)", .added("data.devices[].node_id", "null")),
        on(["GET /admin/api-keys/{}/devices/status"], by: "8 (13)", .added("data[].node_id", "null")),
        on(
            ["GET /devices/me", "GET /devices/me/status"], in: ["device not logged in to WhatsApp"],
            by: "12-device-scoping-api, section 6.1",
            .added("data.state_reason", "text")),
        on(
            ["GET /admin/webhooks/stats"], by: "8 (6)", .added("data.total_deliveries_24h", "number"),
            .added("data.successful_deliveries_24h", "number"), .added("data.failed_deliveries_24h", "number"),
            .added("data.failed_attempts", "number"), .added("data.pending", "number"), .added("data.dead", "number"),
            .added("data.oldest_pending_seconds", "number"), .added("data.switched_off", "number"),
            .added("data.api_keys_24h", "list")),
        on(
            ["PATCH /admin/api-keys/{}"], in: ["empty object", "many fields", "empty body"], by: "8 (10)",
            .added("data.id", "number"), .added("data.api_key_masked", "text"), .added("data.customer_name", "text"),
            .added("data.customer_email", "text"), .added("data.customer_phone", "text"),
            .added("data.max_devices", "number"), .added("data.rate_limit_per_hour", "number"),
            .added("data.is_active", "flag"), .added("data.device_count", "number")),
        on(["DELETE /admin/api-keys/{}"], in: ["empty body"], by: "8 (11)", .added("data.devices_deleted", "number")),
        on(
            ["GET /devices/me"], in: ["valid", "device not logged in to WhatsApp"], by: "10 (17)",
            .added("data.lid", "text"),
            .added("data.push_name", "text"), .added("data.platform", "text"), .added("data.proxy_active", "flag"),
            .added("data.passive", "flag"), .added("data.force_active_receipts", "flag"),
            .added("data.token_version", "number")),
        on(
            ["POST /chats/{}/messages"], in: ["many fields"], by: "12.1", .added("data.status", "text"),
            .added("data.timestamp", "number"), .added("data.chat_jid", "text")),
        on(
            ["GET /chats/{}/messages"], in: ["valid", "device not logged in to WhatsApp"], by: "13 (41)",
            .added("data.next_before", "text"), .added("data.next_after", "text")),
    ]

    private static let unknownWebhook: [Change] = [
        .status(500, 404), .message("sql: no rows in result set", "webhook not found"),
    ]

    private static let webhooks: [[RestDifference]] = [
        // Lists are never null.
        on(
            ["GET /webhooks"], in: ["valid", "device not logged in to WhatsApp"], by: "2.2",
            .changed("data.webhooks", "null", "list of 0")),
        on(
            ["POST /webhooks"],
            in: ["device not logged in to WhatsApp", "many fields", "webhook url rule", "webhook limit per device"],
            by: "20 (102)", .added("data.id", "number"), .added("data.signing_secret", "text")),
        // The rules of URLs and of their number hold when the webhook is made.
        on(
            ["POST /webhooks"], in: ["webhook url rule"], by: "20 (102)", .status(200, 400),
            .message("webhook created", "only HTTPS URLs are allowed"),
            .message("webhook created", "private/local network URLs are not allowed"),
            .removed("data.secret", "text"), .removed("data.webhook_id", "number")),
        on(
            ["POST /webhooks"], in: ["webhook limit per device"], by: "20 (102)", .status(200, 400),
            .message("webhook created", "webhook limit reached"), .removed("data.secret", "text"),
            .removed("data.webhook_id", "number")),
        on(
            ["GET /webhooks/{}"], by: "20", .added("data.webhook.id", "number"), .added("data.webhook.url", "text"),
            .added("data.webhook.events", "list"), .added("data.webhook.active", "flag"),
            .added("data.webhook.created_at", "text"), .added("data.webhook.updated_at", "text"),
            .changed("data.webhook.Secret", "<64 hex digits>", "<masked secret>")),
        on(
            ["GET /webhooks/{}"], by: "20 (102)", .added("data.webhook.headers", "list"),
            .added("data.webhook.ordering", "text"), .added("data.webhook.content", "flag"),
            .added("data.webhook.description", "text"), .added("data.webhook.consecutive_failures", "number"),
            .added("data.webhook.failing_since", "null"), .added("data.webhook.last_success_at", "null"),
            .added("data.webhook.previous_secret_until", "null")),
        on(
            ["PATCH /webhooks/{}"], in: ["device not logged in to WhatsApp"], by: "20 (104)",
            .added("data.webhook", "object")),
        // A webhook of another device is unknown, whatever is done with it.
        on(["GET /webhooks/{}"], in: ["valid"], by: "20", unknownWebhook),
        on(["GET /webhooks/{}/logs"], in: ["valid", "device not logged in to WhatsApp"], by: "20", unknownWebhook),
        on(["PATCH /webhooks/{}"], in: ["many fields"], by: "20", unknownWebhook),
        on(
            ["POST /webhooks/{}/test"],
            in: ["device not logged in to WhatsApp", "empty body", "malformed JSON", "empty object", "many fields"],
            by: "20",
            unknownWebhook),
        on(
            ["DELETE /webhooks/{}"], in: ["empty body", "malformed JSON", "empty object", "many fields"], by: "20",
            .status(200, 404), .message("webhook deleted", "webhook not found")),
        // No field of a change is required.
        on(
            ["PATCH /webhooks/{}"], in: ["empty body"], by: "2.3, 20 (104)", .status(400, 404),
            .message("invalid request body", "webhook not found")),
        on(
            ["PATCH /webhooks/{}"], in: ["empty object"], by: "20 (104)", .status(400, 404),
            .message("url is required", "webhook not found")),
    ]

    private static let tenancy: [[RestDifference]] = [
        on(
            ["POST /devices"], in: ["empty body", "malformed JSON", "empty object", "many fields"], by: "9 (15)",
            .changed(
                "data.message",
                """
                'Device created successfully. Save the device_secret securely - it's needed to regenerate tokens. Use the token \
                in Authorization header for all API calls.'
                """, "'Device created. Keep device_secret: it is needed to get new tokens.'")),
        // The token of a deleted device dies at once.
        on(["GET /devices/me"], in: ["JWT after its device regenerated the token"], by: "3.4", .status(404, 401)),
    ]

    private static let ownDevice: [[RestDifference]] = [
        on(
            ["GET /devices/me/contacts/{}/registered"], in: ["valid"], by: "10 (23)",
            .added("data.is_registered", "flag"),
            .added("data.jid", "text"), .added("data.phone", "text"),
            .changed("data.JID", "'100000020015838@lid'", "'492522798642@s.whatsapp.net'")),
        // What cannot be asked is not answered with "no".
        on(
            ["GET /devices/me/contacts/{}/registered"], in: ["device not logged in to WhatsApp"], by: "10 (23)",
            .message("Success check registered phone", "WhatsApp Client is not Valid"),
            .removed("data.IsRegistered", "flag"), .removed("data.JID", "text")),
        on(
            ["GET /devices/me/contacts/{}/registered"], in: ["device not logged in to WhatsApp"], with: [.strict],
            by: "5.3, 10 (23)",
            .status(200, 409)),
        on(
            ["GET /devices/me/contacts/{}/registered"], in: ["device not logged in to WhatsApp"], with: [.reference],
            by: "5.3, 10 (23)", .status(200, 500)),
        on(
            ["POST /devices/me/login-code"], in: ["many fields"], by: "10 (20)",
            .message("Success Generate Pairing Code", "WhatsApp Client is Reconnected"), .removed("data", "object")),
        // Chats are named by the number that the caller gave.
        on(
            ["GET /chats/{}/messages"], in: ["valid"], by: "4.2",
            .changed("data.chat_jid", "'100000020015838@lid'", "'492522798642@s.whatsapp.net'")),
        on(
            ["GET /chats/{}/messages"], in: ["device not logged in to WhatsApp"], by: "4.2",
            .changed("data.chat_jid", "''", "'492522798642@s.whatsapp.net'")),
    ]

    /// The documented spelling of keys is understood, and a reply quotes its message.
    private static let messageActions: [[RestDifference]] = [
        on(
            ["POST /messages/{}/read"], in: ["device not logged in to WhatsApp"], by: "2.3, 14 (54)",
            .message("chat_jid and sender_jid are required", "WhatsApp Client is not Valid")),
        on(
            ["POST /messages/{}/read"], in: ["device not logged in to WhatsApp"], with: [.strict], by: "2.3, 5.3",
            .status(400, 409)),
        on(
            ["POST /messages/{}/read"], in: ["device not logged in to WhatsApp"], with: [.reference], by: "2.3, 5.3",
            .status(400, 500)),
        on(
            ["POST /messages/{}/read"], in: ["many fields"], by: "2.3, 14 (54)", .status(400, 200),
            .message("chat_jid and sender_jid are required", "Success mark message as read")),
        on(
            ["POST /messages/{}/reply"], in: ["device not logged in to WhatsApp"], with: [.strict], by: "5.3",
            .status(500, 409)),
        on(
            ["POST /messages/{}/reply"], in: ["empty body"], by: "2.3",
            .message("Failed parse body request", "Message cannot be empty")),
        on(["POST /messages/{}/reply"], in: ["empty body"], with: [.reference], by: "2.3", .status(400, 500)),
        on(["POST /messages/{}/reply"], in: ["empty object"], with: [.strict], by: "5.1", .status(500, 400)),
        on(
            ["POST /messages/{}/reply"], in: ["many fields"], by: "2.3, 12.1", .status(500, 200),
            .message("Phone number cannot be empty", "Success reply to message"), .added("data.message_id", "text"),
            .added("data.status", "text"), .added("data.timestamp", "number"), .added("data.chat_jid", "text")),
    ]
}

// MARK: How the table is written

extension RestDifferences {
    private enum Change {
        case status(Int, Int)
        case message(String, String)
        /// Only we send it.
        case added(String, String)
        /// Only the reference sends it.
        case removed(String, String)
        case changed(String, String, String)

        var deviation: Deviation {
            switch self {
            case .status(let recorded, let ours): Deviation(path: "status", recorded: "\(recorded)", ours: "\(ours)")
            case .message(let recorded, let ours): Deviation(path: "message", recorded: recorded, ours: ours)
            case .added(let path, let kind): Deviation(path: path, recorded: nil, ours: kind)
            case .removed(let path, let kind): Deviation(path: path, recorded: kind, ours: nil)
            case .changed(let path, let recorded, let ours): Deviation(path: path, recorded: recorded, ours: ours)
            }
        }
    }

    /// Every change on each of the routes and exchanges.
    private static func on(
        _ routes: [String], in exchanges: [String] = [""],
        with modes: [RestTranscript.Mode] = RestTranscript.Mode.allCases, by section: String, _ changes: Change...
    ) -> [RestDifference] {
        on(routes, in: exchanges, with: modes, by: section, changes)
    }

    private static func on(
        _ routes: [String], in exchanges: [String] = [""],
        with modes: [RestTranscript.Mode] = RestTranscript.Mode.allCases, by section: String, _ changes: [Change]
    ) -> [RestDifference] {
        routes.flatMap { route in
            exchanges.flatMap { exchange in
                changes.map {
                    RestDifference(
                        route: route, exchange: exchange, modes: modes, deviation: $0.deviation, section: section)
                }
            }
        }
    }
}

import Storage
import Webhooks

// Shapes of webhooks and their delivery log.

extension Schema {
    private static let events: Schema = .list(of: .string.example("message.received"))
    private static let secret: Schema = .string.example("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    static let webhook = Schema.object(
        .init("ID", .integer), .init("DeviceID", .uuid), .init("URL", .url),
        .init("Secret", .string.example("whse...LaSw"), "Masked unless revealed"), .init("Events", events),
        .init("Active", .boolean), .init("CreatedAt", .time), .init("UpdatedAt", .time), .init("id", .integer),
        .init("url", .url), .init("events", events), .init("active", .boolean), .init("created_at", .time),
        .init("updated_at", .time), .init("ordering", .one(of: "none", "device", "strict").example("device")),
        .init("content", .boolean), .init("description", .string.example("")),
        .init("headers", .list(of: .string.example("X-Tenant")), "Names only"),
        .init("consecutive_failures", .integer.example(0)), .init("failing_since", .time.orNull),
        .init("last_success_at", .time.orNull),
        .init("previous_secret_until", .time.orNull, "Until when the secret before signs too"),
        .init("disabled_reason", .one(of: "manual", "failing", "gone", "device_deleted"), optional: true),
        .init("disabled_at", .time, optional: true)
    ).named("Webhook")

    static let webhookList = Schema.object(.init("webhooks", .list(of: webhook)))
    static let oneWebhook = Schema.object(.init("webhook", webhook))

    static let createdWebhook = Schema.object(
        .init("webhook_id", .integer), .init("secret", secret, "Of the reference's signature"), .init("id", .integer),
        .init("signing_secret", secret, "Of Standard Webhooks"))

    private static let deliveryMembers: [Member] = [
        .init("ID", .integer), .init("WebhookID", .integer),
        .init("EventType", .string.example("message.received")),
        .init("Status", .one(of: DeliveryState.allCases.map(\.rawValue))),
        .init("AttemptCount", .integer), .init("LastError", .string.example("")),
        .init("CreatedAt", .time), .init("UpdatedAt", .time), .init("event_id", eventID),
        .init("response_code", .integer.example(200).orNull),
        .init("duration_ms", .integer.example(12).orNull), .init("next_attempt_at", .time.orNull),
        .init("test", .boolean.example(false)), .init("replay", .boolean.example(false)),
    ]
    private static let eventID: Schema = .string.example("evt_01KDXYZ0A1B2C3D4E5F6G7H8J9")

    static let deliveryLog = Schema.object(
        .init("logs", .list(of: Schema.object(deliveryMembers).named("Delivery"))),
        .init("next_cursor", .string.example("1767323045678901.17"), optional: true))

    static let webhookEvent = Schema.object(
        .init("event_id", eventID), .init("event_type", .string.example("message.received")),
        .init("sequence", .integer), .init("created_at", .time),
        .init("event", .map(of: .any).orNull, "The bytes that are sent; null when past their retention"),
        .init(
            "deliveries",
            .list(
                of: .object(
                    deliveryMembers + [
                        .init(
                            "attempts",
                            .list(
                                of: .object(
                                    .init("attempt", .integer), .init("started_at", .time),
                                    .init("node_id", .uuid, optional: true),
                                    .init("duration_ms", .integer.example(12).orNull),
                                    .init("response_code", .integer.example(500).orNull),
                                    .init("error", .string.example("HTTP 500").orNull),
                                    .init("response", .string.example("try later"), "First 1 KiB of the answer"))))
                    ]))))

    static let rotatedSecret = Schema.object(
        .init("webhook_id", .integer), .init("id", .integer), .init("secret", secret),
        .init("signing_secret", secret, "Of Standard Webhooks"),
        .init("previous_secret_until", .time.orNull, "Until when the secret before signs too"))

    static let replayCount = Schema.object(
        .init("queued", .integer.example(12)), .init("skipped", .integer.example(0)))

    static let deliveryCounts: [Member] = [
        .init("success", .integer.example(120)), .init("failed_attempts", .integer.example(3)),
        .init("dead", .integer.example(0)),
    ]

    static let webhookHours = Schema.object(
        .init("webhook_id", .integer), .init("hours", .list(of: .object([.init("hour", .time)] + deliveryCounts))))

    static let eventCatalogue = Schema.object(
        .init(
            "events",
            .list(
                of: .object(
                    .init("name", .string.example("message.received")), .init("category", .string.example("messages")),
                    .init("fields", .list(of: .string.example("message_id")), "Members that the reference sends"),
                    .init(
                        "members",
                        .list(
                            of: .object(
                                .init("name", .string.example("message_id")),
                                .init("type", .one(of: WebhookEventField.Kind.allCases.map(\.rawValue))),
                                .init("optional", .boolean, "Left out where there is nothing to say"),
                                .init("added", .boolean, "Not of the reference")))),
                    .init("opt_in", .boolean.example(false), "Sent only to webhooks that name it"),
                    .init("emitted", .boolean, "Sent by this version")))))

    static let troubledWebhooks = Schema.object(
        .init(
            "webhooks",
            .list(
                of: .object(
                    .init("id", .integer), .init("api_key_id", .integer), .init("device_id", .uuid), .init("url", .url),
                    .init("active", .boolean.example(false)),
                    .init("disabled_reason", .one(of: "failing", "gone").orNull),
                    .init("disabled_at", .time.orNull), .init("failing_since", .time.orNull),
                    .init("consecutive_failures", .integer), .init("last_success_at", .time.orNull)))))

    /// Only with `wait`.
    static let webhookTest = Schema.object(
        .init("delivered", .boolean), .init("response_code", .integer.example(200).orNull),
        .init("duration_ms", .integer.example(12)), .init("error", .string.example("").orNull))
}

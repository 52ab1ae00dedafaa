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
        .init("disabled_reason", .string.example("endpoint failed for 5 days"), optional: true)
    ).named("Webhook")

    static let webhookList = Schema.object(.init("webhooks", .list(of: webhook)))
    static let oneWebhook = Schema.object(.init("webhook", webhook))

    static let createdWebhook = Schema.object(
        .init("webhook_id", .integer), .init("secret", secret, "Of the reference's signature"), .init("id", .integer),
        .init("signing_secret", secret, "Of Standard Webhooks"))

    static let deliveryLog = Schema.object(
        .init(
            "logs",
            .list(
                of: Schema.object(
                    .init("ID", .integer), .init("WebhookID", .integer),
                    .init("EventType", .string.example("message.received")),
                    .init("Status", .string.example("success"), "success, failed, pending, retrying or dead"),
                    .init("AttemptCount", .integer), .init("LastError", .string.example("")),
                    .init("CreatedAt", .time), .init("UpdatedAt", .time), .init("event_id", .uuid),
                    .init("response_code", .integer.example(200).orNull),
                    .init("duration_ms", .integer.example(12).orNull), .init("next_attempt_at", .time.orNull)
                ).named("Delivery"))))

    /// Only with `wait`.
    static let webhookTest = Schema.object(
        .init("delivered", .boolean), .init("response_code", .integer.example(200).orNull),
        .init("duration_ms", .integer.example(12)), .init("error", .string.example("").orNull))
}

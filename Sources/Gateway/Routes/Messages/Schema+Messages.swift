// Shapes of sent and stored messages.

extension Schema {
    static let messageID: Schema = .string.example("3EB0A1B2C3D4E5F60718")

    static let sentMessage = Schema.object(
        .init("message_id", messageID), .init("status", .one(of: "sent", "queued")),
        .init("timestamp", .seconds, optional: true, "When it was sent"), .init("chat_jid", .jid),
        .init("server_id", .integer.example(117), optional: true, "In channels"),
        .init("expires_at", .seconds, optional: true, "When a queued message is given up")
    ).named("SentMessage")

    private static let storedMessage = Schema.object(
        .init("message_id", messageID), .init("chat_jid", .jid), .init("from", .jid),
        .init("sender_alt", .string.example("100000000000001@lid").orNull, "The sender's other identity"),
        .init("push_name", .string.example("Ann")), .init("is_from_me", .boolean.example(false)),
        .init("timestamp", .seconds), .init("type", .string.example("text")), .init("text", .string.example("hello")),
        .init("quoted", .object(.init("message_id", messageID)).orNull),
        .init("media", .any, "Facts about the media, or null"),
        .init(
            "reactions",
            .list(
                of: .object(
                    .init("emoji", .string.example("👍")), .init("from", .jid), .init("timestamp", .seconds)))),
        .init("edited_at", .seconds.orNull), .init("deleted_at", .seconds.orNull),
        .init("status", .one(of: "pending", "sent", "delivered", "read", "played", "failed")),
        .init("star", .boolean.example(false)), .init("server_id", .integer.example(117), optional: true)
    ).named("Message")

    static let storedMessages = Schema.object(
        .init("chat_jid", .jid), .init("limit", .integer.example(50)), .init("before", .string.example("")),
        .init("after", .string.example("")), .init("messages", .list(of: storedMessage)),
        .init("next_before", .string.example(""), "`before` of the next page; empty at the end"),
        .init("next_after", .string.example(""), "With `order=asc`: `after` of the next page; empty at the end"))

    private static let fate = Schema.one(of: "queued", "pending", "sent", "delivered", "read", "played", "failed")

    static let oneMessage = Schema.object(
        .init("message_id", messageID), .init("chat_jid", .jid), .init("is_from_me", .boolean.example(true)),
        .init("timestamp", .seconds), .init("status", fate.example("failed")),
        .init("expires_at", .seconds, optional: true, "When a queued message is given up"),
        .init(
            "failure",
            .object(
                .init("error_code", .string.example("send_expired")),
                .init("message", .string.example("message was not sent within its time")),
                .init("wa_code", .integer.example(463), optional: true)), optional: true,
            "Why it failed"),
        .init("from", .jid, optional: true, "This and what follows: where the message is stored"),
        .init("type", .string.example("text"), optional: true), .init("text", .string.example("hello"), optional: true)
    ).named("MessageFate")
}

import AdminAuth
import Messaging
import Storage
import Tenancy

extension RouteCatalogue {
    /// Reading and answering one message (10-rest-api, section 14, rows 54 and 58).
    var messageActionRoutes: [Route] {
        [
            Route(
                .get, "/messages/{message_id}", .device, "One message, and what became of it",
                details: """
                    An own message is `queued` until WhatsApp has it, then `sent`, `delivered`, `read` or `played`, or \
                    `failed` with the reason. Known for seven days, and for as long as messages are stored.
                    """,
                answer: .data("Success get message", .oneMessage), errors: ["message_not_stored"],
                statuses: [200, 404], large: true, handler: oneMessage),
            Route(
                .post, "/messages/{message_id}/read", .device, number: "54", "Tell the sender that a message was read",
                details: """
                    Sends a read receipt, within the account's own privacy setting for receipts. In a chat with one person \
                    `sender_jid` may equal `chat_jid`.
                    """,
                body: .lenient([
                    .init("chat_jid", required: true, "Chat of the message", example: "15550001111@s.whatsapp.net"),
                    .init("sender_jid", required: true, "Its author", example: "15550001111@s.whatsapp.net"),
                    .init(
                        "message_ids", .strings, "More messages of the same author", example: [],
                        length: 0...Self.readLimit),
                    .init("played", .boolean, "It was a voice note and was listened to", example: false),
                ]), answer: .message("Success mark message as read"), errors: [.session, "invalid_recipient"],
                statuses: [200, 400, 409, 503], waits: true, handler: markRead),
            Route(
                .post, "/messages/{message_id}/reply", .device, number: "58", "Answer a message with a text",
                details:
                    "The answer quotes the message from the store; of one that is not stored, `quoted_text` is quoted.",
                body: .fields(
                    [
                        .init("chat_jid", required: true, "Chat of the message", example: "15550001111@s.whatsapp.net"),
                        .init("text", required: true, "Not blank", example: "hello", length: 1...65_536),
                        .init(
                            "sender_jid", "Author of the message, when it is not stored",
                            example: "15550001111@s.whatsapp.net"),
                        .init(
                            "quoted_text", "Its text, when it is not stored", example: "How are you?",
                            length: 0...65_536),
                        Self.mentionsField,
                        .init("typing_simulation", .boolean, "Show typing before"),
                        .init("presence_simulation", .boolean, "Be available meanwhile"),
                        Self.queueField,
                    ], parseError: "Failed parse body request"),
                answer: .data("Success reply to message", .sentMessage), errors: [.session, .sending, .whatsApp],
                statuses: [200, 202, 400, 404, 409, 429, 503, 504], idempotent: true, waits: true, handler: reply),
        ]
    }

    /// Messages of one receipt beside the one of the path.
    private static let readLimit = 256

    @Sendable private func markRead(_ call: Call) async throws -> Answer {
        let body = call.body
        let chat = try body.string("chat_jid") ?? ""
        let sender = try body.string("sender_jid") ?? ""
        if chat.isEmpty || sender.isEmpty {
            throw APIError.validation(
                "chat_jid and sender_jid are required", field: chat.isEmpty ? "chat_jid" : "sender_jid")
        }
        let chatJID = try ChatAddress.parse(chat, field: "chat_jid")
        let senderJID = try ChatAddress.parse(sender, field: "sender_jid")
        let more = try body.strings("message_ids") ?? []
        let ids = [call.parameters["message_id"]] + more
        guard more.count <= Self.readLimit else {
            throw APIError.validation("message_ids must be at most \(Self.readLimit)", field: "message_ids")
        }
        try Self.checkMessageID(call.parameters["message_id"])
        for id in more { try Self.checkMessageID(id, field: "message_ids") }
        let isPlayed = try body.bool("played") ?? false
        let session = try await dependencies.gate.session(call.device.scope)
        try await session.markRead(chat: chatJID, messageIDs: ids, sender: senderJID, played: isPlayed)
        return .ok("Success mark message as read")
    }

    @Sendable private func reply(_ call: Call) async throws -> Answer {
        let body = call.body
        let text = try body.string("text") ?? ""
        if text.isBlank {
            var error = APIError.validation("Message cannot be empty", field: "text")
            error.isServerErrorInReference = true
            throw error
        }
        let chat = try ChatAddress.parse(try body.string("chat_jid") ?? "", field: "chat_jid")
        let quoted = call.parameters["message_id"]
        try Self.checkMessageID(quoted)
        let author = try body.string("sender_jid").flatMap { $0.isEmpty ? nil : $0 }
        let quotedText = try body.string("quoted_text").flatMap { $0.isEmpty ? nil : $0 }
        guard quotedText.map({ $0.unicodeScalars.count <= 65_536 }) ?? true else {
            throw APIError.validation("quoted_text must be at most 65536 characters", field: "quoted_text")
        }
        let message = try Self.message(
            call, chat: chat, text: text,
            quote: Quote(
                messageID: quoted, sender: try author.map { try ChatAddress.parse($0, field: "sender_jid") },
                text: quotedText),
            messageID: nil)
        return try await send(message, call, okText: "Success reply to message")
    }

    /// Printable, at most 128 bytes. Throws 400.
    static func checkMessageID(_ id: String, field: String = "message_id") throws(APIError) {
        guard (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .validation(
                "\(field) is not a message id", field: field, hint: "1 to 128 printable ASCII characters, no spaces")
        }
    }
}

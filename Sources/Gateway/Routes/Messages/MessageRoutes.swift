import AdminAuth
import Messaging
import Storage
import Tenancy

extension RouteCatalogue {
    /// Sending text and reading stored messages (10-rest-api, sections 12 and 13).
    var messageRoutes: [Route] {
        [
            Route(
                .post, "/chats/{chat_jid}/messages", .device, number: "40", "Send a text",
                body: .fields(
                    [
                        .init("text", required: true, "Not blank", example: "hello", length: 1...65_536),
                        .init("reply_to_message_id", "Message to quote", example: "3EB0A1B2C3D4E5F60718"),
                        .init(
                            "reply_to_sender_jid", "Its author, when the message is not stored",
                            example: "15550001111@s.whatsapp.net"),
                        Self.mentionsField,
                        .init(
                            "message_id", "Chosen id, 16 to 32 upper-case hexadecimal digits",
                            example: "3EB0A1B2C3D4E5F60718"),
                        .init("typing_simulation", .boolean, "Show typing before"),
                        .init("presence_simulation", .boolean, "Be available meanwhile"),
                        Self.queueField,
                    ], parseError: "Failed parse body request"),
                answer: .data("Success send message", .sentMessage), errors: [.session, .sending, .whatsApp],
                statuses: [200, 202, 400, 404, 409, 429, 503, 504], idempotent: true, waits: true, handler: sendText),
            Route(
                .get, "/chats/{chat_jid}/messages", .device, number: "41", "Stored messages of a chat",
                query: [
                    .init("limit", .integer, "Messages at most; 50 without it", range: 1...200, example: 50),
                    .init(
                        "before", "Only messages older than this one, by its id: `next_before` of the last page",
                        strict: true),
                    .init(
                        "after",
                        "Only messages newer than this one, by its id; with `order=asc`, `next_after` of the last page",
                        strict: true),
                    .init("since", .time, "RFC 3339 time or unix seconds", strict: true),
                    .init("until", .time, "RFC 3339 time or unix seconds", strict: true),
                    .init("type", "Kind of message", example: "text"),
                    .init(
                        "order", "Oldest or newest first; desc without it", values: ["asc", "desc"], strict: true),
                ], answer: .data("Success get chat messages", .storedMessages), errors: ["invalid_recipient"],
                handler: storedMessages),
        ]
    }

    /// Of every send that the durable queue takes.
    static let queueField = Route.Field(
        "queue", .boolean,
        """
        Accept with 202 what cannot be sent now because the device reconnects, and send it later; without it, requests \
        with an `Idempotency-Key` are
        """, example: true)

    /// Of every send of a text.
    static let mentionsField = Route.Field(
        "mentions", .strings, "JIDs or numbers mentioned in the text", example: [], length: 0...mentionLimit)

    private static let textLimit = 65_536
    private static let mentionLimit = 1024

    @Sendable private func sendText(_ call: Call) async throws -> Answer {
        let chat = try ChatAddress.parse(call.parameters["chat_jid"], field: "chat_jid")
        let body = call.body
        let text = try body.string("text") ?? ""
        if text.isBlank { throw APIError.validation("text is required", field: "text") }
        let author = try body.string("reply_to_sender_jid").flatMap { $0.isEmpty ? nil : $0 }
            .map { try ChatAddress.parse($0, field: "reply_to_sender_jid") }
        var quote: Quote?
        if let id = try body.string("reply_to_message_id"), !id.isEmpty {
            guard (1...128).contains(id.utf8.count), id.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw APIError.validation("reply_to_message_id is not a message id", field: "reply_to_message_id")
            }
            quote = Quote(messageID: id, sender: author)
        }
        let id = try body.string("message_id").flatMap { $0.isEmpty ? nil : $0 }
        let message = try Self.message(call, chat: chat, text: text, quote: quote, messageID: id)
        return try await send(message, call, okText: "Success send message")
    }

    /// Sends once per idempotency key, within the device's rate.
    func send(_ message: TextMessage, _ call: Call, okText: String) async throws -> Answer {
        let simulation = try simulation(call)
        let session = try await dependencies.gate.session(call.device.scope)
        let isQueueable = try mayQueue(call)
        return try await idempotently(call, session, chat: message.chat, okText: okText) { idempotency in
            try await waitForToken(call.device)
            var message = message
            message.idempotency = idempotency
            message.simulation = simulation
            if isQueueable { return try await sendOrQueue(message, through: session, okText: okText) }
            return Self.sent(try await session.sendText(message), chat: message.chat, okText: okText)
        }
    }

    /// The configured simulation, as far as the body does not say otherwise.
    private func simulation(_ call: Call) throws -> SendSimulation {
        let settings = dependencies.simulation
        let milliseconds = { (time: Duration) in
            time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000
        }
        return SendSimulation(
            showsPresence: try call.body.bool("presence_simulation") ?? settings.isPresenceEnabled,
            showsTyping: try call.body.bool("typing_simulation") ?? settings.isTypingEnabled,
            typing: milliseconds(settings.typingDelay.lowerBound)...milliseconds(settings.typingDelay.upperBound))
    }

    /// A text with what all sends have in their bodies. Throws 400.
    static func message(
        _ call: Call, chat: String, text: String, quote: Quote?, messageID: String?
    ) throws -> TextMessage {
        let body = call.body
        guard text.unicodeScalars.count <= textLimit else {
            throw APIError.validation("text must be at most \(textLimit) characters", field: "text")
        }
        let mentioned = try body.strings("mentions") ?? []
        guard mentioned.count <= mentionLimit else {
            throw APIError.validation("mentions must be at most \(mentionLimit)", field: "mentions")
        }
        let mentions = try mentioned.map { try ChatAddress.parse($0, field: "mentions") }
        if let messageID {
            let isHex = messageID.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }
            guard (16...32).contains(messageID.utf8.count), isHex else {
                throw APIError.validation(
                    "message_id must be 16 to 32 upper-case hexadecimal digits", field: "message_id")
            }
        }
        return TextMessage(chat: chat, text: text, quote: quote, mentions: mentions, messageID: messageID)
    }

    /// The success of a send. `chat` is the address as the caller knows it.
    static func sent(_ result: SendResult, chat: String, okText: String) -> Answer {
        .ok(okText) { writer in
            writer.object { writer in
                writer.member("message_id", result.messageID)
                writer.member("status", "sent")
                writer.member("timestamp", result.timestamp.seconds)
                writer.member("chat_jid", chat)
                if let number = result.serverID { writer.member("server_id", number) }
            }
        }
    }

    /// Waits for the device's send rate; 429 when that takes too long.
    private func waitForToken(_ device: KnownDevice) async throws {
        switch dependencies.sendLimits.take(did: device.did) {
        case .go: return
        case .wait(let seconds): try await Task.sleep(for: .seconds(seconds))
        case .refuse(let seconds): throw APIError.tooManyRequests("Rate limit exceeded", retryAfter: seconds)
        }
    }

    // MARK: Reading

    @Sendable private func storedMessages(_ call: Call) async throws -> Answer {
        let chat = try ChatAddress.parse(call.parameters["chat_jid"], field: "chat_jid")
        let query = call.query
        let limit = query.integer("limit", default: 50, in: 1...200)
        let before = query["before"] ?? ""
        let after = query["after"] ?? ""
        let order: MessageQuery.Order
        switch query["order"]?.lowercased() {
        case "asc": order = .oldestFirst
        case "desc", "", nil: order = .newestFirst
        default: throw APIError.validation("order must be one of: asc, desc", field: "order")
        }
        let (since, until) = (try query.timestamp("since"), try query.timestamp("until"))
        let messages: [ArchivedMessage]
        do {
            messages = try await dependencies.messages.page(
                call.device.scope, chat: chat,
                MessageQuery(
                    chats: [], before: before.isEmpty ? nil : before, after: after.isEmpty ? nil : after,
                    since: since, until: until, type: query["type"].flatMap { $0.isEmpty ? nil : $0 }, order: order,
                    limit: limit))
        } catch let unknown as UnknownCursor {
            throw APIError.validation(
                "\(unknown.field) is the id of no stored message of this chat; take a message_id of this list",
                field: unknown.field)
        }
        // A page that is not full is the last one.
        let last = messages.count == limit ? messages.last?.message.row.messageID ?? "" : ""
        return .ok("Success get chat messages") { writer in
            writer.object { writer in
                writer.member("chat_jid", chat)
                writer.member("limit", limit)
                writer.member("before", before)
                writer.member("after", after)
                writer.key("messages")
                writer.array { writer in
                    for message in messages { writer.message(message, chat: chat) }
                }
                writer.member("next_before", order == .newestFirst ? last : "")
                writer.member("next_after", order == .oldestFirst ? last : "")
            }
        }
    }
}

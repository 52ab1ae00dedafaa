import Messaging
import Storage
import Tenancy

extension RouteCatalogue {
    /// How long a connected device is waited for, as without the queue: then WhatsApp is slow, not away.
    private static let patience = Duration.seconds(75)
    private static let slice = Duration.milliseconds(500)

    /// Whether a send may wait in the durable queue: when its body says so, or its request has a key by which it can be
    /// repeated. Others are answered 503 while the device reconnects (10-rest-api, section 5.3).
    func mayQueue(_ call: Call) throws -> Bool {
        guard dependencies.sendQueue.isEnabled else { return false }
        return try call.body.bool("queue") ?? (call.idempotencyKey != nil)
    }

    /// Sends at once, or accepts durably what cannot be sent now (12-device-scoping-api, section 6.4): 200 with the
    /// server's ack, or 202.
    func sendOrQueue(_ message: TextMessage, through session: any DeviceClient, okText: String) async throws -> Answer {
        let settings = dependencies.sendQueue
        let send = try await session.queueText(message, lifetime: settings.lifetime.components.seconds)
        var outcome = await send.outcome(settings.wait)
        let deadline = ContinuousClock.now + Self.patience - settings.wait
        while outcome == nil, session.state.phase == .ready, ContinuousClock.now < deadline {
            outcome = await send.outcome(Self.slice)
        }
        guard let outcome else {
            return Self.queued(messageID: send.messageID, chat: message.chat, until: send.sendBy)
        }
        return Self.sent(try outcome.get(), chat: message.chat, okText: okText)
    }

    /// 202. `chat` is the address as the caller knows it.
    static func queued(messageID: String, chat: String, until: Timestamp) -> Answer {
        Answer(
            status: 202,
            content: .envelope(message: "Message queued") { writer in
                writer.object { writer in
                    writer.member("message_id", messageID)
                    writer.member("status", "queued")
                    writer.member("chat_jid", chat)
                    writer.member("expires_at", until.seconds)
                }
            })
    }

    // MARK: One message, and what became of it

    /// A stored message, and the fate of an own one (10-rest-api, section 23).
    @Sendable func oneMessage(_ call: Call) async throws -> Answer {
        let id = call.parameters["message_id"]
        try Self.checkMessageID(id)
        let scope = call.device.scope
        let fate = try await SendRepository(dependencies.database).status(scope, messageID: id)
        let stored = try await dependencies.messages.message(scope, id: id)
        if let stored {
            return .ok("Success get message") { writer in
                writer.message(stored.message, chat: stored.chat, fate: stored.message.message.row.fromMe ? fate : nil)
            }
        }
        guard let fate else { throw APIError.messageNotStored }
        let chat = try await dependencies.messages.shown(scope, chat: fate.chat)
        return .ok("Success get message") { writer in
            writer.object { writer in
                writer.member("message_id", id)
                writer.member("chat_jid", chat)
                writer.member("is_from_me", true)
                writer.member("timestamp", fate.acceptedAt.seconds)
                writer.fate(fate)
            }
        }
    }
}

extension JSONWriter {
    /// Status of an own message, with its end in the queue or the reason of its failure.
    mutating func fate(_ fate: SendStatus) {
        switch fate.state {
        case .queued(let until):
            member("status", "queued")
            member("expires_at", until.seconds)
        case .sent: member("status", "sent")
        case .delivered: member("status", "delivered")
        case .read: member("status", "read")
        case .played: member("status", "played")
        case .failed(let reason, let code):
            member("status", "failed")
            let error = APIError(reason.error(messageID: fate.messageID, code: code))
            key("failure")
            object { writer in
                writer.member("error_code", error.code)
                writer.member("message", error.message)
                if let code { writer.member("wa_code", code) }
            }
        }
    }
}

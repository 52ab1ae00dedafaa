import Transport
import WhatsAppProtobuf

/// Events about messages, receipts and groups (11-webhooks, sections 9.1, 9.7 and 10). Dedupe keys name the message, so a
/// redelivered stanza makes the same key.
extension DeviceEvent {
    static func messageReceived(
        _ info: MessageInfo, parties: MessageParties, payload: MessagePayload, type: String, text: String?,
        retryCount: Int, claim: AuthorshipClaim? = nil, at: Timestamp
    ) -> DeviceEvent {
        var data = messageData(info, parties: parties)
        data.set("type", type)
        data.set("text", ifPresent: text)
        data.set("push_name", ifPresent: info.pushName)
        data.set("sender_alt", ifPresent: parties.sender.hidden)
        data.set("is_group", info.isGroup)
        data.set("is_offline", info.isOffline)
        if retryCount > 0 { data.set("retry_count", retryCount) }
        for member in payload.content.members where member.name != "type" && member.name != "text" {
            data.set(member.name, raw: member.value.text)
        }
        return DeviceEvent(
            type: "message.received", dedupeKey: key("message.received", info, parties), data: data.bytes, at: at,
            claim: claim)
    }

    static func messageEdited(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, text: String?, claim: AuthorshipClaim,
        at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set(parties)
        data.set("timestamp", info.timestamp.seconds)
        data.set("text", text ?? "")
        return DeviceEvent(
            type: "message.edited", dedupeKey: key("message.edited", info, parties), data: data.bytes, at: at,
            claim: claim)
    }

    static func messageReaction(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, emoji: String, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set(parties)
        data.set("emoji", emoji)
        data.set("timestamp", info.timestamp.seconds)
        return DeviceEvent(
            type: "message.reaction", dedupeKey: key("message.reaction", info, parties), data: data.bytes, at: at)
    }

    static func messageDeleted(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, claim: AuthorshipClaim?, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set(parties)
        data.set("timestamp", info.timestamp.seconds)
        data.set("deleted_by", parties.sender.shown)
        data.set("is_from_me", info.isFromMe)
        return DeviceEvent(
            type: "message.deleted", dedupeKey: key("message.deleted", info, parties), data: data.bytes, at: at,
            claim: claim)
    }

    /// May repeat for a failed resend: `attempt` makes the key unique.
    static func messageUndecryptable(
        _ info: MessageInfo, parties: MessageParties, own: String, isUnavailable: Bool, unavailableType: String,
        failMode: String, attempt: Int, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("jid", own)
        data.set("message_id", info.id)
        data.set(parties)
        data.set("timestamp", info.timestamp.seconds)
        data.set("is_from_me", info.isFromMe)
        data.set("is_unavailable", isUnavailable)
        data.set("unavailable_type", unavailableType)
        data.set("fail_mode", failMode)
        return DeviceEvent(
            type: "message.undecryptable", dedupeKey: key("message.undecryptable", info, parties) + " \(attempt)",
            data: data.bytes, at: at)
    }

    static func messageSent(id: String, chat: Party, timestamp: Timestamp, origin: String, at: Timestamp)
        -> DeviceEvent
    {
        var data = JSONObject()
        data.set("message_id", id)
        data.set(chat: chat)
        data.set("timestamp", timestamp.seconds)
        data.set("origin", origin)
        return DeviceEvent(type: "message.sent", dedupeKey: "message.sent \(chat.key) \(id)", data: data.bytes, at: at)
    }

    static func messageFailed(id: String, chat: Party, error: String, code: Int?, at: Timestamp) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", id)
        data.set(chat: chat)
        data.set("error", error)
        if let code { data.set("wa_code", code) } else { data.setNull("wa_code") }
        return DeviceEvent(
            type: "message.failed", dedupeKey: "message.failed \(chat.key) \(id)", data: data.bytes, at: at)
    }

    static func retryRequested(id: String, chat: Party, sender: Party, count: Int, at: Timestamp) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", id)
        data.set(chat: chat)
        data.set("sender", sender.shown)
        data.set("sender_lid", ifPresent: sender.hidden)
        data.set("count", count)
        return DeviceEvent(
            type: "message.retry_requested",
            dedupeKey: "message.retry_requested \(chat.key) \(id) \(sender.key) \(count)",
            data: data.bytes, at: at)
    }

    /// One per message id of a receipt; nil for receipts that are no news to people.
    static func receipt(
        _ receipt: IncomingReceipt, entry: IncomingReceipt.Entry, chat: Party, sender: Party, at: Timestamp
    ) -> DeviceEvent? {
        let type: String
        switch receipt.kind {
        case .delivered: type = "message.delivered"
        case .read, .readSelf: type = "message.read"
        case .played: type = "message.played"
        case .sender, .playedSelf, .retry, .other: return nil
        }
        var data = JSONObject()
        data.set("message_id", entry.messageID)
        data.set(chat: chat)
        data.set("sender", sender.shown)
        data.set("sender_lid", ifPresent: sender.hidden)
        data.set("timestamp", entry.at.seconds)
        data.set("receipt_type", receipt.typeText)
        return DeviceEvent(
            type: type, dedupeKey: "\(type) \(chat.key) \(entry.messageID) \(entry.sender) \(receipt.typeText)",
            data: data.bytes, at: at)
    }

    private static func messageData(_ info: MessageInfo, parties: MessageParties) -> JSONObject {
        var data = JSONObject()
        data.set("message_id", info.id)
        data.set(parties)
        data.set("timestamp", info.timestamp.seconds)
        data.set("is_from_me", info.isFromMe)
        return data
    }

    private static func key(_ type: String, _ info: MessageInfo, _ parties: MessageParties) -> String {
        "\(type) \(parties.chat.key) \(parties.sender.key) \(info.id)"
    }
}

extension JSONObject {
    /// `chat`, and `chat_lid` where the LID is another.
    mutating func set(chat: Party) {
        set("chat", chat.shown)
        set("chat_lid", ifPresent: chat.hidden)
    }

    /// `from` and `chat` by phone JID where known, the LIDs beside them.
    fileprivate mutating func set(_ parties: MessageParties) {
        set("from", parties.sender.shown)
        set("from_lid", ifPresent: parties.sender.hidden)
        set(chat: parties.chat)
    }
}

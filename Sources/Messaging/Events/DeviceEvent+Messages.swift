import Transport
import WhatsAppProtobuf

/// Events about messages, receipts and groups (11-webhooks, sections 9.1, 9.7 and 10). Dedupe keys name the message, so a
/// redelivered stanza makes the same key.
extension DeviceEvent {
    /// Chat and sender as events show them: canonical LID with the phone number beside it where known.
    struct MessageParties {
        var chat: String
        var sender: String
        var senderAlternative: String?
    }

    static func messageReceived(
        _ info: MessageInfo, parties: MessageParties, payload: MessagePayload, type: String, text: String?,
        retryCount: Int, at: Timestamp
    ) -> DeviceEvent {
        var data = messageData(info, parties: parties)
        data.set("type", type)
        data.set("text", ifPresent: text)
        data.set("push_name", ifPresent: info.pushName)
        data.set("sender_alt", ifPresent: parties.senderAlternative)
        data.set("is_group", info.isGroup)
        data.set("is_offline", info.isOffline)
        if retryCount > 0 { data.set("retry_count", retryCount) }
        for member in payload.content.members where member.name != "type" && member.name != "text" {
            data.set(member.name, raw: member.value.text)
        }
        return DeviceEvent(
            type: "message.received", dedupeKey: key("message.received", info, parties), data: data.bytes, at: at)
    }

    static func messageEdited(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, text: String?, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set("chat", parties.chat)
        data.set("from", parties.sender)
        data.set("timestamp", info.timestamp.seconds)
        data.set("text", text ?? "")
        return DeviceEvent(
            type: "message.edited", dedupeKey: key("message.edited", info, parties), data: data.bytes, at: at)
    }

    static func messageReaction(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, emoji: String, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set("chat", parties.chat)
        data.set("from", parties.sender)
        data.set("emoji", emoji)
        data.set("timestamp", info.timestamp.seconds)
        return DeviceEvent(
            type: "message.reaction", dedupeKey: key("message.reaction", info, parties), data: data.bytes, at: at)
    }

    static func messageDeleted(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", target.messageID)
        data.set("from", parties.sender)
        data.set("chat", parties.chat)
        data.set("timestamp", info.timestamp.seconds)
        data.set("deleted_by", parties.sender)
        data.set("is_from_me", info.isFromMe)
        return DeviceEvent(
            type: "message.deleted", dedupeKey: key("message.deleted", info, parties), data: data.bytes, at: at)
    }

    /// May repeat for a failed resend: `attempt` makes the key unique.
    static func messageUndecryptable(
        _ info: MessageInfo, parties: MessageParties, own: String, isUnavailable: Bool, unavailableType: String,
        failMode: String, attempt: Int, at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("jid", own)
        data.set("message_id", info.id)
        data.set("from", parties.sender)
        data.set("chat", parties.chat)
        data.set("timestamp", info.timestamp.seconds)
        data.set("is_from_me", info.isFromMe)
        data.set("is_unavailable", isUnavailable)
        data.set("unavailable_type", unavailableType)
        data.set("fail_mode", failMode)
        return DeviceEvent(
            type: "message.undecryptable", dedupeKey: key("message.undecryptable", info, parties) + " \(attempt)",
            data: data.bytes, at: at)
    }

    static func messageSent(id: String, chat: String, timestamp: Timestamp, origin: String, at: Timestamp)
        -> DeviceEvent
    {
        var data = JSONObject()
        data.set("message_id", id)
        data.set("chat", chat)
        data.set("timestamp", timestamp.seconds)
        data.set("origin", origin)
        return DeviceEvent(type: "message.sent", dedupeKey: "message.sent \(chat) \(id)", data: data.bytes, at: at)
    }

    static func messageFailed(id: String, chat: String, error: String, code: Int?, at: Timestamp) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", id)
        data.set("chat", chat)
        data.set("error", error)
        if let code { data.set("wa_code", code) } else { data.setNull("wa_code") }
        return DeviceEvent(type: "message.failed", dedupeKey: "message.failed \(chat) \(id)", data: data.bytes, at: at)
    }

    static func retryRequested(id: String, chat: String, sender: JID, count: Int, at: Timestamp) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", id)
        data.set("chat", chat)
        data.set("sender", sender.description)
        data.set("count", count)
        return DeviceEvent(
            type: "message.retry_requested", dedupeKey: "message.retry_requested \(chat) \(id) \(sender) \(count)",
            data: data.bytes, at: at)
    }

    /// One per message id of a receipt; nil for receipts that are no news to people.
    static func receipt(_ receipt: IncomingReceipt, entry: IncomingReceipt.Entry, chat: String, at: Timestamp)
        -> DeviceEvent?
    {
        let type: String
        switch receipt.kind {
        case .delivered: type = "message.delivered"
        case .read, .readSelf: type = "message.read"
        case .played: type = "message.played"
        case .sender, .playedSelf, .retry, .other: return nil
        }
        var data = JSONObject()
        data.set("message_id", entry.messageID)
        data.set("chat", chat)
        data.set("sender", entry.sender.description)
        data.set("timestamp", entry.at.seconds)
        data.set("receipt_type", receipt.typeText)
        return DeviceEvent(
            type: type, dedupeKey: "\(type) \(chat) \(entry.messageID) \(entry.sender) \(receipt.typeText)",
            data: data.bytes, at: at)
    }

    private static func messageData(_ info: MessageInfo, parties: MessageParties) -> JSONObject {
        var data = JSONObject()
        data.set("message_id", info.id)
        data.set("from", parties.sender)
        data.set("chat", parties.chat)
        data.set("timestamp", info.timestamp.seconds)
        data.set("is_from_me", info.isFromMe)
        return data
    }

    private static func key(_ type: String, _ info: MessageInfo, _ parties: MessageParties) -> String {
        "\(type) \(parties.chat) \(parties.sender) \(info.id)"
    }
}

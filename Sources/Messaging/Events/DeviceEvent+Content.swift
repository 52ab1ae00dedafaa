import Cryptography
import Transport
import WhatsAppProtobuf

/// Events that a message makes beside `message.received`, by its content and its chat (11-webhooks, sections 9.11 to 9.13).
extension DeviceEvent {
    /// Of a message that is shown: a file, a poll, a status post.
    static func content(
        _ info: MessageInfo, parties: MessageParties, payload: MessagePayload, own: String, at: Timestamp
    ) -> [DeviceEvent] {
        var events: [DeviceEvent] = []
        let content = payload.content
        if let media = content.media {
            events.append(
                make("media.received", info, parties, own: own, at: at) { data in
                    data.set(chat: parties.chat)
                    data.set("media_type", mediaWord(media.type))
                    data.set("mimetype", ifPresent: media.mimetype)
                    if let length = media.fileLength { data.set("file_length", length) }
                    data.set("file_name", ifPresent: media.fileName)
                    data.set("caption", ifPresent: media.caption)
                    data.set("file_sha256", ifPresent: media.fileSHA256.map { Base64.encode($0) })
                    if let seconds = media.seconds { data.set("seconds", seconds) }
                    if let width = media.width { data.set("width", width) }
                    if let height = media.height { data.set("height", height) }
                    data.set("direct_path", ifPresent: media.directPath)
                })
        }
        if content.kind == .poll, let field = ContentKind.field(of: content.message)?.name,
            let poll = content.message[message: field]
        {
            let options = poll[messages: "options"].map { $0[string: "optionName"] ?? "" }
            events.append(
                make("poll.created", info, parties, own: own, at: at) { data in
                    data.set(chat: parties.chat)
                    data.set("poll_name", poll[string: "name"] ?? "")
                    data.set("options_count", options.count)
                    data.set("selectable_options", poll[uint: "selectableOptionsCount"] ?? 0)
                    data.set("options", options)
                })
        }
        if info.chat.isStatus {
            events.append(
                make("status.posted", info, parties, own: own, at: at) { data in
                    data.set(sender: parties.sender)
                    data.set("timestamp", info.timestamp.seconds)
                    data.set("is_from_me", info.isFromMe)
                })
        }
        return events
    }

    /// Of a vote: both names that the reference sends.
    static func pollVote(
        _ info: MessageInfo, parties: MessageParties, payload: MessagePayload, own: String, at: Timestamp
    ) -> [DeviceEvent] {
        let poll = payload.message[message: "pollUpdateMessage"]?[message: "pollCreationMessageKey"]?[string: "ID"]
        return ["poll.vote", "poll.update"].map { type in
            make(type, info, parties, own: own, at: at) { data in
                data.set(chat: parties.chat)
                data.set("timestamp", info.timestamp.seconds)
                data.set("poll_id", ifPresent: poll)
                data.set("voter", parties.sender.shown)
                data.set("voter_lid", ifPresent: parties.sender.hidden)
            }
        }
    }

    /// A status post was taken back.
    static func statusDeleted(
        _ info: MessageInfo, parties: MessageParties, target: MessageKey, own: String, claim: AuthorshipClaim?,
        at: Timestamp
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("jid", own)
        data.set("message_id", target.messageID)
        data.set(sender: parties.sender)
        data.set("timestamp", info.timestamp.seconds)
        data.set("is_from_me", info.isFromMe)
        return DeviceEvent(
            type: "status.deleted", dedupeKey: "status.deleted \(parties.sender.key) \(info.id)", data: data.bytes,
            at: at, claim: claim)
    }

    /// Somebody saw a status post of this account.
    static func statusViewed(messageID: String, sender: Party, seenAt: Timestamp, own: String, at: Timestamp)
        -> DeviceEvent
    {
        var data = JSONObject()
        data.set("jid", own)
        data.set("message_id", messageID)
        data.set("chat", "status@broadcast")
        data.set("sender", sender.shown)
        data.set("sender_lid", ifPresent: sender.hidden)
        data.set("timestamp", seenAt.seconds)
        return DeviceEvent(
            type: "status.viewed", dedupeKey: "status.viewed \(sender.key) \(messageID)", data: data.bytes, at: at)
    }

    private static func make(
        _ type: String, _ info: MessageInfo, _ parties: MessageParties, own: String, at: Timestamp,
        _ fill: (inout JSONObject) -> Void
    ) -> DeviceEvent {
        var data = JSONObject()
        data.set("jid", own)
        data.set("message_id", info.id)
        fill(&data)
        return DeviceEvent(
            type: type, dedupeKey: "\(type) \(parties.chat.key) \(parties.sender.key) \(info.id)", data: data.bytes,
            at: at)
    }

    /// The reference knows five kinds of file.
    private static func mediaWord(_ type: String) -> String {
        switch type {
        case "ptt": "audio"
        case "video_note": "video"
        default: type
        }
    }
}

extension JSONObject {
    fileprivate mutating func set(sender: Party) {
        set("from", sender.shown)
        set("from_lid", ifPresent: sender.hidden)
    }
}

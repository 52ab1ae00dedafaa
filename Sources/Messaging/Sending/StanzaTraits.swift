import WhatsAppProtobuf

/// Attributes that follow from the content of a message (04-message-pipeline, sections 8.2 to 8.5; 05, section 2.2).
package struct StanzaTraits: Sendable, Equatable {
    /// `type` of `<message>`.
    package var type = "text"
    /// `mediatype` of `<enc>`.
    package var mediaType: String?
    package var edit: String?
    /// `decrypt-fail="hide"`: receivers show no placeholder.
    package var hidesDecryptFailure = false
    /// `polltype` of `<meta>`.
    package var pollType: String?
    package var eventType: String?

    package init() {}

    package init(_ outer: ProtoMessage) {
        let message = StanzaTraits.unwrapped(outer)
        edit = StanzaTraits.edit(of: message, outer: outer)
        hidesDecryptFailure = edit != nil && edit != "8"
        if message.has("reactionMessage") || message.has("encReactionMessage") {
            type = "reaction"
            hidesDecryptFailure = true
        } else if message.has("pollUpdateMessage") {
            (type, pollType) = ("poll", "vote")
            hidesDecryptFailure = message[message: "pollUpdateMessage"]?.has("vote") ?? false
        } else if StanzaTraits.polls.contains(where: message.has) {
            (type, pollType) = ("poll", "creation")
        } else if message.has("eventMessage") {
            (type, eventType) = ("event", "creation")
        } else if message.has("encEventResponseMessage") {
            (type, eventType) = ("event", "response")
            hidesDecryptFailure = true
        } else if message.has("pinInChatMessage") || message.has("keepInChatMessage") {
            hidesDecryptFailure = true
        } else if let media = StanzaTraits.mediaType(of: message) {
            (type, mediaType) = ("media", media)
        }
    }

    private static let polls = [
        "pollCreationMessage", "pollCreationMessageV2", "pollCreationMessageV3", "pollCreationMessageV5",
    ]

    private static let wrappers = [
        "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension",
        "lottieStickerMessage", "documentWithCaptionMessage", "groupMentionedMessage", "botInvokeMessage",
        "associatedChildMessage",
    ]

    private static func unwrapped(_ message: ProtoMessage) -> ProtoMessage {
        var message = message
        for _ in 0..<8 {
            guard let inner = wrappers.lazy.compactMap({ message[message: $0]?[message: "message"] }).first else { break }
            message = inner
        }
        return message
    }

    private static func edit(of message: ProtoMessage, outer: ProtoMessage) -> String? {
        let inner = message[message: "editedMessage"]?[message: "message"] ?? message
        if let body = inner[message: "protocolMessage"] {
            switch body[int: "type"] ?? 0 {
            case 14 where body.has("editedMessage"): return "1"
            case 0 where body.has("key"): return body[message: "key"]?[bool: "fromMe"] == true ? "7" : "8"
            default: return nil
            }
        }
        if let reaction = message[message: "reactionMessage"], reaction[string: "text"] ?? "" == "" { return "7" }
        if message.has("pinInChatMessage") { return "2" }
        if let keep = message[message: "keepInChatMessage"], keep[message: "key"]?[bool: "fromMe"] == true,
            keep[int: "keepType"] == 2
        {
            return "7"
        }
        return nil
    }

    private static let media: [(field: String, type: String)] = [
        ("imageMessage", "image"), ("documentMessage", "document"), ("stickerMessage", "sticker"),
        ("stickerPackMessage", "sticker_pack"), ("ptvMessage", "ptv"), ("contactMessage", "vcard"),
        ("contactsArrayMessage", "contact_array"), ("groupInviteMessage", "url"), ("locationMessage", "location"),
        ("liveLocationMessage", "livelocation"), ("listMessage", "list"), ("listResponseMessage", "list_response"),
        ("buttonsResponseMessage", "buttons_response"), ("orderMessage", "order"), ("productMessage", "product"),
        ("interactiveResponseMessage", "native_flow_response"),
    ]

    private static func mediaType(of message: ProtoMessage) -> String? {
        if let text = message[message: "extendedTextMessage"] {
            let matched = text[string: "matchedText"] ?? ""
            return matched.allSatisfy(\.isWhitespace) ? nil : "url"
        }
        if let video = message[message: "videoMessage"] { return video[bool: "gifPlayback"] == true ? "gif" : "video" }
        if let audio = message[message: "audioMessage"] { return audio[bool: "PTT"] == true ? "ptt" : "audio" }
        return media.first { message.has($0.field) }?.type
    }
}

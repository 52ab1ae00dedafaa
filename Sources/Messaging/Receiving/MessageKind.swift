import WhatsAppProtobuf

/// What a payload is, for rows and events (05-message-content, sections 3.4 and 3.5).
package enum MessageKind: Sendable, Equatable {
    /// Something to show: its word and its text.
    case content(type: String, text: String?)
    case reaction(target: MessageKey, emoji: String)
    case edit(target: MessageKey, content: [UInt8], text: String?)
    case revoke(target: MessageKey)
    case ephemeralSetting(seconds: Int)
    /// Machine traffic among the own devices: never shown.
    case internalTraffic
    /// A protocol message that is neither honoured nor shown.
    case otherProtocol(type: Int)
    /// Votes, encrypted reactions, pins…: attached to their target elsewhere; the word of what it is.
    case addOn(type: String)
    case keyMaterial
}

extension MessagePayload {
    package var kind: MessageKind {
        if isKeyMaterialOnly { return .keyMaterial }
        if let body = protocolMessage { return MessagePayload.kind(ofProtocol: body) }
        if let reaction = message[message: "reactionMessage"] {
            guard let target = reaction[message: "key"].flatMap(MessageKey.init(_:)) else { return .addOn(type: "reaction") }
            return .reaction(target: target, emoji: reaction[string: "text"] ?? "")
        }
        for (field, word) in MessagePayload.addOns where message.has(field) { return .addOn(type: word) }
        return .content(type: MessagePayload.word(of: message), text: MessagePayload.text(of: message))
    }

    private static let addOns: [(field: String, word: String)] = [
        ("pollUpdateMessage", "poll_vote"), ("keepInChatMessage", "keep"), ("encReactionMessage", "enc_reaction"),
        ("pinInChatMessage", "pin"), ("encCommentMessage", "enc_comment"), ("encEventResponseMessage", "event_response"),
        ("secretEncryptedMessage", "secret_encrypted"),
    ]

    private static func kind(ofProtocol body: ProtoMessage) -> MessageKind {
        let type = Int(body[int: "type"] ?? 0)
        switch type {
        case 0:
            guard let target = body[message: "key"].flatMap(MessageKey.init(_:)) else { return .otherProtocol(type: type) }
            return .revoke(target: target)
        case 3: return .ephemeralSetting(seconds: Int(body[uint: "ephemeralExpiration"] ?? 0))
        case 4, 5, 6, 7, 8, 9, 10, 16, 17, 22: return .internalTraffic
        case 14:
            guard let target = body[message: "key"].flatMap(MessageKey.init(_:)), let content = body[message: "editedMessage"] else {
                return .otherProtocol(type: type)
            }
            return .edit(target: target, content: content.serialized(), text: text(of: content))
        default: return .otherProtocol(type: type)
        }
    }

    /// Content fields by ascending number and the word each is stored under.
    private static let words: [(field: String, word: String)] = [
        ("conversation", "text"), ("imageMessage", "image"), ("contactMessage", "contact"),
        ("locationMessage", "location"), ("extendedTextMessage", "text"), ("documentMessage", "document"),
        ("audioMessage", "audio"), ("videoMessage", "video"), ("call", "call"), ("contactsArrayMessage", "contacts"),
        ("liveLocationMessage", "live_location"), ("templateMessage", "template"), ("stickerMessage", "sticker"),
        ("groupInviteMessage", "group_invite"), ("templateButtonReplyMessage", "button_reply"),
        ("productMessage", "product"), ("listMessage", "list"), ("orderMessage", "order"),
        ("listResponseMessage", "list_response"), ("buttonsMessage", "buttons"),
        ("buttonsResponseMessage", "button_reply"), ("interactiveMessage", "interactive"),
        ("interactiveResponseMessage", "interactive_response"), ("pollCreationMessage", "poll"),
        ("pollCreationMessageV2", "poll"), ("pollCreationMessageV3", "poll"), ("ptvMessage", "video_note"),
        ("eventMessage", "event"), ("commentMessage", "comment"), ("placeholderMessage", "placeholder"),
        ("albumMessage", "album"), ("stickerPackMessage", "sticker_pack"), ("richResponseMessage", "rich_response"),
        ("pollCreationMessageV5", "poll"),
    ]

    static func word(of message: ProtoMessage) -> String {
        words.first { message.has($0.field) }?.word ?? "unknown"
    }

    /// The text a person would read, nil when there is none.
    static func text(of message: ProtoMessage) -> String? {
        let text: String? =
            if let conversation = message[string: "conversation"] {
                conversation
            } else if let body = message[message: "extendedTextMessage"] {
                body[string: "text"] ?? body[string: "matchedText"]
            } else {
                captions.lazy.compactMap { caption in
                    message[message: caption.field]?[string: caption.inner]
                }.first { !$0.isEmpty }
            }
        return text?.isEmpty == true ? nil : text
    }

    private static let captions: [(field: String, inner: String)] = [
        ("imageMessage", "caption"), ("videoMessage", "caption"), ("ptvMessage", "caption"),
        ("documentMessage", "caption"), ("buttonsResponseMessage", "selectedDisplayText"),
        ("templateButtonReplyMessage", "selectedDisplayText"), ("listResponseMessage", "title"),
        ("pollCreationMessage", "name"), ("pollCreationMessageV2", "name"), ("pollCreationMessageV3", "name"),
        ("pollCreationMessageV5", "name"), ("eventMessage", "name"), ("groupInviteMessage", "caption"),
        ("groupInviteMessage", "groupName"), ("contactMessage", "displayName"), ("contactsArrayMessage", "displayName"),
        ("locationMessage", "name"), ("locationMessage", "address"), ("liveLocationMessage", "caption"),
    ]
}

extension MessagePayload {
    /// Quote and mentions of whatever content carries a contextInfo.
    package var context: (quotedID: String?, quotedSender: String?, mentions: [String]) {
        for field in MessagePayload.contextFields {
            guard let info = message[message: field]?[message: "contextInfo"] else { continue }
            return (info[string: "stanzaID"], info[string: "participant"], info[strings: "mentionedJID"])
        }
        return (nil, nil, [])
    }

    private static let contextFields = [
        "extendedTextMessage", "imageMessage", "videoMessage", "audioMessage", "documentMessage", "stickerMessage",
        "locationMessage", "liveLocationMessage", "contactMessage", "contactsArrayMessage", "pollCreationMessage",
        "pollCreationMessageV2", "pollCreationMessageV3", "eventMessage", "ptvMessage",
    ]
}

import Transport
import WhatsAppProtobuf

/// Attributes that follow from the content of a message (04-message-pipeline, sections 8.2 to 8.5; 05, section 2.2).
///
/// Where the reference client and the web client differ, the reference's values hold, but for the kinds it has no rule for:
/// locations, video notes, sticker packs, later polls and events.
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
    /// `event_type` of `<meta>`.
    package var eventType: String?
    /// The child of `<biz>`.
    package var business: Stanza?

    package init() {}

    /// Of a message as built, its wrappers around it.
    package init(_ outer: ProtoMessage) {
        let message = MessageWrapper.unwrap(outer, MessageWrapper.transparentForStanza).message
        let inner = MessageWrapper.edited.content(of: message) ?? message
        switch ContentKind(of: inner) {
        case .protocolMessage: protocolMessage(inner[message: "protocolMessage"])
        case .reaction:
            type = "reaction"
            hidesDecryptFailure = true
            if inner[message: "reactionMessage"]?[string: "text"] ?? "" == "" { edit = "7" }
        case .encryptedReaction: (type, hidesDecryptFailure) = ("reaction", true)
        case .poll: (type, pollType) = ("poll", "creation")
        case .pollVote:
            (type, pollType) = ("poll", "vote")
            hidesDecryptFailure = inner[message: "pollUpdateMessage"]?.has("vote") ?? false
        case .pollResult: pollType = "result_snapshot"
        case .event: (type, eventType) = ("event", "creation")
        case .eventResponse: (type, eventType, hidesDecryptFailure) = ("event", "response", true)
        case .secretEncrypted: secretEncrypted(inner[message: "secretEncryptedMessage"])
        case .pin: (edit, hidesDecryptFailure) = ("2", true)
        case .keep: keep(inner[message: "keepInChatMessage"])
        case .historyNotice: hidesDecryptFailure = true
        default: content(inner)
        }
    }

    private mutating func protocolMessage(_ body: ProtoMessage?) {
        guard let body else { return }
        switch body[int: "type"] ?? 0 {
        case 0 where body.has("key"):
            edit = body[message: "key"]?[bool: "fromMe"] == true ? "7" : "8"
            hidesDecryptFailure = edit == "7"
        case 14 where body.has("editedMessage"): (edit, hidesDecryptFailure) = ("1", true)
        // Timer sync, welcome request, member label.
        case 4, 18, 30: hidesDecryptFailure = true
        default: break
        }
    }

    private mutating func secretEncrypted(_ body: ProtoMessage?) {
        switch body?[enumName: "secretEncType"] {
        case "EVENT_EDIT": (type, eventType, edit, hidesDecryptFailure) = ("event", "edit", "1", true)
        case "POLL_EDIT", "POLL_ADD_OPTION": (type, pollType, hidesDecryptFailure) = ("poll", "edit", true)
        case "MESSAGE_EDIT": (edit, hidesDecryptFailure) = ("1", true)
        default: break
        }
    }

    private mutating func keep(_ body: ProtoMessage?) {
        hidesDecryptFailure = true
        if body?[message: "key"]?[bool: "fromMe"] == true, body?[enumName: "keepType"] == "UNDO_KEEP_FOR_ALL" {
            edit = "7"
        }
    }

    /// Kinds of media and of business messages.
    private mutating func content(_ message: ProtoMessage) {
        guard let (field, kind) = ContentKind.field(of: message) else { return }
        switch kind {
        case .text where field == "extendedTextMessage":
            mediaType = message[message: field]?.has("title") == true ? "url" : nil
        case .video: mediaType = message[message: field]?[bool: "gifPlayback"] == true ? "gif" : "video"
        case .audio: mediaType = message[message: field]?[bool: "PTT"] == true ? "ptt" : "audio"
        case .location: mediaType = message[message: field]?[bool: "isLive"] == true ? "livelocation" : "location"
        case .list:
            mediaType = "list"
            let listType = message[message: field]?[enumName: "listType"] ?? "UNKNOWN"
            business = Stanza("list", ["v": "2", "type": .text(listType.lowercased())])
        case .listResponse: (mediaType, business) = ("list_response", Stanza("list_response"))
        case .interactiveResponse:
            (mediaType, business) = ("native_flow_response", Stanza("interactive_response"))
        case .buttonReply where field == "buttonsResponseMessage":
            (mediaType, business) = ("buttons_response", Stanza("buttons_response"))
        case .buttons: business = Stanza("buttons")
        default: mediaType = StanzaTraits.mediaTypes[kind]
        }
        if mediaType != nil { type = "media" }
    }

    private static let mediaTypes: [ContentKind: String] = [
        .image: "image", .videoNote: "ptv", .document: "document", .sticker: "sticker", .stickerPack: "sticker_pack",
        .liveLocation: "livelocation", .contact: "vcard", .contactsArray: "contact_array", .product: "product",
        .order: "order",
    ]
}

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
        let kind = ContentKind(of: message)
        switch kind {
        case .empty, .machine: return .keyMaterial
        case .protocolMessage: return protocolMessage.map(MessagePayload.kind(ofProtocol:)) ?? .keyMaterial
        case .reaction:
            guard let reaction = message[message: "reactionMessage"],
                let target = reaction[message: "key"].flatMap(MessageKey.init(_:))
            else { return .addOn(type: kind.rawValue) }
            return .reaction(target: target, emoji: reaction[string: "text"] ?? "")
        case _ where kind.isAddOn: return .addOn(type: kind.rawValue)
        default: return .content(type: kind.rawValue, text: ContentText.of(message))
        }
    }

    private static func kind(ofProtocol body: ProtoMessage) -> MessageKind {
        let type = Int(body[int: "type"] ?? 0)
        switch type {
        case 0:
            guard let target = body[message: "key"].flatMap(MessageKey.init(_:)) else {
                return .otherProtocol(type: type)
            }
            return .revoke(target: target)
        case 3: return .ephemeralSetting(seconds: Int(body[uint: "ephemeralExpiration"] ?? 0))
        case 4, 5, 6, 7, 8, 9, 10, 16, 17, 22: return .internalTraffic
        case 14:
            guard let target = body[message: "key"].flatMap(MessageKey.init(_:)),
                let content = body[message: "editedMessage"]
            else {
                return .otherProtocol(type: type)
            }
            let text = ContentText.of(MessageWrapper.unwrap(content).message)
            return .edit(target: target, content: content.serialized(), text: text)
        default: return .otherProtocol(type: type)
        }
    }
}

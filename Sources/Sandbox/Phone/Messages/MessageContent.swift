import Cryptography
import Transport
import WhatsAppProtobuf

/// An E2E `Message`, serialized, with what the stanza around it must say (04-message-pipeline, sections 3 and 8).
package struct MessageContent: Sendable, Equatable {
    /// The serialized `Message` as every recipient gets it: no device-sent wrapper, no sender key, no padding.
    package let bytes: Bytes

    package init(_ bytes: Bytes) { self.bytes = bytes }

    // MARK: Reading

    /// The message inside view-once, ephemeral and similar wrappers; at most eight layers are opened.
    var innermost: ProtoFields {
        var fields = ProtoFields(lenient: bytes)
        for _ in 0..<8 {
            guard let wrapper = MessageField.wrappers.first(where: { fields.has($0) }),
                let inner = fields.message(wrapper)?.message(1)
            else { break }
            fields = inner
        }
        return fields
    }

    /// Number of the field that holds the content.
    private var contentField: Int? {
        let numbers = innermost.numbers
        return numbers.first { MessageField.kinds[$0] != nil }
            ?? numbers.first { $0 != MessageField.senderKeyDistribution && $0 != MessageField.contextInfo }
    }

    /// `text`, `image`, `reaction`, `protocol` … or `unknown`.
    package var kind: String {
        guard let field = contentField else { return "empty" }
        if field == MessageField.protocolMessage { return protocolKind }
        return MessageField.kinds[field]?.kind ?? "unknown"
    }

    private var protocolKind: String {
        switch innermost.message(MessageField.protocolMessage)?.uint(2) ?? 0 {
        case 0: "revoke"
        case 3: "ephemeral_setting"
        case 14: "edit"
        default: "protocol"
        }
    }

    /// The words of the message: text, caption, emoji of a reaction, or the new text of an edit.
    package var text: String? {
        let fields = innermost
        if let edited = fields.message(MessageField.protocolMessage)?.bytes(14) {
            return MessageContent(edited).text
        }
        guard let field = contentField, let kind = MessageField.kinds[field] else { return nil }
        if field == MessageField.conversation { return fields.string(field) }
        guard let caption = kind.caption else { return nil }
        return fields.message(field)?.string(caption)
    }

    /// The message that a reaction, edit or revoke is about.
    package var target: (id: String, fromMe: Bool)? {
        let fields = innermost
        let key =
            fields.message(MessageField.protocolMessage)?.message(1)
            ?? fields.message(MessageField.reaction)?.message(1)
        guard let key, let id = key.string(3) else { return nil }
        return (id, key.bool(2))
    }

    /// New content of an edit.
    package var editedContent: MessageContent? {
        innermost.message(MessageField.protocolMessage)?.bytes(14).map { MessageContent($0) }
    }

    /// `type` of the stanza.
    package var stanzaType: String {
        contentField.flatMap { MessageField.kinds[$0]?.type } ?? "text"
    }

    /// `mediatype` of each `<enc>`.
    package var mediaType: String? {
        contentField.flatMap { MessageField.kinds[$0]?.media }
    }

    /// `edit` of the stanza (04-message-pipeline, section 8.2).
    package var editAttribute: String? {
        switch kind {
        case "edit": "1"
        case "pin": "2"
        case "revoke": target?.fromMe == true ? "7" : "8"
        case "reaction" where text?.isEmpty == true: "7"
        default: nil
        }
    }

    /// Whether receivers that fail to decrypt show nothing.
    package var isHiddenOnFailure: Bool { editAttribute != nil || kind == "reaction" }

    // MARK: Building

    package static func text(_ text: String) -> MessageContent {
        var writer = ProtoWriter()
        writer.string(MessageField.conversation, text)
        return MessageContent(writer.bytes)
    }

    /// What a text refers to: an answered message, mentioned people, the chat's disappearing timer.
    package struct Context: Sendable {
        package struct Quote: Sendable {
            package var id: String
            /// Author of the answered message, bare.
            package var participant: JID
            package var content: MessageContent?
            package init(id: String, participant: JID, content: MessageContent?) {
                self.id = id
                self.participant = participant
                self.content = content
            }
        }

        package var quote: Quote?
        package var mentions: [JID] = []
        /// Seconds.
        package var expiration: UInt32?
        package init() {}
        var isEmpty: Bool { quote == nil && mentions.isEmpty && expiration == nil }
    }

    package static func text(_ text: String, context: Context) -> MessageContent {
        guard !context.isEmpty else { return .text(text) }
        var writer = ProtoWriter()
        writer.message(MessageField.extendedText) { extended in
            extended.string(1, text)
            extended.message(17) { info in
                if let quote = context.quote {
                    info.string(1, quote.id)
                    info.string(2, quote.participant.description)
                    if let content = quote.content { info.bytes(3, content.bytes) }
                }
                for mention in context.mentions { info.string(15, mention.bare.description) }
                if let expiration = context.expiration { info.varint(25, UInt64(expiration)) }
            }
        }
        return MessageContent(writer.bytes)
    }

    /// `WACommon.MessageKey`: which message is meant. `participant`: its author, in groups and when not from oneself.
    private static func key(chat: JID, id: String, fromMe: Bool, participant: JID?) -> Bytes {
        var writer = ProtoWriter()
        writer.string(1, chat.description)
        writer.bool(2, fromMe)
        writer.string(3, id)
        if let participant { writer.string(4, participant.description) }
        return writer.bytes
    }

    /// An emoji for a message, or its withdrawal when `emoji` is empty. `time`: milliseconds.
    package static func reaction(
        _ emoji: String, to id: String, in chat: JID, fromMe: Bool, participant: JID?, time: Int64
    ) -> MessageContent {
        var writer = ProtoWriter()
        writer.message(MessageField.reaction) { reaction in
            reaction.bytes(1, key(chat: chat, id: id, fromMe: fromMe, participant: participant))
            reaction.string(2, emoji)
            reaction.int(4, time)
        }
        return MessageContent(writer.bytes)
    }

    /// Takes a message back: one's own, or another's as an admin (`participant` is then its author).
    package static func revoke(_ id: String, in chat: JID, fromMe: Bool, participant: JID?) -> MessageContent {
        var writer = ProtoWriter()
        writer.message(MessageField.protocolMessage) { message in
            message.bytes(1, key(chat: chat, id: id, fromMe: fromMe, participant: participant))
            message.varint(2, 0)
        }
        return MessageContent(writer.bytes)
    }

    /// New content for one's own message. `time`: milliseconds.
    package static func edit(_ id: String, in chat: JID, content: MessageContent, time: Int64) -> MessageContent {
        var writer = ProtoWriter()
        writer.message(58) { wrapper in
            wrapper.message(1) { message in
                message.message(MessageField.protocolMessage) { edit in
                    edit.bytes(1, key(chat: chat, id: id, fromMe: true, participant: nil))
                    edit.varint(2, 14)
                    edit.bytes(14, content.bytes)
                    edit.int(15, time)
                }
            }
        }
        return MessageContent(writer.bytes)
    }

    /// A message of the phone's own machinery: `protocolMessage` with `type` and one payload field.
    package static func protocolMessage(type: UInt64, field: Int, payload: Bytes) -> MessageContent {
        var writer = ProtoWriter()
        writer.message(MessageField.protocolMessage) { message in
            message.varint(2, type)
            message.bytes(field, payload)
        }
        return MessageContent(writer.bytes)
    }

    // MARK: Wrapping

    /// The copy for the sender's own other devices (04-message-pipeline, section 3.1).
    package func deviceSent(to destination: JID) -> Bytes {
        var writer = ProtoWriter()
        writer.message(MessageField.deviceSent) { sent in
            sent.string(1, destination.bare.description)
            sent.bytes(2, bytes)
        }
        if let info = ProtoFields(lenient: bytes).bytes(MessageField.contextInfo) {
            writer.bytes(MessageField.contextInfo, info)
        }
        return writer.bytes
    }

    /// A sender key for `group`, alone or in front of this message.
    package static func senderKeyDistribution(_ distribution: Bytes, group: JID) -> Bytes {
        var writer = ProtoWriter()
        writer.message(MessageField.senderKeyDistribution) { wrapper in
            wrapper.string(1, group.description)
            wrapper.bytes(2, distribution)
        }
        return writer.bytes
    }
}

/// A decrypted plaintext taken apart: content, sender key, device-sent wrapper (04-message-pipeline, section 13.6).
package struct ReceivedContent: Sendable, Equatable {
    /// Nil when the plaintext held only a sender key.
    package let content: MessageContent?
    /// Chat named by a device-sent wrapper.
    package let destination: JID?
    package let isDeviceSent: Bool
    /// Serialized `SenderKeyDistributionMessage` of the Signal protocol, with its group.
    package let senderKey: (group: String, distribution: Bytes)?

    /// Throws `ProtoError` when the plaintext is no protobuf.
    package init(_ plaintext: Bytes) throws {
        var fields = try ProtoFields(plaintext)
        isDeviceSent = fields.has(MessageField.deviceSent)
        if let sent = fields.message(MessageField.deviceSent) {
            destination = sent.string(1).flatMap { JID($0) }
            fields = try ProtoFields(sent.bytes(2) ?? [])
        } else {
            destination = nil
        }
        if let wrapper = fields.message(MessageField.senderKeyDistribution), let distribution = wrapper.bytes(2) {
            senderKey = (wrapper.string(1) ?? "", distribution)
        } else {
            senderKey = nil
        }
        let rest = fields.serialized(without: [MessageField.senderKeyDistribution])
        let hasContent = fields.numbers.contains {
            $0 != MessageField.senderKeyDistribution && $0 != MessageField.contextInfo
        }
        content = hasContent ? MessageContent(rest) : nil
    }

    package static func == (a: ReceivedContent, b: ReceivedContent) -> Bool {
        a.content == b.content && a.destination == b.destination && a.isDeviceSent == b.isDeviceSent
            && a.senderKey?.group == b.senderKey?.group && a.senderKey?.distribution == b.senderKey?.distribution
    }
}

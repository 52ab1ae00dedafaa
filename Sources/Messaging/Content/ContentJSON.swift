import Transport
import WhatsAppProtobuf

/// A received message as webhooks and API answers show it (11-webhooks, section 9.1, event 1).
package struct ContentJSON: Sendable {
    /// Without wrappers.
    package let message: ProtoMessage
    package let kind: ContentKind
    package let text: String?
    package let context: ContentContext
    package let media: ContentMedia?
    private let wrappers: [MessageWrapper]

    /// Takes a message with its wrappers, but without a device-sent one.
    package init(_ outer: ProtoMessage) {
        let (message, removed) = MessageWrapper.unwrap(outer)
        self.init(message, removed: removed)
    }

    /// Takes a message whose wrappers are already removed.
    package init(_ message: ProtoMessage, removed: [MessageWrapper]) {
        self.message = message
        wrappers = removed
        kind = ContentKind(of: message)
        text = ContentText.of(message)
        context = ContentContext(of: message)
        media = ContentMedia(message)
    }

    package var isEdit: Bool {
        wrappers.contains(.edited)
            || message[message: "protocolMessage"]?[enumName: "type"] == "MESSAGE_EDIT"
    }

    package var isEphemeral: Bool { wrappers.contains(.ephemeral) || context.expiration > 0 }

    package var isViewOnce: Bool { wrappers.contains(where: \.isViewOnce) || media?.isViewOnce == true }

    /// The members that tell of the content; who sent it where and when stands before them.
    ///
    /// `message` is the whole content as protobuf JSON, without its secret; absent for kinds this version does not know,
    /// which have `unknown_fields` (their numbers) instead.
    package var members: [ProtoJSON.Member] {
        let unknown = kind == .unknown ? message.unknownFieldNumbers : []
        let object = ProtoJSON.members([
            "type": .string(kind.rawValue), "text": text.map { .string($0) }, "is_edit": .bool(isEdit),
            "is_ephemeral": .bool(isEphemeral), "is_view_once": .bool(isViewOnce), "quoted": quoted,
            "mentions": .array(context.mentions.map { .string($0.bare.description) }), "media": media?.json,
            "message": unknown.isEmpty ? shownMessage : nil,
            "unknown_fields": unknown.isEmpty ? nil : .array(unknown.map { .integer($0) }),
        ])
        guard case .object(let members) = object else { return [] }
        return members
    }

    /// The quoted message; nil when nothing is quoted.
    package var quoted: ProtoJSON? {
        guard let quote = context.quote else { return nil }
        let inner = quote.message.map { MessageWrapper.unwrap($0).message }
        let kind = inner.map(ContentKind.init(of:))
        return .members([
            "message_id": .string(quote.messageID), "sender": quote.author.map { .string($0.bare.description) },
            "chat": quote.chat.map { .string($0.bare.description) },
            "type": kind.flatMap { $0 == .empty ? nil : .string($0.rawValue) },
            "text": inner.flatMap(ContentText.of).map { .string($0) },
        ])
    }

    private var shownMessage: ProtoJSON {
        var shown = message
        if let context = message[message: "messageContextInfo"], context.has("messageSecret") {
            shown.update("messageContextInfo") { $0.clear("messageSecret") }
            if shown[message: "messageContextInfo"]?.isEmpty == true { shown.clear("messageContextInfo") }
        }
        shown.clear("senderKeyDistributionMessage")
        return shown.jsonValue
    }
}

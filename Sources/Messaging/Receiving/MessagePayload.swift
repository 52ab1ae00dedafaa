import Transport
import WhatsAppProtobuf

/// A decrypted `Message`, taken apart in the order of 05-message-content, section 3.1: secret, device-sent wrapper,
/// sender-key distribution, protocol message, then the wrappers.
package struct MessagePayload: Sendable {
    package struct Flags: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }

        package static let deviceSent = Flags(rawValue: 1)
        package static let ephemeral = Flags(rawValue: 2)
        package static let viewOnce = Flags(rawValue: 4)
        package static let edit = Flags(rawValue: 8)
        package static let groupStatus = Flags(rawValue: 16)
        package static let botInvoke = Flags(rawValue: 32)
        package static let spoiler = Flags(rawValue: 64)
    }

    /// Size limit of a decrypted message (05, section 3.2).
    static let maximumSize = 1 << 20
    static let maximumWrappers = 8

    /// The innermost message.
    package private(set) var message: ProtoMessage
    package private(set) var flags: Flags = []
    /// `destinationJID` of a device-sent message.
    package private(set) var deviceSentDestination: JID?
    /// 32 bytes, from the outer message.
    package private(set) var secret: [UInt8]?
    /// (group as the sender wrote it, serialized distribution message).
    package private(set) var distribution: (group: String, bytes: [UInt8])?

    /// Throws `ProtoError` for bytes that are no message or exceed the guards.
    package init(parsing plaintext: [UInt8], isFromMe: Bool) throws {
        guard plaintext.count <= MessagePayload.maximumSize else { throw ProtoError.truncated }
        message = try ProtoMessage(.message, parsing: plaintext)
        readOuter()
        if let sent = message[message: "deviceSentMessage"] {
            // A stranger's claim to be our other device is dropped with its content.
            guard isFromMe, let inner = sent[message: "message"] else {
                message = ProtoMessage(.message)
                return
            }
            deviceSentDestination = sent[string: "destinationJID"].flatMap(JID.init(_:))
            flags.insert(.deviceSent)
            descend(to: inner)
            readOuter()
        }
        unwrap()
    }

    private mutating func readOuter() {
        if let value = message[message: "messageContextInfo"]?[bytes: "messageSecret"], value.count == 32, secret == nil {
            secret = value
        }
        if distribution == nil, let node = message[message: "senderKeyDistributionMessage"],
            let bytes = node[bytes: "axolotlSenderKeyDistributionMessage"]
        {
            distribution = (node[string: "groupID"] ?? "", bytes)
        }
    }

    /// Goes to an inner message, which inherits the context of the outer one.
    private mutating func descend(to inner: ProtoMessage) {
        var inner = inner
        if !inner.has("messageContextInfo"), let context = message[message: "messageContextInfo"] {
            inner[message: "messageContextInfo"] = context
        }
        message = inner
    }

    /// Wrappers in the order they nest, with what each says about its content (05, section 3.3).
    private static let wrappers: [(field: String, flag: Flags)] = [
        ("botInvokeMessage", .botInvoke), ("ephemeralMessage", .ephemeral), ("viewOnceMessage", .viewOnce),
        ("viewOnceMessageV2", .viewOnce), ("viewOnceMessageV2Extension", .viewOnce), ("lottieStickerMessage", []),
        ("documentWithCaptionMessage", []), ("editedMessage", .edit), ("associatedChildMessage", []),
        ("groupMentionedMessage", []), ("groupStatusMessage", .groupStatus), ("groupStatusMessageV2", .groupStatus),
        ("botForwardedMessage", []), ("spoilerMessage", .spoiler), ("questionMessage", []),
        ("questionReplyMessage", []), ("eventCoverImage", []), ("pollCreationOptionImageMessage", []),
        ("pollCreationMessageV4", []), ("statusMentionMessage", []), ("groupStatusMentionMessage", []),
        ("statusAddYours", []), ("limitSharingMessage", []), ("botTaskMessage", []),
    ]

    private mutating func unwrap() {
        for _ in 0..<MessagePayload.maximumWrappers {
            let present = MessagePayload.wrappers.lazy.compactMap { [message] wrapper in
                message[message: wrapper.field]?[message: "message"].map { (wrapper.flag, $0) }
            }.first
            guard let (flag, inner) = present else { return }
            flags.insert(flag)
            descend(to: inner)
        }
    }

    /// Whether nothing is left to show: only key material and context.
    package var isKeyMaterialOnly: Bool {
        let silent: Set = [2, 15, 35]
        return message.unknownFieldNumbers.isEmpty && message.presentFields.allSatisfy { silent.contains($0.number) }
    }

    package var protocolMessage: ProtoMessage? { message[message: "protocolMessage"] }
}

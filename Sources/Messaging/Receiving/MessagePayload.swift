import Transport
import WhatsAppProtobuf

/// A decrypted `Message`, taken apart in the order of 05-message-content, section 3.1: secret, device-sent wrapper,
/// sender-key distribution, protocol message, then the wrappers.
package struct MessagePayload: Sendable {
    /// The innermost message.
    package private(set) var message: ProtoMessage
    /// The wrappers that were around it, outermost first.
    package private(set) var wrappers: [MessageWrapper] = []
    /// `destinationJID` of a device-sent message.
    package private(set) var deviceSentDestination: JID?
    /// 32 bytes, from the outer message.
    package private(set) var secret: [UInt8]?
    /// (group as the sender wrote it, serialized distribution message).
    package private(set) var distribution: (group: String, bytes: [UInt8])?

    /// Throws `ProtoError` for bytes that are no message or exceed the guards.
    package init(parsing plaintext: [UInt8], isFromMe: Bool) throws {
        message = try ProtoMessage(.message, parsing: plaintext)
        readOuter()
        if let sent = message[message: "deviceSentMessage"] {
            // A stranger's claim to be our other device is dropped with its content.
            guard isFromMe, let inner = sent[message: "message"] else {
                message = ProtoMessage(.message)
                return
            }
            deviceSentDestination = sent[string: "destinationJID"].flatMap(JID.init(_:))
            descend(to: inner)
            readOuter()
        }
        (message, wrappers) = MessageWrapper.unwrap(message)
    }

    private mutating func readOuter() {
        if let value = message[message: "messageContextInfo"]?[bytes: "messageSecret"], value.count == 32, secret == nil
        {
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

    /// What it says, for rows and events.
    package var content: ContentJSON { ContentJSON(message, removed: wrappers) }

    package var protocolMessage: ProtoMessage? { message[message: "protocolMessage"] }
}

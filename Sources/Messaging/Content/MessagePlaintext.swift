import Transport
import WhatsAppProtobuf

/// What is encrypted for a recipient's devices and for the own other devices (04-message-pipeline, section 3).
package enum MessagePlaintext {
    /// The copy for own devices, `deviceSentMessage(31){destinationJID(1), message(2)}`, with the message's context beside
    /// it; nil when `chat` is one to which own devices get the plain message (groups, status) or none (channels).
    package static func deviceSent(_ message: ProtoMessage, to chat: JID) -> ProtoMessage? {
        guard chat.isPerson || chat.isBot else { return nil }
        return ProtoMessage(.message) { copy in
            copy.update("deviceSentMessage") { sent in
                sent[string: "destinationJID"] = chat.bare.description
                sent[message: "message"] = message
            }
            copy[message: "messageContextInfo"] = message[message: "messageContextInfo"]
        }
    }

    /// The message by which a group's sender key travels: `senderKeyDistributionMessage(2)` and nothing else.
    package static func senderKeyDistribution(_ distribution: [UInt8], group: JID) -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("senderKeyDistributionMessage") { inner in
                inner[string: "groupID"] = group.description
                inner[bytes: "axolotlSenderKeyDistributionMessage"] = distribution
            }
        }
    }
}

import Transport
import WhatsAppProtobuf

/// Names an earlier message inside a later one, from the point of view of the later one's sender
/// (05-message-content, section 4).
package struct MessageKey: Sendable, Equatable {
    /// The chat.
    package var chat: JID
    package var fromMe: Bool
    package var messageID: String
    /// The author in a group; nil elsewhere.
    package var participant: JID?

    package init(chat: JID, fromMe: Bool, messageID: String, participant: JID? = nil) {
        self.chat = chat
        self.fromMe = fromMe
        self.messageID = messageID
        self.participant = participant
    }

    /// Nil when chat or id are missing or no JIDs.
    package init?(_ protobuf: ProtoMessage) {
        guard let chat = protobuf[string: "remoteJID"].flatMap({ JID($0) }), let id = protobuf[string: "ID"],
            !id.isEmpty
        else { return nil }
        self.init(
            chat: chat, fromMe: protobuf[bool: "fromMe"] ?? false, messageID: id,
            participant: protobuf[string: "participant"].flatMap { JID($0) })
    }

    package var protobuf: ProtoMessage {
        ProtoMessage(.messageKey) { key in
            key[string: "remoteJID"] = chat.description
            key[bool: "fromMe"] = fromMe
            key[string: "ID"] = messageID
            key[string: "participant"] = participant?.description
        }
    }

    /// The author, as seen by the sender of the message that holds the key.
    package func author(sender: JID) -> JID {
        if fromMe { return sender.bare }
        return (participant ?? chat).bare
    }
}

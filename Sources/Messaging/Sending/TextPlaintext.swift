import Transport
import WhatsAppProtobuf

/// What a quote carries into a reply.
package struct QuotedMessage: Sendable {
    package var id: String
    /// Bare JID of the author.
    package var sender: JID
    package var message: ProtoMessage?
}

/// Builds the `Message` of a text (05-message-content, sections 2.4, 5 and 6.1): plain conversation, or extended text when
/// it quotes, mentions or expires.
package enum TextPlaintext {
    package static func make(
        text: String, quote: QuotedMessage?, mentions: [JID], ephemeralSeconds: Int, secret: [UInt8]?
    ) -> ProtoMessage {
        var context = ContentContext()
        context.quote = quote.map { quoted in
            ContentContext.Quote(messageID: quoted.id, author: quoted.sender, chat: nil, message: quoted.message)
        }
        context.mentions = mentions
        context.expiration = ephemeralSeconds
        return ProtoMessage(.message) { message in
            if let info = context.protobuf {
                message.update("extendedTextMessage") { body in
                    body[string: "text"] = text
                    body[message: "contextInfo"] = info
                }
            } else {
                message[string: "conversation"] = text
            }
            if let secret { message.update("messageContextInfo") { $0[bytes: "messageSecret"] = secret } }
        }
    }
}

extension MessagePlaintext {
    /// A message that carries the group's sender key as well, for a retry (04, section 3.2).
    package static func with(distribution: [UInt8], group: JID, _ message: ProtoMessage) -> ProtoMessage {
        var carrier = message
        carrier[message: "senderKeyDistributionMessage"] =
            senderKeyDistribution(distribution, group: group)[message: "senderKeyDistributionMessage"]
        return carrier
    }
}

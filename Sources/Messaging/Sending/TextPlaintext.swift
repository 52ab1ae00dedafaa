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
        ProtoMessage(.message) { message in
            if quote == nil, mentions.isEmpty, ephemeralSeconds == 0 {
                message[string: "conversation"] = text
            } else {
                message.update("extendedTextMessage") { body in
                    body[string: "text"] = text
                    body[message: "contextInfo"] = context(
                        quote: quote, mentions: mentions, ephemeralSeconds: ephemeralSeconds)
                }
            }
            if let secret { message.update("messageContextInfo") { $0[bytes: "messageSecret"] = secret } }
        }
    }

    private static func context(quote: QuotedMessage?, mentions: [JID], ephemeralSeconds: Int) -> ProtoMessage {
        ProtoMessage(.contextInfo) { info in
            if let quote {
                info[string: "stanzaID"] = quote.id
                info[string: "participant"] = quote.sender.bare.description
                // A quoted message travels without its own context; one that is not stored as an empty message.
                var quoted = quote.message ?? ProtoMessage(.message) { $0[string: "conversation"] = "" }
                quoted.clear("messageContextInfo")
                info[message: "quotedMessage"] = quoted
            }
            if !mentions.isEmpty { info[strings: "mentionedJID"] = mentions.map(\.bare.description) }
            if ephemeralSeconds > 0 { info[uint: "expiration"] = UInt64(ephemeralSeconds) }
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

import Transport
import WhatsAppProtobuf

/// What a message says about its relation to others: quote, mentions, forwards, timer (05-message-content, section 5).
package struct ContentContext: Sendable, Equatable {
    /// The quoted message.
    package struct Quote: Sendable, Equatable {
        package var messageID: String
        package var author: JID?
        /// Set when the quoted message is in another chat.
        package var chat: JID?
        /// Its content as the sender copied it; may be absent or empty.
        package var message: ProtoMessage?
    }

    package var quote: Quote?
    package var mentions: [JID] = []
    package var mentionsEveryone = false
    package var isForwarded = false
    /// Hops; 0 when not forwarded.
    package var forwardingScore = 0
    /// Disappearing timer in seconds; 0 when off.
    package var expiration = 0
    /// Unix seconds of the setting of the timer.
    package var expirationSetAt: Int64?

    package init() {}

    /// The context of an unwrapped message's content; the default one when it has none.
    package init(of message: ProtoMessage) {
        guard let info = ContentContext.contextInfo(of: message) else { return }
        if let id = info[string: "stanzaID"], !id.isEmpty {
            quote = Quote(
                messageID: id, author: info[string: "participant"].flatMap { JID($0) },
                chat: info[string: "remoteJID"].flatMap { JID($0) }, message: info[message: "quotedMessage"])
        }
        mentions = info[strings: "mentionedJID"].compactMap { JID($0) }
        mentionsEveryone = info[uint: "nonJIDMentions"] == 1
        forwardingScore = Int(info[uint: "forwardingScore"] ?? 0)
        isForwarded = info[bool: "isForwarded"] ?? (forwardingScore > 0)
        expiration = Int(info[uint: "expiration"] ?? 0)
        expirationSetAt = info[int: "ephemeralSettingTimestamp"]
    }

    /// The `contextInfo` inside a message's content field, whatever its number there.
    package static func contextInfo(of message: ProtoMessage) -> ProtoMessage? {
        guard let (field, _) = ContentKind.field(of: message), field != "conversation",
            let content = message[message: field], content.type.hasField("contextInfo")
        else { return nil }
        return content[message: "contextInfo"]
    }

    /// The `contextInfo` that says this; nil when there is nothing to say.
    package var protobuf: ProtoMessage? {
        guard self != ContentContext() else { return nil }
        return ProtoMessage(.contextInfo) { info in
            if let quote {
                info[string: "stanzaID"] = quote.messageID
                info[string: "participant"] = quote.author?.bare.description
                info[string: "remoteJID"] = quote.chat?.bare.description
                info[message: "quotedMessage"] = quote.message.map(ContentContext.reduced) ?? ProtoMessage(.message)
            }
            info[strings: "mentionedJID"] = mentions.map(\.bare.description)
            if mentionsEveryone { info[uint: "nonJIDMentions"] = 1 }
            if isForwarded {
                info[uint: "forwardingScore"] = UInt64(clamping: max(forwardingScore, 1))
                info[bool: "isForwarded"] = true
            }
            if expiration > 0 {
                info[uint: "expiration"] = UInt64(clamping: expiration)
                info[int: "ephemeralSettingTimestamp"] = expirationSetAt
            }
        }
    }

    /// A message as a quote carries it: only its content field, without wrappers and without a context of its own; of
    /// view-once media no key.
    package static func reduced(_ message: ProtoMessage) -> ProtoMessage {
        let (inner, removed) = MessageWrapper.unwrap(message)
        guard let (field, _) = ContentKind.field(of: inner) else { return ProtoMessage(.message) }
        return ProtoMessage(.message) { quoted in
            if field == "conversation" { return quoted[string: field] = inner[string: field] }
            guard var content = inner[message: field] else { return }
            if content.type.hasField("contextInfo") { content.clear("contextInfo") }
            let isViewOnce = removed.contains(where: \.isViewOnce)
            if content.type.hasField("viewOnce"), isViewOnce || content[bool: "viewOnce"] == true {
                content[bool: "viewOnce"] = true
                if content.type.hasField("mediaKey") { content.clear("mediaKey") }
            }
            quoted[message: field] = content
        }
    }
}

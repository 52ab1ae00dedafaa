import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Quotes, mentions, forwards and timers")
struct ContentContextTests {
    @Test("the context of any kind is found and read")
    func reading() throws {
        let json = """
            {"imageMessage":{"contextInfo":{"stanzaID":"3EB0","participant":"1@lid","remoteJID":"2@g.us",
             "quotedMessage":{"conversation":"q"},"mentionedJID":["3@s.whatsapp.net","4@lid"],"nonJIDMentions":1,
             "forwardingScore":4,"isForwarded":true,"expiration":86400,"ephemeralSettingTimestamp":"1700000000"}}}
            """
        let context = ContentContext(of: try ProtoMessage(.message, json: json))
        #expect(context.quote?.messageID == "3EB0")
        #expect(context.quote?.author == .lid("1"))
        #expect(context.quote?.chat == .group("2"))
        #expect(context.quote?.message?[string: "conversation"] == "q")
        #expect(context.mentions == [.user("3"), .lid("4")])
        #expect(context.mentionsEveryone && context.isForwarded)
        #expect(context.forwardingScore == 4)
        #expect(context.expiration == 86_400)
        #expect(context.expirationSetAt == 1_700_000_000)
    }

    @Test("what is written is what is read")
    func roundTrip() throws {
        var context = ContentContext()
        context.quote = ContentContext.Quote(
            messageID: "A", author: .lid("1"), chat: nil,
            message: ProtoMessage(.message) { $0[string: "conversation"] = "q" })
        context.mentions = [.user("15550001111")]
        context.expiration = 604_800
        context.expirationSetAt = 1
        context.isForwarded = true
        context.forwardingScore = 2
        let message = ProtoMessage(.message) { message in
            message.update("extendedTextMessage") { $0[message: "contextInfo"] = context.protobuf }
        }
        #expect(ContentContext(of: try ProtoMessage(.message, parsing: message.serialized())) == context)
        #expect(ContentContext().protobuf == nil)
    }

    @Test("a quote carries the bare content: no wrapper, no context of its own, no secret, no key of view-once media")
    func reduced() throws {
        let json = """
            {"viewOnceMessageV2":{"message":{"imageMessage":{"caption":"c","mediaKey":"AAAA","JPEGThumbnail":"AAAA",
             "contextInfo":{"stanzaID":"x"}}}},"messageContextInfo":{"messageSecret":"AAAA"}}
            """
        let reduced = ContentContext.reduced(try ProtoMessage(.message, json: json))
        #expect(
            reduced.json() == #"{"imageMessage":{"caption":"c","JPEGThumbnail":"AAAA","viewOnce":true}}"#)
    }

    @Test("a text alone is a conversation; with a quote, a mention or a timer it is an extended text")
    func textMessages() {
        let secret = [UInt8](repeating: 1, count: 32)
        let plain = TextPlaintext.make(text: "hi", quote: nil, mentions: [], ephemeralSeconds: 0, secret: secret)
        #expect(plain.presentFields.map(\.name) == ["conversation", "messageContextInfo"])
        #expect(plain[message: "messageContextInfo"]?[bytes: "messageSecret"] == secret)
        let timed = TextPlaintext.make(text: "hi", quote: nil, mentions: [], ephemeralSeconds: 86_400, secret: nil)
        #expect(timed[message: "extendedTextMessage"]?[message: "contextInfo"]?[uint: "expiration"] == 86_400)
        let reply = TextPlaintext.make(
            text: "hi", quote: QuotedMessage(id: "A", sender: .user("1", device: 3), message: nil),
            mentions: [.lid("2")],
            ephemeralSeconds: 0, secret: nil)
        let context = reply[message: "extendedTextMessage"]?[message: "contextInfo"]
        #expect(context?[string: "participant"] == "1@s.whatsapp.net")
        #expect(context?.has("quotedMessage") == true)
        #expect(context?[strings: "mentionedJID"] == ["2@lid"])
    }
}

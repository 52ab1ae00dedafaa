import Foundation
import Testing
import Transport

@Suite("JID")
struct JIDTests {
    @Test(
        "numbers out of range, signs and misplaced separators are refused",
        arguments: [
            "1:70000@lid", "1:-1@lid", "1:+1@lid", "1:@lid", "1.256@s.whatsapp.net", "1.@s.whatsapp.net", "1@", "",
            "1:2:3@lid", "1.2.3@lid", "1.2:3:4@lid", "1: 2@lid",
        ])
    func refusals(_ text: String) { #expect(JID(text) == nil) }

    @Test(
        "text and value are inverse for every kind of address",
        arguments: [
            "15551234567@s.whatsapp.net", "15551234567:12@s.whatsapp.net", "15551234567.3:12@s.whatsapp.net",
            "123456789012345@lid", "123456789012345:99@hosted.lid", "120363041234567890@g.us", "status@broadcast",
            "120363041234567890@newsletter", "867051314767696@bot", "s.whatsapp.net", "g.us", "0@c.us",
            "a@somewhere.else",
        ])
    func textRoundTrip(_ text: String) throws {
        let jid = try #require(JID(text))
        #expect(jid.description == text)
        #expect(try JSONDecoder().decode([JID].self, from: JSONEncoder().encode([jid])) == [jid])
    }

    @Test("a known server never becomes an unknown one with the same name")
    func canonicalServers() {
        for name in [
            "s.whatsapp.net", "c.us", "g.us", "lid", "hosted", "hosted.lid", "broadcast", "newsletter", "bot", "msgr",
            "interop", "call",
        ] {
            #expect(JIDServer(name).name == name)
            if case .other = JIDServer(name) { Issue.record("\(name) is not known") }
        }
        #expect(JIDServer("elsewhere") == .other("elsewhere"))
    }

    @Test("predicates tell people, groups, feeds, channels and servers apart")
    func predicates() {
        #expect(JID.user("1").isUser && JID.user("1").isPerson && !JID.user("1").isServer)
        #expect(!JID.serverJID.isUser && JID.serverJID.isServer && !JID.serverJID.isPerson)
        #expect(JID.group("1").isGroup && !JID.groupServer.isGroup)
        #expect(JID.lid("1").isLID && JID.lid("1").isPerson)
        #expect(JID.status.isStatus && JID.status.isBroadcast && !JID.status.isBroadcastList)
        #expect(JID(user: "1", server: .broadcast).isBroadcastList)
        #expect(JID.newsletter("1").isNewsletter)
        #expect(JID.user("13135550002").isBot && JID.user("13165550042").isBot)
        #expect(!JID.user("13135550002", device: 1).isBot && !JID.user("131355500021").isBot)
        #expect(JID.user("1", device: 4).bare == .user("1"))
        #expect(JID.lid("1").device(7) == .lid("1", device: 7))
    }

    @Test(
        "what a person types becomes an address",
        arguments: [
            ("+1 (555) 123-4567", "15551234567@s.whatsapp.net"), (" 15551234567 ", "15551234567@s.whatsapp.net"),
            ("15551234567@c.us", "15551234567@s.whatsapp.net"),
            ("15551234567:3@s.whatsapp.net", "15551234567:3@s.whatsapp.net"),
            ("120363041234567890@g.us", "120363041234567890@g.us"), ("123@lid", "123@lid"),
            ("status@broadcast", "status@broadcast"), ("1@newsletter", "1@newsletter"),
        ])
    func input(_ text: String, _ expected: String) { #expect(JID.input(text)?.description == expected) }

    @Test(
        "what is no address is refused",
        arguments: [
            "", " ", "@g.us", "hello", "a@b@c", "1\n@g.us", "1@s.whatsapp.net\u{0}", "12a@s.whatsapp.net",
            String(repeating: "1", count: 65), "1:70000@lid",
        ])
    func refusedInput(_ text: String) { #expect(JID.input(text) == nil) }
}

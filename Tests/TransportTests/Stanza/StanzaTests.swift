import Testing
import Transport

@Suite("Stanza")
struct StanzaTests {
    private let message = Stanza(
        "message", ["id": "3EB0", "from": .jid(.user("15551234567", device: 3)), "t": 1_700_000_000, "to": "1@lid"],
        children: [Stanza("enc", ["v": "2"], bytes: [1, 2, 3]), Stanza("meta"), Stanza("enc", ["v": "3"])])

    @Test("attributes are read as text, number or JID, in whichever form they came")
    func attributes() {
        #expect(message["id"] == "3EB0")
        #expect(message.attr("from") == "15551234567:3@s.whatsapp.net")
        #expect(message.from == .user("15551234567", device: 3))
        #expect(message.to == .lid("1"))
        #expect(message.int("t") == 1_700_000_000)
        #expect(message.int("id") == nil)
        #expect(message["missing"] == nil)
    }

    @Test("attributes can be set, replaced and removed without touching copies")
    func mutation() {
        var copy = message
        copy["id"] = "other"
        copy["t"] = nil
        copy.attributes["offline"] = "1"
        #expect(copy["id"] == "other")
        #expect(copy.attributes.count == 4)
        #expect(copy["offline"] == "1")
        #expect(message["id"] == "3EB0")
        #expect(message.attributes.count == 4)
        #expect(message["t"] == "1700000000")
    }

    @Test("changing the attributes of a decoded element leaves the rest of its frame alone")
    func decodedMutation() throws {
        var decoded = try StanzaCodec.decode(frame: StanzaCodec.encodeFrame(message))
        #expect(decoded == message)
        decoded["id"] = "changed"
        decoded["extra"] = "x"
        #expect(decoded.childrenContent == message.childrenContent)
        #expect(decoded["id"] == "changed")
        #expect(decoded["t"] == "1700000000")
    }

    @Test("equality ignores the order of attributes and not their values")
    func equality() {
        #expect(Stanza("a", ["x": "1", "y": "2"]) == Stanza("a", ["y": "2", "x": "1"]))
        #expect(Stanza("a", ["x": "1", "y": "2"]) != Stanza("a", ["x": "1", "y": "3"]))
        #expect(Stanza("a", ["x": "1"]) != Stanza("a", ["x": "1", "y": "3"]))
        #expect(Stanza("a", ["x": "1", "x": "2"]) == Stanza("a", ["x": "2"]))
    }

    @Test("children are found by tag and by path")
    func children() {
        #expect(message.child("enc")?.attr("v") == "2")
        #expect(message.children("enc").map { $0["v"] } == ["2", "3"])
        #expect(message.child("none") == nil)
        #expect(Stanza("iq", children: [message]).child("message", "enc")?.bytesContent == [1, 2, 3])
        #expect(message.firstChild?.tag == "enc")
    }

    @Test("text content reads as bytes and bytes as text")
    func content() {
        #expect(Stanza("a", text: "1").bytesContent == [0x31])
        #expect(Stanza("a", bytes: [0x68, 0x69]).textContent == "hi")
        #expect(Stanza("a").bytesContent == nil)
        #expect(message.bytesContent == nil)
    }

    @Test("a description shows structure and never content")
    func description() {
        let secret = Stanza("key", ["id": "a\"<\u{1}"], children: [Stanza("value", bytes: Array("hunter2".utf8))])
        #expect(secret.description == "<key id=\"a&quot;&lt;&#1;\"><value><!-- 7 bytes --></value></key>")
        #expect(!Stanza("a", text: "hunter2").description.contains("hunter2"))
    }

}

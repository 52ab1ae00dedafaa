import Cryptography
import NIOCore
import Testing
import Transport

@Suite("Stanza codec")
struct StanzaCodecTests {
    @Test(
        "the worked examples of the specification encode and decode byte for byte",
        arguments: [
            (JID.user("15551234567", device: 5), "00f803110cf70005ff8615551234567f"),
            (JID.user("15551234567"), "00f803110cfaff8615551234567f03"),
            (JID.lid("123456789012345", device: 5), "00f803110cf70105ff88123456789012345f"),
            (JID.lid("123456789012345"), "00f803110cfaff88123456789012345f76"),
            (JID(user: "15551234567", server: .hosted, device: 99), "00f803110cf78063ff8615551234567f"),
            (JID(user: "123456789012345", server: .hostedLID, device: 99), "00f803110cf78163ff88123456789012345f"),
            (JID(user: "100012345", server: .messenger, device: 258), "00f803110cf6ff85100012345f0102cc"),
            (
                JID(user: "987654321", server: .interop, device: 3, integrator: 7),
                "00f803110cf5ff85987654321f00030007fc07696e7465726f70"
            ),
            (JID.group("120363041234567890"), "00f803110cfaff091203630412345678901c"),
            (JID.group("15551234567-1500000000"), "00f803110cfaff0b15551234567a15000000001c"),
            (JID(user: "867051314767696", server: .bot), "00f803110cfaff88867051314767696ffc03626f74"),
            (JID.status, "00f803110cfa0b0d"),
            (JID.serverJID, "00f803110cfa0003"),
            (JID.groupServer, "00f803110cfa001c"),
        ])
    func addresses(_ jid: JID, _ hex: String) throws {
        let stanza = Stanza("to", ["jid": .jid(jid)])
        let frame = try #require(Hex.decode(hex))
        #expect(try Hex.encode(StanzaCodec.encodeFrame(stanza)) == hex)
        #expect(try StanzaCodec.decode(frame: frame) == stanza)
    }

    @Test("elements, packed strings and data encode as the specification writes them")
    func examples() throws {
        #expect(try Hex.encode(StanzaCodec.encodeFrame(Stanza("iq", ["id": "12.34-1"]))) == "00f8031908ff8412b34a1f")
        #expect(try Hex.encode(StanzaCodec.encodeFrame(Stanza("ping"))) == "00f80156")
        #expect(try Hex.encode(StanzaCodec.encodeFrame(Stanza("xmlstreamend"))) == "00f80102")
        let pairing = Stanza("pair-device", children: [Stanza("ref", bytes: Array("2@abc".utf8))])
        #expect(try Hex.encode(StanzaCodec.encodeFrame(pairing)) == "00f802edeef801f802ed50fc053240616263")
        #expect(try Hex.encode(StanzaCodec.encode(Stanza("result", text: "123"))).hasSuffix("ff82123f"))
        #expect(try Hex.encode(StanzaCodec.encode(Stanza("result", text: "3EB0C0"))).hasSuffix("fb033eb0c0"))
        #expect(try Hex.encode(StanzaCodec.encode(Stanza("result", text: "3eb0c0"))).hasSuffix("fc06336562306330"))
        #expect(try Hex.encode(StanzaCodec.encode(Stanza("result", bytes: []))).hasSuffix("fc00"))
    }

    @Test("an attribute with an empty text is left out, an absent optional one too")
    func emptyAttributes() throws {
        let absent: JID? = nil
        let stanza = Stanza("iq", ["id": "1", "a": "", "b": absent.map(AttributeValue.jid)])
        #expect(stanza.attributes.count == 2)
        #expect(try Hex.encode(StanzaCodec.encodeFrame(stanza)) == "00f803190855")
    }

    @Test("encoding into a buffer appends, and appends nothing when it fails")
    func intoBuffer() throws {
        var buffer = ByteBuffer(bytes: [1, 2, 3])
        try StanzaCodec.encodeFrame(Stanza("ping"), into: &buffer)
        #expect(Array(buffer.readableBytesView) == [1, 2, 3, 0, 0xF8, 1, 0x56])
        #expect(throws: StanzaError.emptyElement) { try StanzaCodec.encodeFrame(Stanza(""), into: &buffer) }
        #expect(buffer.readableBytes == 7)
        buffer.moveReaderIndex(forwardBy: 3)
        #expect(try StanzaCodec.decode(frame: buffer) == Stanza("ping"))
    }

    @Test("what the wire cannot carry is refused when encoding")
    func encodingLimits() {
        #expect(throws: StanzaError.limitExceeded(.device)) {
            try StanzaCodec.encode(Stanza("to", ["jid": .jid(.lid("1", device: 256))]))
        }
        #expect(throws: StanzaError.limitExceeded(.listSize)) {
            try StanzaCodec.encode(Stanza("list", children: Array(repeating: Stanza("item"), count: 65_536)))
        }
        #expect(throws: StanzaError.emptyElement) { try StanzaCodec.encode(Stanza("a", ["": "b"])) }
        #expect(throws: StanzaError.invalidJID) {
            try StanzaCodec.encode(Stanza("a", ["b": .jid(JID(user: "1", server: .other("")))]))
        }
        #expect(throws: StanzaError.limitExceeded(.bytes)) {
            try StanzaCodec.encode(Stanza("a", bytes: [UInt8](repeating: 0, count: 1 << 24)))
        }
        #expect(throws: StanzaError.limitExceeded(.depth)) { try StanzaCodec.encode(nested(levels: 129)) }
    }

    @Test("128 levels are read and written, 129 and 10,000 are refused")
    func depth() throws {
        let deepest = nested(levels: 128)
        let encoded = try StanzaCodec.encode(deepest)
        #expect(try StanzaCodec.decode(stanza: encoded) == deepest)
        for levels in [129, 10_000] {
            var bytes: [UInt8] = []
            for _ in 1..<levels { bytes += [0xF8, 2, 0x14, 0xF8, 1] }
            bytes += [0xF8, 1, 0x14]
            #expect(throws: StanzaError.limitExceeded(.depth)) { try StanzaCodec.decode(stanza: bytes) }
        }
    }

    @Test("announced lengths are checked before anything is allocated for them")
    func announcedLengths() {
        #expect(throws: StanzaError.truncated) {
            try StanzaCodec.decode(stanza: [0xF8, 2, 0x14, 0xFE, 0x7F, 0xFF, 0xFF, 0xFF])
        }
        #expect(throws: StanzaError.truncated) { try StanzaCodec.decode(stanza: [0xF9, 0xFF, 0xFF, 0x14]) }
        #expect(throws: StanzaError.truncated) { try StanzaCodec.decode(stanza: [0xF8, 2, 0x14, 0xF9, 0xFF, 0xFF]) }
        #expect(throws: StanzaError.trailingBytes(2)) { try StanzaCodec.decode(stanza: [0xF8, 1, 0x14, 0, 0]) }
        #expect(throws: StanzaError.emptyFrame) { try StanzaCodec.decode(frame: [UInt8]()) }
    }

    @Test("a frame of more elements than the limit is refused, however small")
    func elementLimit() {
        let items =
            Array(
                [[0xF8, 2, 0x14, 0xF9, 0xFF, 0xFF], Array(repeating: [0xF8, 1, 0x14], count: 65_535).flatMap { $0 }]
                    .joined()) as [UInt8]
        var bytes: [UInt8] = [0xF8, 2, 0x14, 0xF8, 9]
        for _ in 0..<9 { bytes += items }
        #expect(throws: StanzaError.limitExceeded(.elements)) { try StanzaCodec.decode(stanza: bytes) }
    }

    @Test("a repeated key keeps the last value, whatever forms the keys were written in")
    func repeatedKeys() throws {
        let twice: [UInt8] = [0xF8, 5, 0x14, 0x08, 0x55, 0xFC, 2, 0x69, 0x64, 0x2D]
        let decoded = try StanzaCodec.decode(stanza: twice)
        #expect(decoded.attributes.count == 1)
        #expect(decoded.attr("id") == "0")

        var many: [UInt8] = [0xF8, 201, 0x14]
        for number in 0..<100 {
            many += [0xFC, 1, UInt8(0x41 + number % 26), 0xFF, 1, UInt8(number % 10) << 4 | UInt8(number / 10)]
        }
        let stanza = try StanzaCodec.decode(stanza: many)
        #expect(stanza.attributes.count == 26)
        #expect(stanza.attr("V") == "99")
    }

    @Test("invalid UTF-8 is refused in a tag and in a key and repaired in a value")
    func invalidText() throws {
        #expect(throws: StanzaError.invalidText) { try StanzaCodec.decode(stanza: [0xF8, 1, 0xFC, 1, 0xFF]) }
        #expect(throws: StanzaError.invalidText) {
            try StanzaCodec.decode(stanza: [0xF8, 3, 0x14, 0xFC, 1, 0xFF, 0x55])
        }
        let repaired = try StanzaCodec.decode(stanza: [0xF8, 3, 0x14, 0x08, 0xFC, 2, 0x61, 0xFF])
        #expect(repaired.attr("id") == "a\u{FFFD}")
    }

    private func nested(levels: Int) -> Stanza {
        var stanza = Stanza("result")
        for _ in 1..<levels { stanza = Stanza("result", children: [stanza]) }
        return stanza
    }
}

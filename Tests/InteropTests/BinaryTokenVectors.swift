import Testing
import Transport

@Suite("binary-tokens.json")
struct BinaryTokenVectors {
    @Test("every string of the token dictionary encodes to its code and back")
    func tokens() throws {
        let file = try VectorFile("binary-tokens")
        var strings: Set<String> = []
        file.run { vector in
            let string = try vector.string("string")
            strings.insert(string)
            let code = try vector.hex("encoded")
            if code.isEmpty {
                // The tag "0" is a marker, an element of size 0 (01-transport, section 9.8); elsewhere it is a token.
                #expect(string == "0")
                #expect(try StanzaCodec.encodeFrame(Stanza(string)) == [0, 0xF8, 0])
                #expect(try StanzaCodec.encode(Stanza("1", ["id": .text(string)])) == [0xF8, 3, 0x55, 0x08, 0x2D])
                return
            }
            let frame = [0, 0xF8, 1] + code
            #expect(try StanzaCodec.encodeFrame(Stanza(string)) == frame, "\(string)")
            #expect(try StanzaCodec.decode(frame: frame) == Stanza(string), "\(string)")
        }
        #expect(strings.count == 1259)
    }
}

import Testing
import Transport

@Suite("binary-node.json and binary-tokens.json")
struct BinaryNodeVectors {
    @Test("every stanza of binary-node.json encodes to its bytes, decodes to its value, or is refused")
    func nodes() throws {
        try VectorFile("binary-node").run { vector in
            switch try vector.string("kind") {
            case "encode+decode":
                let encoded = try vector.hex("encoded")
                let stanza = try StanzaVector.stanza(vector.object("node"))
                #expect(try StanzaCodec.encodeFrame(stanza) == encoded, "\(vector.path) \(vector.name)")
                let decoded = try StanzaVector.stanza(vector.object("decoded"))
                #expect(try StanzaCodec.decode(frame: encoded) == decoded, "\(vector.path) \(vector.name)")
            case "encode+decode-repeat":
                try checkRepeat(vector)
            case "decode":
                let decoded = try StanzaVector.stanza(vector.object("decoded"))
                let frame = try vector.optionalHex("frame") ?? [0] + vector.hex("bytes")
                #expect(try StanzaCodec.decode(frame: frame) == decoded, "\(vector.path) \(vector.name)")
            case "reject":
                let bytes = try vector.hex("bytes")
                #expect(throws: StanzaError.self, "\(vector.path) \(vector.name)") {
                    try StanzaCodec.decode(frame: [0] + bytes)
                }
            case "reject-frame":
                let frame = try vector.hex("frame")
                #expect(throws: StanzaError.self, "\(vector.path) \(vector.name)") {
                    try StanzaCodec.decode(frame: frame)
                }
            case let kind:
                throw vector.unknown(kind)
            }
        }
    }

    private func checkRepeat(_ vector: VectorCase) throws {
        let fill = [UInt8](repeating: UInt8(clamping: try vector.int("fill")), count: try vector.int("fill_count"))
        let stanza = Stanza(try vector.string("tag"), bytes: fill)
        let encoded = try StanzaCodec.encodeFrame(stanza)
        #expect(try encoded.count == vector.int("encoded_length"), "\(vector.name)")
        #expect(try encoded == vector.hex("encoded_head") + fill, "\(vector.name)")
        #expect(try StanzaCodec.decode(frame: encoded) == stanza, "\(vector.name)")
    }
}

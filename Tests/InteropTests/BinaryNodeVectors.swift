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
                if let unpacked = try vector.optionalHex("unpacked") {
                    #expect(try StanzaCodec.decode(frame: [0] + unpacked) == decoded, "\(vector.path) \(vector.name)")
                }
            case "reject", "reject-frame":
                let frame = try vector.optionalHex("frame") ?? [0] + vector.hex("bytes")
                let expected = try rejection(vector)
                #expect(throws: expected, "\(vector.path) \(vector.name)") {
                    try StanzaCodec.decode(frame: frame)
                }
            case let kind:
                throw vector.unknown(kind)
            }
        }
    }

    /// Our word for what the reference says; where it has none of its own, or ends in a panic, by the case's name.
    private func rejection(_ vector: VectorCase) throws -> StanzaError {
        let text = try vector.string("error")
        switch vector.name {
        case "malformed: list size zero", "malformed: empty list as node", "malformed: tag is an empty string":
            return .emptyElement
        case "malformed: list with nil tag", "malformed: tag is a jid", "malformed: attribute key is nil",
            "malformed: attribute key is a jid", "malformed: tag is a list":
            return .notAString
        case "malformed: ad jid without user": return .invalidJID
        case "malformed: empty frame": return .emptyFrame
        case "malformed: not a list": return .unexpectedByte(3)
        case "malformed: unassigned token 244": return .unexpectedByte(244)
        case "malformed: zlib frame": return .invalidCompression
        default: break
        }
        if text == "EOF" { return .truncated }
        if text.hasPrefix("unpackNibble") { return .invalidPackedString }
        if text.hasPrefix("invalid JID type") { return .invalidJID }
        if text == "1 leftover bytes after decoding" { return .trailingBytes(1) }
        throw vector.unknown(text)
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

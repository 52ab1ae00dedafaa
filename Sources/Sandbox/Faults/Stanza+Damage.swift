import Cryptography
import Transport
import WhatsAppProtobuf

/// Stanzas as fault rules spoil them.
extension Stanza {
    /// With `<unavailable [type]/>` in place of every `enc`.
    func withUnavailable(_ type: String?) -> Stanza {
        var copy = self
        copy.content = .children(
            childrenContent.filter { $0.tag != "enc" }
                + [Stanza("unavailable", ["type": type.map { .text($0) }])])
        return copy
    }

    /// With one bit of each ciphertext's MAC or signature turned over, those of `participants` included: it still parses, and
    /// nobody can decrypt it. Bytes that do not parse would be refused for good by some clients (nack 487) instead of being
    /// asked for again. Of a stanza with a key distribution only the message itself, the last `enc`, is changed.
    func withCorruptEnc() -> Stanza {
        var copy = self
        var children = childrenContent
        if let index = children.lastIndex(where: { $0.tag == "enc" }) {
            children[index] = children[index].corruptedEnc
        } else if let index = children.firstIndex(where: { $0.tag == "participants" }) {
            children[index].content = .children(children[index].childrenContent.map { $0.withCorruptEnc() })
        } else {
            return self
        }
        copy.content = .children(children)
        return copy
    }

    private var corruptedEnc: Stanza {
        guard var bytes = bytesContent, !bytes.isEmpty else { return self }
        let position = self["type"] == "pkmsg" ? Self.endOfInnerMessage(bytes) : nil
        bytes[position ?? bytes.count - 1] ^= 0x01
        var copy = self
        copy.content = .bytes(bytes)
        return copy
    }

    /// Where the message inside of a prekey message (03-signal: version byte, then field 4) has its last byte.
    private static func endOfInnerMessage(_ bytes: Bytes) -> Int? {
        var reader = ProtoReader(bytes.dropFirst())
        while let field = try? reader.next() {
            guard field.number == 4, field.wireType == .lengthDelimited, !field.bytes.isEmpty else { continue }
            return field.bytes.endIndex - 1
        }
        return nil
    }
}

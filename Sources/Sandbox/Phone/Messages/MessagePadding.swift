import Cryptography

/// The padding of every pairwise and group plaintext: n bytes of value n (04-message-pipeline, section 2.3).
package enum MessagePadding {
    /// Appends 1…15 bytes, chosen by a random byte.
    package static func pad(_ plaintext: Bytes, random byte: UInt8) -> Bytes {
        let count = byte & 0x0F == 0 ? 15 : byte & 0x0F
        return plaintext + Bytes(repeating: count, count: Int(count))
    }

    /// Takes the padding off. Nil when the last n bytes are not all n; n is 1…16, as strict phones have it.
    package static func unpad(_ padded: Bytes) -> Bytes? {
        guard let count = padded.last, (1...16).contains(count), padded.count >= Int(count),
            padded.suffix(Int(count)).allSatisfy({ $0 == count })
        else { return nil }
        return Bytes(padded.dropLast(Int(count)))
    }
}

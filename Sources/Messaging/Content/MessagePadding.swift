import Cryptography

/// Padding of a message before it is encrypted: n bytes of value n, so that lengths tell less
/// (04-message-pipeline, section 2).
package enum MessagePadding {
    package enum Error: Swift.Error, Equatable, Sendable {
        case empty
        /// The last byte names more bytes than there are, or they do not all have its value.
        case malformed
    }

    /// Pads with the low four bits of a random byte, 0 meaning 15.
    package static func pad(_ plaintext: Bytes, random: UInt8) -> Bytes {
        let count = random & 0x0F == 0 ? 15 : random & 0x0F
        return plaintext + Bytes(repeating: count, count: Int(count))
    }

    /// Removes the padding of a decrypted message. `version` is the `v` of its `enc`; version 3 has none.
    package static func unpad(_ padded: Bytes, version: Int) throws(Error) -> Bytes {
        guard version != 3 else { return padded }
        guard let last = padded.last else { throw .empty }
        let count = Int(last)
        guard count <= padded.count, padded.suffix(count).allSatisfy({ $0 == last }) else { throw .malformed }
        return padded.dropLast(count)
    }
}

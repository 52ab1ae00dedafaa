import Cryptography

/// Ids of own messages (04-message-pipeline, section 2.1; 05-message-content, section 2.3).
package enum MessageID {
    /// Whether an id that a peer chose can stand in keys of rows: 1 to 128 bytes.
    package static func isStorable(_ id: String) -> Bool { (1...128).contains(id.utf8.count) }

    /// `3EB0` and 18 hex digits: the first nine bytes of SHA-256(Unix seconds, 8 bytes big-endian ‖ own user ‖ `@c.us` ‖
    /// 16 random bytes).
    ///
    /// - Parameters:
    ///   - user: digits of the own phone number; nil before the device has one, which leaves `@c.us` out as well.
    ///   - random: 16 fresh bytes.
    package static func make(seconds: Int64, user: String?, random: Bytes) -> String {
        var input = bigEndian(UInt64(bitPattern: seconds))
        if let user { input += Bytes("\(user)@c.us".utf8) }
        return "3EB0" + Hex.encode(SHA256Digest.hash(input + random).prefix(9)).uppercased()
    }
}

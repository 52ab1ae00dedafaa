import Cryptography

/// Ids of own messages (04-message-pipeline, section 2.1).
package enum MessageID {
    /// `3EB0` + upper-case hex of the first 9 bytes of SHA-256(BE64(Unix seconds) ‖ own PN user ‖ `@c.us` ‖ 16 random
    /// bytes): 22 characters.
    package static func make(seconds: Int64, user: String, random: [UInt8]) -> String {
        let time = (0..<8).reversed().map { UInt8(truncatingIfNeeded: seconds >> Int64(8 * $0)) }
        let digest = SHA256Digest.hash(time + Array(user.utf8) + Array("@c.us".utf8) + random)
        return "3EB0" + Hex.encode(digest.prefix(9)).uppercased()
    }
}

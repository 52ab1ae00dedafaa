import Cryptography
import Transport

/// The short hash over a set of devices: `phash` of group messages, `hash` of device lists (04, section 4.4).
package enum DeviceHash {
    /// `2:` + unpadded standard base64 of the first 6 bytes of SHA-256 over the sorted texts `user.0:device@server`.
    package static func of(_ devices: some Sequence<JID>) -> String {
        let texts = devices.map { Array($0.adDescription.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        let digest = SHA256Digest.hash(Array(texts.joined()))
        return "2:" + Base64.encode(digest.prefix(6)).filter { $0 != "=" }
    }

    /// Equality that takes URL-safe base64 for standard.
    package static func matches(_ left: String, _ right: String) -> Bool { normalized(left) == normalized(right) }

    private static func normalized(_ hash: String) -> String {
        String(hash.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }.filter { $0 != "=" })
    }
}

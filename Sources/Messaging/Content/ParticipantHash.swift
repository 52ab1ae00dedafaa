import Cryptography
import Transport

/// The hash of a set of devices that tells sender and server whether they agree about it (04-message-pipeline, section 4.4).
package enum ParticipantHash {
    /// `2:` and the Base64, without padding, of the first six bytes of SHA-256 over the sorted devices, each as
    /// `user.0:device@server`.
    package static func version2(_ devices: some Sequence<JID>) -> String {
        let texts = devices.map { Bytes($0.adDescription.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        // Six bytes are eight characters of Base64: there is no padding.
        return "2:" + Base64.encode(SHA256Digest.hash(texts.flatMap { $0 }).prefix(6))
    }
}

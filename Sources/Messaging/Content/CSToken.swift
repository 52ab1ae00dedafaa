import Cryptography
import Transport

/// The token that accompanies a message to someone from whom there is no privacy token (04-message-pipeline, section 10.2).
package enum CSToken {
    /// HMAC-SHA256 of the recipient's bare LID under the account's salt; 32 bytes.
    package static func make(for recipient: JID, salt: Bytes) -> Bytes {
        HMACSHA256.authenticate(Bytes(recipient.bare.description.utf8), key: salt)
    }
}

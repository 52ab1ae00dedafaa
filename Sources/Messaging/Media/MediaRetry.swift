import Cryptography
import WhatsAppProtobuf

/// Asking the own phone to upload a file again, and its answer (05-message-content, section 26.6).
///
/// Layout of both: AES-256-GCM with key HKDF-SHA256(media key, no salt, `WhatsApp Media Retry Notification`, 32), a
/// 12-byte iv and the message id in UTF-8 as additional data.
package struct MediaRetry: Sendable {
    /// The phone's answer.
    package enum Result: Sendable, Equatable {
        /// Download again from this path; key and hashes stay.
        case uploaded(directPath: String, messageSecret: Bytes?)
        case notFound
        case decryptionError
        /// The phone gave no other reason, or one this version does not know.
        case generalError
    }

    package let messageID: String
    private let key: SecretBytes

    /// Throws `MediaError.invalidMediaKey`.
    package init(mediaKey: Bytes, messageID: String) throws(MediaError) {
        guard mediaKey.count == MediaKeys.mediaKeyCount else { throw .invalidMediaKey }
        self.messageID = messageID
        key = SecretBytes(
            HKDFSHA256.derive(
                inputKeyMaterial: mediaKey, info: Bytes("WhatsApp Media Retry Notification".utf8), count: 32))
    }

    /// The `enc_p` of the server-error receipt; `iv` has 12 fresh bytes and goes into `enc_iv`.
    package func request(iv: Bytes) throws -> Bytes {
        try AESGCM.seal(requestPlaintext, key: key, nonce: iv, aad: Bytes(messageID.utf8))
    }

    /// The `ServerErrorReceipt` that the receipt carries.
    var requestPlaintext: Bytes {
        ProtoMessage(.serverErrorReceipt) { $0[string: "stanzaID"] = messageID }.serialized()
    }

    /// Reads the `enc_p` and `enc_iv` of a media retry notification.
    ///
    /// Throws `MediaError.malformedRetry` or `.retryOfAnotherMessage`.
    package func answer(payload: Bytes, iv: Bytes) throws(MediaError) -> Result {
        guard let plaintext = try? AESGCM.open(payload, key: key, nonce: iv, aad: Bytes(messageID.utf8)),
            let message = try? ProtoMessage(.mediaRetryNotification, parsing: plaintext)
        else { throw .malformedRetry }
        guard message[string: "stanzaID"] == messageID else { throw .retryOfAnotherMessage }
        switch message[enumName: "result"] {
        case "SUCCESS":
            guard let path = message[string: "directPath"], path.hasPrefix("/") else { throw .malformedRetry }
            return .uploaded(directPath: path, messageSecret: message[bytes: "messageSecret"])
        case "NOT_FOUND": return .notFound
        case "DECRYPTION_ERROR": return .decryptionError
        default: return .generalError
        }
    }

    /// The 32-byte key, for vectors.
    var keyBytes: Bytes { key.bytes }
}

import Cryptography

/// The keys of one media file, expanded from its 32-byte media key.
///
/// Layout: HKDF-SHA256(media key, no salt, info of the kind, 112) = iv(16) ‖ cipher key(32) ‖ MAC key(32) ‖ unused(32)
/// (05-message-content, section 25.2).
package struct MediaKeys: Sendable, Equatable {
    /// Bytes of a media key.
    package static let mediaKeyCount = 32

    /// 16 bytes.
    package let iv: Bytes
    /// 32 bytes, AES-256-CBC.
    package let cipherKey: SecretBytes
    /// 32 bytes, HMAC-SHA256.
    package let macKey: SecretBytes
    /// 32 bytes that no format uses.
    package let referenceKey: SecretBytes

    /// Throws `MediaError.invalidMediaKey` unless the media key has 32 bytes.
    package init(mediaKey: Bytes, kind: MediaKind) throws(MediaError) {
        guard mediaKey.count == MediaKeys.mediaKeyCount else { throw .invalidMediaKey }
        let expanded = HKDFSHA256.derive(inputKeyMaterial: mediaKey, info: Bytes(kind.keyInfo.utf8), count: 112)
        iv = Bytes(expanded[0..<16])
        cipherKey = SecretBytes(expanded[16..<48])
        macKey = SecretBytes(expanded[48..<80])
        referenceKey = SecretBytes(expanded[80..<112])
    }
}

/// Why a media file or an answer about one was refused.
package enum MediaError: Error, Equatable, Sendable {
    /// A media key that has not 32 bytes.
    case invalidMediaKey
    /// Too short to hold a block and a MAC, or not whole blocks.
    case invalidLength(bytes: Int)
    /// The downloaded bytes are not those whose hash the message names.
    case encryptedHashMismatch
    /// The MAC does not fit: the bytes or the key are wrong.
    case macMismatch
    /// The MAC fits and the padding does not: the sender made a broken file.
    case invalidPadding
    /// The decrypted file is not the one whose hash the message names. Some phones send a wrong hash.
    case hashMismatch
    /// An answer to a media retry that cannot be decrypted or read.
    case malformedRetry
    /// An answer to a media retry for another message.
    case retryOfAnotherMessage
}

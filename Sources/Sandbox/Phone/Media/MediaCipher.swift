import Cryptography

/// The encryption of media files (05, section 25): AES-256-CBC and a ten-byte HMAC, both keyed from the message's media key.
///
/// Layout of a file: ciphertext ‖ first 10 bytes of HMAC-SHA256(mac key, iv ‖ ciphertext). Keys: HKDF(media key, info, 112) =
/// iv 16 ‖ cipher key 32 ‖ mac key 32 ‖ reference key 32.
struct MediaCipher {
    private static let macLength = 10

    private let iv: Bytes
    private let cipherKey: Bytes
    private let macKey: Bytes

    /// `key`: 32 bytes.
    init(key: Bytes, info: String) {
        let expanded = HKDFSHA256.derive(inputKeyMaterial: key, info: Bytes(info.utf8), count: 112)
        iv = Bytes(expanded[..<16])
        cipherKey = Bytes(expanded[16..<48])
        macKey = Bytes(expanded[48..<80])
    }

    func encrypt(_ plaintext: Bytes) throws -> Bytes {
        let ciphertext = try AESCBC.encrypt(plaintext, key: cipherKey, iv: iv)
        return ciphertext + mac(ciphertext)
    }

    /// Throws when the HMAC or the padding is wrong.
    func decrypt(_ file: Bytes) throws -> Bytes {
        guard file.count > Self.macLength else { throw CryptographyError.authenticationFailed }
        let ciphertext = Bytes(file.dropLast(Self.macLength))
        guard constantTimeEquals(mac(ciphertext), Bytes(file.suffix(Self.macLength))) else {
            throw CryptographyError.authenticationFailed
        }
        return try AESCBC.decrypt(ciphertext, key: cipherKey, iv: iv)
    }

    private func mac(_ ciphertext: Bytes) -> Bytes {
        Bytes(HMACSHA256.authenticate(iv + ciphertext, key: macKey).prefix(Self.macLength))
    }
}

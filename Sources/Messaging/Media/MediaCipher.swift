import Cryptography

/// A file as it is uploaded, with what the message says about it.
package struct EncryptedMedia: Sendable, Equatable {
    /// Ciphertext followed by ten bytes of MAC.
    package var body: Bytes
    /// SHA-256 of the plain file; 32 bytes.
    package var fileSHA256: Bytes
    /// SHA-256 of `body`; 32 bytes.
    package var fileEncSHA256: Bytes
    /// Bytes of the plain file.
    package var fileLength: Int
    /// MACs that let a receiver check the body piece by piece; ten bytes per 64 KiB. Nil unless asked for.
    package var sidecar: Bytes?
}

/// Encryption of media files.
///
/// Layout: `body = ct ‖ HMAC-SHA256(MAC key, iv ‖ ct)[0..<10]` with `ct = AES-256-CBC(cipher key, iv, PKCS#7(file))`; the
/// iv is not part of it (05-message-content, section 25.2).
package enum MediaCipher {
    /// Bytes of the truncated MAC at the end of a body.
    package static let macCount = 10
    /// Bytes of ciphertext that one entry of a sidecar covers, before the overlap of one block.
    package static let sidecarStride = 65_536

    /// Bytes of the body of a file of `count` bytes.
    package static func bodyCount(_ count: Int) -> Int { AESCBC.paddedCount(count) + macCount }

    /// Encrypts a whole file; an empty one is legal.
    package static func encrypt(
        _ file: Bytes, mediaKey: Bytes, kind: MediaKind, withSidecar: Bool = false
    ) throws -> EncryptedMedia {
        let keys = try MediaKeys(mediaKey: mediaKey, kind: kind)
        var body = try AESCBC.encrypt(file, key: keys.cipherKey, iv: keys.iv)
        body += mac(of: body, keys)
        return EncryptedMedia(
            body: body, fileSHA256: SHA256Digest.hash(file), fileEncSHA256: SHA256Digest.hash(body),
            fileLength: file.count, sidecar: withSidecar ? sidecar(of: body, keys) : nil)
    }

    /// Decrypts a downloaded body and checks it: hash of the body, MAC, padding, hash of the file, in this order.
    ///
    /// - Parameters:
    ///   - fileEncSHA256: hash the message names for the body; nil when it names none.
    ///   - fileSHA256: hash the message names for the file; nil when it names none or a wrong one is to be let pass.
    /// - Throws: `MediaError`.
    package static func decrypt(
        _ body: Bytes, mediaKey: Bytes, kind: MediaKind, fileEncSHA256: Bytes?, fileSHA256: Bytes?
    ) throws(MediaError) -> Bytes {
        let keys = try MediaKeys(mediaKey: mediaKey, kind: kind)
        guard body.count > macCount else { throw .invalidLength(bytes: body.count) }
        if let fileEncSHA256, !constantTimeEquals(SHA256Digest.hash(body), fileEncSHA256) {
            throw .encryptedHashMismatch
        }
        let ciphertext = body.dropLast(macCount)
        guard constantTimeEquals(mac(of: ciphertext, keys), body.suffix(macCount)) else { throw .macMismatch }
        guard ciphertext.count.isMultiple(of: 16) else { throw .invalidLength(bytes: body.count) }
        guard let file = try? AESCBC.decrypt(ciphertext, key: keys.cipherKey, iv: keys.iv) else {
            throw .invalidPadding
        }
        if let fileSHA256, !constantTimeEquals(SHA256Digest.hash(file), fileSHA256) { throw .hashMismatch }
        return file
    }

    private static func mac(of ciphertext: some Collection<UInt8>, _ keys: MediaKeys) -> Bytes {
        Bytes(HMACSHA256.authenticate(keys.iv + Bytes(ciphertext), key: keys.macKey).prefix(macCount))
    }

    /// The streaming sidecar of a body (05-message-content, section 25.4).
    ///
    /// With `S = iv ‖ body`, entry n is HMAC(MAC key, S[n·65536 ..< n·65536 + 65552])[0..<10]. The entries overlap by one
    /// block, so a tail of a block or less has none of its own.
    static func sidecar(of body: Bytes, _ keys: MediaKeys) -> Bytes {
        let stream = keys.iv + body
        var entries = Bytes()
        var start = 0
        repeat {
            let end = min(start + sidecarStride + 16, stream.count)
            entries += HMACSHA256.authenticate(stream[start..<end], key: keys.macKey).prefix(macCount)
            start += sidecarStride
        } while stream.count > start + 16
        return entries
    }
}

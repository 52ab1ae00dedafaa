import COpenSSL

/// AES-256 in GCM mode: 12-byte nonce, 16-byte tag behind the ciphertext.
package enum AESGCM {
    package static let tagCount = 16
    package static let nonceCount = 12

    /// Ciphertext followed by the tag. Throws `invalidKeyLength` for a key or nonce of the wrong size.
    package static func seal(
        _ plaintext: some Collection<UInt8>, key: some Collection<UInt8>, nonce: some Collection<UInt8>,
        aad: some Collection<UInt8> = Bytes()
    ) throws -> Bytes {
        let cipher = try AESGCMKey(key)
        return try withBytes(plaintext) { plaintext in
            try Bytes(filling: plaintext.count + tagCount) { output in
                output.copyMemory(from: plaintext)
                try withBytes(nonce) { nonce in
                    try withBytes(aad) { try cipher.seal(output, nonce: nonce, aad: $0) }
                }
            }
        }
    }

    package static func seal(
        _ plaintext: some Collection<UInt8>, key: SecretBytes, nonce: some Collection<UInt8>,
        aad: some Collection<UInt8> = Bytes()
    ) throws -> Bytes {
        try key.withUnsafeBytes { try seal(plaintext, key: $0, nonce: nonce, aad: aad) }
    }

    /// The plaintext of ciphertext followed by the tag. Throws `authenticationFailed` when the tag does not match or the
    /// input is shorter than a tag.
    package static func open(
        _ ciphertext: some Collection<UInt8>, key: some Collection<UInt8>, nonce: some Collection<UInt8>,
        aad: some Collection<UInt8> = Bytes()
    ) throws -> Bytes {
        let cipher = try AESGCMKey(key)
        var buffer = Bytes(ciphertext)
        let count = try buffer.withUnsafeMutableBytes { buffer in
            try withBytes(nonce) { nonce in try withBytes(aad) { try cipher.open(buffer, nonce: nonce, aad: $0) } }
        }
        buffer.removeLast(buffer.count - count)
        return buffer
    }

    package static func open(
        _ ciphertext: some Collection<UInt8>, key: SecretBytes, nonce: some Collection<UInt8>,
        aad: some Collection<UInt8> = Bytes()
    ) throws -> Bytes {
        try key.withUnsafeBytes { try open(ciphertext, key: $0, nonce: nonce, aad: aad) }
    }
}

/// One AES-256-GCM key with its schedule kept, for many messages in place.
///
/// Not Sendable: it belongs to one connection and is used on that connection's event loop, one call at a time.
package final class AESGCMKey {
    private let sealing = CipherContext()
    private let opening = CipherContext()

    /// Throws `invalidKeyLength` unless the key has 32 bytes.
    package init(_ key: SecretBytes) throws { try key.withUnsafeBytes { try setKey($0) } }

    package init(_ key: some Collection<UInt8>) throws { try withBytes(key) { try setKey($0) } }

    private func setKey(_ key: UnsafeRawBufferPointer) throws {
        guard key.count == 32 else { throw CryptographyError.invalidKeyLength(expected: 32, actual: key.count) }
        guard EVP_EncryptInit_ex2(sealing.pointer, Algorithms.shared.aes256GCM, key.octets, nil, nil) == 1,
            EVP_DecryptInit_ex2(opening.pointer, Algorithms.shared.aes256GCM, key.octets, nil, nil) == 1
        else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-GCM") }
    }

    /// Encrypts in place. `buffer` is the plaintext followed by 16 bytes of room, into which the tag goes.
    package func seal(
        _ buffer: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer
    ) throws {
        let count = buffer.count - AESGCM.tagCount
        try check(count: count, nonce: nonce, aad: aad)
        let start = buffer.octets
        var written: Int32 = 0
        guard EVP_EncryptInit_ex2(sealing.pointer, nil, nil, nonce.octets, nil) == 1,
            aad.isEmpty || EVP_EncryptUpdate(sealing.pointer, nil, &written, aad.octets, Int32(aad.count)) == 1,
            EVP_EncryptUpdate(sealing.pointer, start, &written, start, Int32(count)) == 1,
            EVP_EncryptFinal_ex(sealing.pointer, start + count, &written) == 1,
            EVP_CIPHER_CTX_ctrl(sealing.pointer, EVP_CTRL_AEAD_GET_TAG, Int32(AESGCM.tagCount), start + count) == 1
        else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-GCM") }
    }

    /// Decrypts in place. `buffer` is the ciphertext followed by its tag; returns the count of the plaintext that then
    /// stands at its start. Throws `authenticationFailed`, after which the buffer's content is worthless.
    package func open(
        _ buffer: UnsafeMutableRawBufferPointer, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer
    ) throws -> Int {
        let count = buffer.count - AESGCM.tagCount
        guard count >= 0 else { throw CryptographyError.authenticationFailed }
        try check(count: count, nonce: nonce, aad: aad)
        let start = buffer.octets
        var written: Int32 = 0
        guard EVP_DecryptInit_ex2(opening.pointer, nil, nil, nonce.octets, nil) == 1,
            EVP_CIPHER_CTX_ctrl(opening.pointer, EVP_CTRL_AEAD_SET_TAG, Int32(AESGCM.tagCount), start + count) == 1,
            aad.isEmpty || EVP_DecryptUpdate(opening.pointer, nil, &written, aad.octets, Int32(aad.count)) == 1,
            EVP_DecryptUpdate(opening.pointer, start, &written, start, Int32(count)) == 1
        else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-GCM") }
        guard EVP_DecryptFinal_ex(opening.pointer, start + count, &written) == 1 else {
            ERR_clear_error()
            throw CryptographyError.authenticationFailed
        }
        return count
    }

    /// `seal` with Noise's nonce: eight zero bytes and the counter, big-endian.
    package func seal(
        _ buffer: UnsafeMutableRawBufferPointer, counter: UInt32,
        aad: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws {
        try AESGCMKey.withNonce(counter) { try seal(buffer, nonce: $0, aad: aad) }
    }

    /// `open` with Noise's nonce: eight zero bytes and the counter, big-endian.
    package func open(
        _ buffer: UnsafeMutableRawBufferPointer, counter: UInt32,
        aad: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws -> Int {
        try AESGCMKey.withNonce(counter) { try open(buffer, nonce: $0, aad: aad) }
    }

    private static func withNonce<R>(_ counter: UInt32, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let nonce: (UInt32, UInt32, UInt32) = (0, 0, counter.bigEndian)
        return try withUnsafeBytes(of: nonce, body)
    }

    private func check(count: Int, nonce: UnsafeRawBufferPointer, aad: UnsafeRawBufferPointer) throws {
        guard nonce.count == AESGCM.nonceCount else {
            throw CryptographyError.invalidKeyLength(expected: AESGCM.nonceCount, actual: nonce.count)
        }
        guard count >= 0, count <= Int(Int32.max), aad.count <= Int(Int32.max) else {
            throw CryptographyError.invalidInput("message of \(count) bytes")
        }
    }
}

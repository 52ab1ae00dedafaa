import COpenSSL

/// AES-256 in CBC mode with PKCS#7 padding (a whole block is added to aligned plaintext).
package enum AESCBC {
    /// Throws `invalidKeyLength` unless the key has 32 bytes and the IV 16.
    package static func encrypt(
        _ plaintext: some Collection<UInt8>, key: some Collection<UInt8>, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try withBytes(plaintext) { text in
            try withBytes(key) { key in
                try withBytes(iv) { iv in
                    try Bytes(filling: paddedCount(text.count)) { try encrypt(text, key: key, iv: iv, into: $0) }
                }
            }
        }
    }

    package static func encrypt(
        _ plaintext: some Collection<UInt8>, key: SecretBytes, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try key.withUnsafeBytes { try encrypt(plaintext, key: $0, iv: iv) }
    }

    /// Throws `invalidPadding` when the ciphertext is not a positive multiple of 16 bytes or the padding is damaged.
    package static func decrypt(
        _ ciphertext: some Collection<UInt8>, key: some Collection<UInt8>, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try withBytes(ciphertext) { text in
            try withBytes(key) { key in try withBytes(iv) { iv in try decrypt(text, key: key, iv: iv) } }
        }
    }

    package static func decrypt(
        _ ciphertext: some Collection<UInt8>, key: SecretBytes, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try key.withUnsafeBytes { try decrypt(ciphertext, key: $0, iv: iv) }
    }

    /// Bytes of ciphertext for `count` bytes of plaintext.
    package static func paddedCount(_ count: Int) -> Int { (count / 16 + 1) * 16 }

    /// Encrypts into `output`, which has room for `paddedCount(plaintext.count)` bytes.
    package static func encrypt(
        _ plaintext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, iv: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) throws {
        try checkAESLengths(key: key, iv: iv)
        let total = paddedCount(plaintext.count)
        guard plaintext.count <= Int(Int32.max) - 16, output.count >= total else {
            throw CryptographyError.invalidInput("plaintext too long")
        }
        let context = CipherContext()
        var (body, tail): (Int32, Int32) = (0, 0)
        guard EVP_EncryptInit_ex2(context.pointer, Algorithms.shared.aes256CBC, key.octets, iv.octets, nil) == 1,
            EVP_EncryptUpdate(context.pointer, output.octets, &body, plaintext.octets, Int32(plaintext.count)) == 1,
            EVP_EncryptFinal_ex(context.pointer, output.octets + Int(body), &tail) == 1, Int(body + tail) == total
        else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-CBC") }
    }

    package static func decrypt(
        _ ciphertext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, iv: UnsafeRawBufferPointer
    ) throws -> Bytes {
        try checkAESLengths(key: key, iv: iv)
        guard ciphertext.count > 0, ciphertext.count % 16 == 0, ciphertext.count <= Int(Int32.max) - 16 else {
            throw CryptographyError.invalidPadding
        }
        return try Bytes(unsafeUninitializedCapacity: ciphertext.count + 16) { output, initialized in
            let context = CipherContext()
            var (body, tail): (Int32, Int32) = (0, 0)
            let start = UnsafeMutableRawBufferPointer(output).octets
            guard EVP_DecryptInit_ex2(context.pointer, Algorithms.shared.aes256CBC, key.octets, iv.octets, nil) == 1,
                EVP_DecryptUpdate(context.pointer, start, &body, ciphertext.octets, Int32(ciphertext.count)) == 1
            else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-CBC") }
            guard EVP_DecryptFinal_ex(context.pointer, start + Int(body), &tail) == 1 else {
                ERR_clear_error()
                throw CryptographyError.invalidPadding
            }
            initialized = Int(body + tail)
        }
    }
}

/// AES-256 in CTR mode; encryption and decryption are the same operation.
package enum AESCTR {
    /// Throws `invalidKeyLength` unless the key has 32 bytes and the initial counter block 16.
    package static func apply(
        _ data: some Collection<UInt8>, key: some Collection<UInt8>, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try withBytes(data) { data in
            try withBytes(key) { key in try withBytes(iv) { iv in try apply(data, key, iv) } }
        }
    }

    package static func apply(
        _ data: some Collection<UInt8>, key: SecretBytes, iv: some Collection<UInt8>
    ) throws -> Bytes {
        try key.withUnsafeBytes { try apply(data, key: $0, iv: iv) }
    }

    private static func apply(
        _ data: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, _ iv: UnsafeRawBufferPointer
    ) throws -> Bytes {
        try checkAESLengths(key: key, iv: iv)
        guard data.count <= Int(Int32.max) - 16 else { throw CryptographyError.invalidInput("data too long") }
        return try Bytes(filling: data.count) { output in
            let context = CipherContext()
            var written: Int32 = 0
            guard EVP_EncryptInit_ex2(context.pointer, Algorithms.shared.aes256CTR, key.octets, iv.octets, nil) == 1,
                EVP_EncryptUpdate(context.pointer, output.octets, &written, data.octets, Int32(data.count)) == 1,
                Int(written) == data.count
            else { throw CryptographyError.invalidInput("libcrypto refuses AES-256-CTR") }
        }
    }
}

private func checkAESLengths(key: UnsafeRawBufferPointer, iv: UnsafeRawBufferPointer) throws {
    guard key.count == 32 else { throw CryptographyError.invalidKeyLength(expected: 32, actual: key.count) }
    guard iv.count == 16 else { throw CryptographyError.invalidKeyLength(expected: 16, actual: iv.count) }
}

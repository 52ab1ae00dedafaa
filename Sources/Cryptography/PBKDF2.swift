import COpenSSL

/// PBKDF2 of RFC 8018 with HMAC-SHA-256.
package enum PBKDF2SHA256 {
    /// `count` bytes after `rounds` iterations (at least 1).
    package static func derive(
        password: some Collection<UInt8>, salt: some Collection<UInt8>, rounds: Int, count: Int
    ) -> Bytes {
        withBytes(password) { password in
            withBytes(salt) { salt in
                Bytes(filling: count) { output in
                    let done = password.withMemoryRebound(to: CChar.self) { password in
                        PKCS5_PBKDF2_HMAC(
                            password.baseAddress, Int32(clamping: password.count), salt.octets,
                            Int32(clamping: salt.count), Int32(clamping: max(rounds, 1)), Algorithms.shared.sha256,
                            Int32(clamping: count), output.octets)
                    }
                    precondition(done == 1, "libcrypto refuses PBKDF2")
                }
            }
        }
    }
}

import Cryptography

extension Benchmark {
    /// The primitives, on the sizes that the protocol uses.
    static let cryptography: [Benchmark] = [
        .repeating("x25519 agree") {
            let (own, peer) = (KeyPair.generate().privateKey, KeyPair.generate().publicKey)
            return { keep(try own.agree(with: peer)) }
        },
        .repeating("x25519 generate key pair") {
            return { keep(KeyPair.generate()) }
        },
        .repeating("xeddsa sign 100 B") {
            let key = KeyPair.generate().privateKey
            let message = SystemRandom().bytes(100)
            return { keep(key.sign(message)) }
        },
        .repeating("xeddsa verify 100 B") {
            let key = KeyPair.generate()
            let message = SystemRandom().bytes(100)
            let signature = key.privateKey.sign(message)
            return { try require(key.publicKey.verify(signature: signature, of: message)) }
        },
        .repeating("xeddsa verify 100 B, converted key kept") {
            let key = KeyPair.generate()
            let message = SystemRandom().bytes(100)
            let signature = key.privateKey.sign(message)
            let verification = VerificationKey(key.publicKey)
            return { try require(verification.verify(signature: signature, of: message)) }
        },
        .repeating("hmac-sha-256 32 B") {
            let key = SecretBytes(SystemRandom().bytes(32))
            let message = SystemRandom().bytes(32)
            return { keep(HMACSHA256.authenticate(message, key: key)) }
        },
        .repeating("hkdf-sha-256 to 80 B") {
            let input = SecretBytes(SystemRandom().bytes(32))
            let info = Bytes("WhisperMessageKeys".utf8)
            return { keep(HKDFSHA256.derive(inputKeyMaterial: input, info: info, count: 80)) }
        },
        .repeating("sha-256 32 B") {
            let message = SystemRandom().bytes(32)
            return { keep(SHA256Digest.hash(message)) }
        },
        .repeating("aes-256-cbc encrypt 200 B") {
            let (key, iv) = (SystemRandom().bytes(32), SystemRandom().bytes(16))
            let message = SystemRandom().bytes(200)
            return { keep(try AESCBC.encrypt(message, key: key, iv: iv)) }
        },
        Benchmark("aes-256-gcm seal 600 B in place", unit: "MB/s", bytes: 600) {
            let cipher = try AESGCMKey(SystemRandom().bytes(32))
            var buffer = SystemRandom().bytes(600 + AESGCM.tagCount)
            return { count in
                {
                    try buffer.withUnsafeMutableBytes { buffer in
                        for counter in 0..<count {
                            try cipher.seal(buffer, counter: UInt32(truncatingIfNeeded: counter))
                        }
                    }
                }
            }
        },
        Benchmark("aes-256-gcm open 600 B in place, copied in", unit: "MB/s", bytes: 600) {
            let cipher = try AESGCMKey(SystemRandom().bytes(32))
            var sealed = SystemRandom().bytes(600 + AESGCM.tagCount)
            try sealed.withUnsafeMutableBytes { try cipher.seal($0, counter: 0) }
            let frame = sealed
            var buffer = frame
            return { count in
                {
                    try buffer.withUnsafeMutableBytes { buffer in
                        for _ in 0..<count {
                            buffer.copyBytes(from: frame)
                            keep(try cipher.open(buffer, counter: 0))
                        }
                    }
                }
            }
        },
    ]
}

/// A benchmark whose operation gave a wrong result measures nothing.
enum BenchFailure: Error { case wrongResult }

func require(_ condition: Bool) throws {
    guard condition else { throw BenchFailure.wrongResult }
}

import CSodium
import Synchronization

/// An X25519 private key, which also signs with XEdDSA.
///
/// Keeps the 32 bytes as given: the scalar is clamped wherever it is used (generated keys are stored clamped). The public
/// key and the Edwards form that signing needs are computed once per key and shared by all its copies.
package struct PrivateKey: Sendable, CustomStringConvertible {
    package static let count = 32

    private let storage: Storage

    /// From 32 bytes; throws `invalidKeyLength`.
    package init(raw: some Collection<UInt8>) throws {
        try self.init(SecretBytes(raw))
    }

    /// From 32 bytes; throws `invalidKeyLength`.
    package init(_ secret: SecretBytes) throws {
        guard secret.count == PrivateKey.count else {
            throw CryptographyError.invalidKeyLength(expected: PrivateKey.count, actual: secret.count)
        }
        storage = Storage(secret)
    }

    /// A new clamped key of 32 bytes from `random`.
    package init(random: some RandomSource) {
        storage = Storage(
            SecretBytes(count: PrivateKey.count) { output in
                output.copyBytes(from: random.bytes(PrivateKey.count))
                output[0] &= 0xF8
                output[31] = output[31] & 0x7F | 0x40
            })
    }

    /// The 32 bytes as given.
    package var secret: SecretBytes { storage.secret }

    /// The public half. Computed at the first use (≈ 20 µs).
    package var publicKey: PublicKey { storage.derived.publicKey }

    /// X25519 (RFC 7748), 32 bytes, not hashed. Throws `invalidPublicKey` when the result is all zero.
    package func agree(with peer: PublicKey) throws -> SecretBytes {
        try SecretBytes(count: 32) { output in
            try agree(with: peer, into: output)
        }
    }

    /// The same into 32 bytes of the caller's.
    package func agree(with peer: PublicKey, into output: UnsafeMutableRawBufferPointer) throws {
        Sodium.prepare()
        let result = storage.secret.withUnsafeBytes { scalar in
            peer.withUnsafeBytes { crypto_scalarmult_curve25519(output.octets, scalar.octets, $0.octets) }
        }
        guard result == 0 else { throw CryptographyError.invalidPublicKey }
    }

    /// The compressed Edwards point of the scalar, with its natural sign bit (A of 03-signal, section 3.1).
    var edwards: Bytes32 { storage.derived.edwards }

    package var description: String { "<redacted>" }

    /// What follows from the scalar.
    struct Derived {
        let publicKey: PublicKey
        let edwards: Bytes32

        /// One fixed-base multiplication gives both: u = (1 + y) / (1 − y) of the Edwards point.
        init(scalar: UnsafeRawBufferPointer) {
            Sodium.prepare()
            var point = Bytes32()
            withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { clamped in
                clamped.copyMemory(from: scalar)
                clamped[0] &= 0xF8
                clamped[31] = clamped[31] & 0x7F | 0x40
                point.withUnsafeMutableBytes { _ = crypto_scalarmult_ed25519_base_noclamp($0.octets, clamped.octets) }
                sodium_memzero(clamped.octets, 32)
            }
            let y = FieldElement(words: point.littleEndianWords)
            let u = (FieldElement.one + y) * (FieldElement.one - y).inverse
            edwards = point
            publicKey = PublicKey(Bytes32(littleEndianWords: u.words))
        }
    }

    private final class Storage: Sendable {
        let secret: SecretBytes
        private let cached = Mutex<Derived?>(nil)

        init(_ secret: SecretBytes) { self.secret = secret }

        var derived: Derived {
            cached.withLock { cached in
                if let cached { return cached }
                let derived = secret.withUnsafeBytes { Derived(scalar: $0) }
                cached = derived
                return derived
            }
        }
    }
}

/// A private key with its public half.
package struct KeyPair: Sendable {
    package let privateKey: PrivateKey
    package let publicKey: PublicKey

    package init(privateKey: PrivateKey) {
        self.init(privateKey: privateKey, publicKey: privateKey.publicKey)
    }

    /// Both halves as stored together; `publicKey` is believed.
    package init(privateKey: PrivateKey, publicKey: PublicKey) {
        self.privateKey = privateKey
        self.publicKey = publicKey
    }

    /// A new clamped key from 32 bytes of `random`.
    package static func generate(random: some RandomSource) -> KeyPair {
        KeyPair(privateKey: PrivateKey(random: random))
    }

    /// A new clamped key from the operating system's generator.
    package static func generate() -> KeyPair { generate(random: SystemRandom()) }
}

import CSodium

/// Signatures with X25519 keys, in the variant that carries the Edwards sign bit in the signature's last byte.
///
/// Signature: R (32 bytes) ‖ S (32 bytes), bit 7 of the last byte = sign bit of the signer's Edwards point. Unlike the
/// later paper the scalar is not negated. Source: 03-signal, section 3.
package enum XEdDSA {
    /// Bytes of a signature, and of the random input of one.
    package static let signatureCount = 64
    package static let randomCount = 64

    fileprivate static func sign(
        _ message: UnsafeRawBufferPointer, with key: PrivateKey, random: UnsafeRawBufferPointer
    ) -> Bytes {
        precondition(random.count == randomCount, "XEdDSA takes 64 random bytes")
        Sodium.prepare()
        let hash = HashContext(Algorithms.shared.sha512)
        let publicPoint = key.edwards
        return Bytes(filling: signatureCount) { signature in
            // One block of working memory: digest (64), r, h, a, h·a (32 each); zeroed afterwards.
            withUnsafeTemporaryAllocation(byteCount: 192, alignment: 16) { scratch in
                defer { sodium_memzero(scratch.octets, 192) }
                let digest = scratch.octets
                let (r, h, a, product) = (digest + 64, digest + 96, digest + 128, digest + 160)

                // r = SHA-512(FE ‖ 31 × FF ‖ key ‖ message ‖ random) mod L
                digest.update(repeating: 0xFF, count: 32)
                digest[0] = 0xFE
                hash.begin()
                hash.update(digest, 32)
                key.secret.withUnsafeBytes { hash.update($0) }
                hash.update(message)
                hash.update(random)
                hash.finish(digest)
                crypto_core_ed25519_scalar_reduce(r, digest)
                _ = crypto_scalarmult_ed25519_base_noclamp(signature.octets, r)

                // h = SHA-512(R ‖ A ‖ message) mod L
                hash.begin()
                hash.update(signature.octets, 32)
                publicPoint.withUnsafeBytes { hash.update($0) }
                hash.update(message)
                hash.finish(digest)
                crypto_core_ed25519_scalar_reduce(h, digest)

                // S = r + h·a, where a is the clamped key reduced mod L
                digest.update(repeating: 0, count: 64)
                key.secret.withUnsafeBytes { digest.update(from: $0.octets, count: 32) }
                digest[0] &= 0xF8
                digest[31] = digest[31] & 0x7F | 0x40
                crypto_core_ed25519_scalar_reduce(a, digest)
                crypto_core_ed25519_scalar_mul(product, h, a)
                crypto_core_ed25519_scalar_add(signature.octets + 32, r, product)
            }
            signature[63] |= publicPoint.withUnsafeBytes { $0[31] & 0x80 }
        }
    }
}

extension PrivateKey {
    /// An XEdDSA signature of 64 bytes. `random` is 64 fresh bytes; the same input gives the same signature.
    package func sign(_ message: some Collection<UInt8>, random: Bytes) -> Bytes {
        withBytes(message) { message in random.withUnsafeBytes { XEdDSA.sign(message, with: self, random: $0) } }
    }

    /// An XEdDSA signature of 64 bytes with randomness from the operating system.
    package func sign(_ message: some Collection<UInt8>) -> Bytes {
        sign(message, random: SystemRandom().bytes(XEdDSA.randomCount))
    }
}

extension PublicKey {
    /// Whether `signature` is this key's XEdDSA signature of `message`.
    package func verify(signature: some Collection<UInt8>, of message: some Collection<UInt8>) -> Bool {
        VerificationKey(self).verify(signature: signature, of: message)
    }
}

/// A public key in the form that verification works on, for keys that verify more than once.
///
/// The conversion, y = (u − 1) / (u + 1), costs one field inversion; y = 0 for the u without an inverse, under which
/// nothing verifies. The sign of the point comes with each signature.
package struct VerificationKey: Sendable, Hashable {
    /// The Edwards y coordinate, sign bit clear.
    let y: Bytes32

    package init(_ key: PublicKey) {
        let u = FieldElement(words: key.value.littleEndianWords)
        let y = (u - FieldElement.one) * (u + FieldElement.one).inverse
        self.y = Bytes32(littleEndianWords: y.words)
    }

    /// Whether `signature` is this key's signature of `message`.
    ///
    /// As strict as libsodium: refuses S ≥ L, small-order and non-canonical points, and any length but 64.
    package func verify(signature: some Collection<UInt8>, of message: some Collection<UInt8>) -> Bool {
        withBytes(signature) { signature in withBytes(message) { verify(signature, of: $0) } }
    }

    package func verify(_ signature: UnsafeRawBufferPointer, of message: UnsafeRawBufferPointer) -> Bool {
        guard signature.count == XEdDSA.signatureCount else { return false }
        Sodium.prepare()
        var point = y
        return withUnsafeTemporaryAllocation(byteCount: XEdDSA.signatureCount, alignment: 8) { plain in
            plain.copyMemory(from: signature)
            plain[63] &= 0x7F
            return point.withUnsafeMutableBytes { point in
                point[31] |= signature[63] & 0x80
                return crypto_sign_ed25519_verify_detached(
                    plain.octets, message.octets, UInt64(message.count), point.octets) == 0
            }
        }
    }
}

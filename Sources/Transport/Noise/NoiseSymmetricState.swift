import Cryptography

/// The running hash, chaining key and cipher of `Noise_XX_25519_AESGCM_SHA256` (01-transport, section 5.1).
///
/// Differs from Noise revision 34 in the nonce only: eight zero bytes, then the counter as u32 big-endian.
struct NoiseSymmetricState: Sendable {
    /// The protocol's name, padded to 32 bytes, so that it is the first hash itself.
    static let protocolName = Bytes("Noise_XX_25519_AESGCM_SHA256".utf8) + Bytes(repeating: 0, count: 4)

    /// `h`, 32 bytes.
    private(set) var hash: Bytes
    /// `ck`, 32 bytes.
    private(set) var chainingKey: SecretBytes
    private var key: SecretBytes
    private var counter: UInt32 = 0

    /// - Parameter prologue: the intro header, `57 41 06 03`.
    init(prologue: Bytes) {
        hash = NoiseSymmetricState.protocolName
        chainingKey = SecretBytes(NoiseSymmetricState.protocolName)
        key = chainingKey
        mixHash(prologue)
    }

    mutating func mixHash(_ bytes: Bytes) {
        hash = SHA256Digest.hash(hash + bytes)
    }

    /// Mixes in the agreement of `privateKey` and `publicKey`. Throws ``NoiseError/invalidPublicKey`` for an all-zero one.
    mutating func mixKey(_ privateKey: PrivateKey, _ publicKey: PublicKey) throws(NoiseError) {
        let secret: SecretBytes
        do { secret = try privateKey.agree(with: publicKey) } catch { throw .invalidPublicKey }
        (chainingKey, key) = expand(secret)
        counter = 0
    }

    /// Encrypts under the current key with the hash as associated data: ciphertext and tag, 16 bytes more.
    mutating func encrypt(_ plaintext: Bytes) throws(NoiseError) -> Bytes {
        let ciphertext: Bytes
        do {
            ciphertext = try AESGCM.seal(plaintext, key: key, nonce: try nextNonce(), aad: hash)
        } catch let error as NoiseError {
            throw error
        } catch {
            throw .authenticationFailed
        }
        mixHash(ciphertext)
        return ciphertext
    }

    /// Inverse of ``encrypt(_:)``.
    mutating func decrypt(_ ciphertext: Bytes) throws(NoiseError) -> Bytes {
        let plaintext: Bytes
        do {
            plaintext = try AESGCM.open(ciphertext, key: key, nonce: try nextNonce(), aad: hash)
        } catch let error as NoiseError {
            throw error
        } catch {
            throw .authenticationFailed
        }
        mixHash(ciphertext)
        return plaintext
    }

    /// The two transport keys: client to server, server to client.
    func split() -> (clientToServer: SecretBytes, serverToClient: SecretBytes) {
        expand(SecretBytes(Bytes()))
    }

    private func expand(_ secret: SecretBytes) -> (SecretBytes, SecretBytes) {
        let both = SecretBytes(count: 64) { output in
            secret.withUnsafeBytes { secret in
                chainingKey.withUnsafeBytes { salt in
                    HKDFSHA256.derive(
                        secret, salt: salt, info: UnsafeRawBufferPointer(start: nil, count: 0), into: output)
                }
            }
        }
        return both.withUnsafeBytes { (SecretBytes($0[..<32]), SecretBytes($0[32...])) }
    }

    private mutating func nextNonce() throws(NoiseError) -> Bytes {
        guard counter < UInt32.max else { throw .counterExhausted }
        defer { counter += 1 }
        return NoiseCipher.nonce(counter)
    }
}

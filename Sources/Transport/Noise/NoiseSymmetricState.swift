import Cryptography

/// The handshake patterns of 01-transport, sections 5.2 and 5.4.
enum NoisePattern: String {
    case xx = "Noise_XX_25519_AESGCM_SHA256"
    /// Resumption: the client knows the server's static key and sends its own, and the payload, with the first message.
    case ik = "Noise_IK_25519_AESGCM_SHA256"
    /// What a refused resumption goes on as, with the ephemeral key that was sent.
    case xxFallback = "Noise_XXfallback_25519_AESGCM_SHA256"

    /// The first hash: the name padded with zeros to 32 bytes, or its SHA-256 when it is longer.
    var initialHash: Bytes {
        let name = Bytes(rawValue.utf8)
        return name.count > 32 ? SHA256Digest.hash(name) : name + Bytes(repeating: 0, count: 32 - name.count)
    }
}

/// The running hash, chaining key and cipher of a Noise handshake (01-transport, section 5.1).
///
/// Differs from Noise revision 34 in the nonce only: eight zero bytes, then the counter as u32 big-endian.
struct NoiseSymmetricState: Sendable {
    /// `h`, 32 bytes.
    private(set) var hash: Bytes
    /// `ck`, 32 bytes.
    private(set) var chainingKey: SecretBytes
    private var key: SecretBytes
    private var counter: UInt32 = 0

    /// - Parameter prologue: the intro header, `57 41 06 03`.
    init(_ pattern: NoisePattern = .xx, prologue: Bytes) {
        hash = pattern.initialHash
        chainingKey = SecretBytes(hash)
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

import Cryptography

/// The root of a double ratchet and its step (03-signal, section 6.1).
enum RootKey {
    private static let ratchetInfo = Bytes("WhisperRatchet".utf8)

    /// `HKDF(DH(own, remote), salt: root, "WhisperRatchet", 64)` → the new root and a fresh chain at 0. Throws `invalidKey`.
    static func step(
        _ root: SecretBytes, own: PrivateKey, remote: PublicKey, _ engine: inout HMACEngine
    ) throws -> (root: SecretBytes, chain: ChainKey) {
        try withUnsafeTemporaryAllocation(byteCount: 32, alignment: 16) { shared in
            defer { shared.zero() }
            do { try own.agree(with: remote, into: shared) } catch { throw SignalError.invalidKey }
            return root.withUnsafeBytes { salt in
                derive(UnsafeRawBufferPointer(shared), salt: salt, info: ratchetInfo, &engine)
            }
        }
    }

    /// 64 derived bytes cut into a root key and a chain key at 0.
    static func derive(
        _ input: UnsafeRawBufferPointer, salt: UnsafeRawBufferPointer, info: Bytes, _ engine: inout HMACEngine
    ) -> (root: SecretBytes, chain: ChainKey) {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { output in
            defer { output.zero() }
            info.withUnsafeBytes { HKDFSHA256.derive(input, salt: salt, info: $0, into: output, with: &engine) }
            let root = SecretBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[..<32]))
            let chain = SecretBytes(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(output)[32...]))
            return (root, ChainKey(key: chain, index: 0))
        }
    }
}

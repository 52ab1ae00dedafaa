import Cryptography

/// The shared secret that starts a session (03-signal, section 5).
enum X3DH {
    private static let info = Bytes("WhisperText".utf8)

    /// `HKDF(32 × FF ‖ DH1 ‖ DH2 ‖ DH3 [‖ DH4], no salt, "WhisperText", 64)`. Throws `invalidKey` for a zero agreement.
    ///
    /// - Parameter agreements: three or four pairs of an own private and a remote public key, in the order DH1 to DH4.
    static func derive(
        _ agreements: [(own: PrivateKey, remote: PublicKey)], _ engine: inout HMACEngine
    ) throws -> (root: SecretBytes, chain: ChainKey) {
        let count = 32 * (1 + agreements.count)
        return try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { master in
            defer { master.zero() }
            master.initializeMemory(as: UInt8.self, repeating: 0xFF)
            for (index, agreement) in agreements.enumerated() {
                let start = 32 * (1 + index)
                let output = UnsafeMutableRawBufferPointer(rebasing: master[start..<start + 32])
                do { try agreement.own.agree(with: agreement.remote, into: output) } catch {
                    throw SignalError.invalidKey
                }
            }
            return RootKey.derive(
                UnsafeRawBufferPointer(master), salt: UnsafeRawBufferPointer(start: nil, count: 0), info: info, &engine)
        }
    }
}

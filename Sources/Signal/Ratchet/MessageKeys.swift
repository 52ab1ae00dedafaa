import Cryptography

/// The keys of one message, derived from its seed and gone after it.
struct MessageKeys {
    private static let sessionInfo = Bytes("WhisperMessageKeys".utf8)
    private static let groupInfo = Bytes("WhisperGroup".utf8)

    private let block: SecretBytes
    private let cipherKeyRange: Range<Int>
    private let macKeyRange: Range<Int>
    private let ivRange: Range<Int>

    /// Session messages: cipher key 32, MAC key 32, IV 16 (03-signal, section 6.1).
    static func session(seed: UnsafeRawBufferPointer, _ engine: inout HMACEngine) -> MessageKeys {
        MessageKeys(
            block: derive(seed, info: sessionInfo, count: 80, &engine), cipherKeyRange: 0..<32, macKeyRange: 32..<64,
            ivRange: 64..<80)
    }

    /// Group messages: IV 16, cipher key 32, in that order; the signature takes the place of a MAC (section 10.1).
    static func group(seed: UnsafeRawBufferPointer, _ engine: inout HMACEngine) -> MessageKeys {
        MessageKeys(
            block: derive(seed, info: groupInfo, count: 48, &engine), cipherKeyRange: 16..<48, macKeyRange: 0..<0,
            ivRange: 0..<16)
    }

    private static func derive(
        _ seed: UnsafeRawBufferPointer, info: Bytes, count: Int, _ engine: inout HMACEngine
    ) -> SecretBytes {
        SecretBytes(count: count) { output in
            info.withUnsafeBytes { info in
                HKDFSHA256.derive(
                    seed, salt: UnsafeRawBufferPointer(start: nil, count: 0), info: info, into: output, with: &engine)
            }
        }
    }

    func encrypt(_ plaintext: Bytes) throws -> Bytes {
        try block.withUnsafeBytes { keys in
            try AESCBC.encrypt(
                plaintext, key: UnsafeRawBufferPointer(rebasing: keys[cipherKeyRange]),
                iv: UnsafeRawBufferPointer(rebasing: keys[ivRange]))
        }
    }

    /// Throws `SignalError.invalidMessage` for wrong padding or length.
    func decrypt(_ ciphertext: ArraySlice<UInt8>) throws -> Bytes {
        try block.withUnsafeBytes { keys in
            do {
                return try AESCBC.decrypt(
                    ciphertext, key: UnsafeRawBufferPointer(rebasing: keys[cipherKeyRange]),
                    iv: UnsafeRawBufferPointer(rebasing: keys[ivRange]))
            } catch {
                throw SignalError.invalidMessage("padding")
            }
        }
    }

    /// `HMAC(macKey, sender 33 ‖ receiver 33 ‖ message)[0..<8]`.
    func mac(
        sender: PublicKey, receiver: PublicKey, message: some Collection<UInt8>, _ engine: inout HMACEngine
    ) -> (Bytes) {
        block.withUnsafeBytes { engine.setKey(UnsafeRawBufferPointer(rebasing: $0[macKeyRange])) }
        engine.begin()
        for key in [sender, receiver] {
            withUnsafeBytes(of: PublicKey.typeByte) { engine.update($0) }
            key.withUnsafeBytes { engine.update($0) }
        }
        if message.withContiguousStorageIfAvailable({ engine.update(UnsafeRawBufferPointer($0)) }) == nil {
            Bytes(message).withUnsafeBytes { engine.update($0) }
        }
        return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { output in
            engine.finish(output)
            return Bytes(output.prefix(SignalMessage.macCount))
        }
    }
}

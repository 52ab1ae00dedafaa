import Cryptography

/// The position of a symmetric chain: the key that the next message's keys come from, and that message's counter.
///
/// Used alike by session chains (03-signal, section 6.1) and sender keys (section 10.1).
struct ChainKey: Sendable, Equatable {
    static let count = 32
    private static let seedConstant: UInt8 = 0x01
    private static let nextConstant: UInt8 = 0x02

    let key: SecretBytes
    /// Counter of the next message.
    let index: UInt32

    init(key: SecretBytes, index: UInt32) {
        self.key = key
        self.index = index
    }

    /// `HMAC(key, 01)`: what the next message's keys are derived from.
    func seed(_ engine: inout HMACEngine) -> SecretBytes { output(ChainKey.seedConstant, &engine) }

    /// The position after the next message: `HMAC(key, 02)`.
    func next(_ engine: inout HMACEngine) -> ChainKey {
        ChainKey(key: output(ChainKey.nextConstant, &engine), index: index &+ 1)
    }

    /// The position `steps` messages further on.
    func advanced(by steps: UInt32, _ engine: inout HMACEngine) -> ChainKey {
        var chain = self
        for _ in 0..<steps { chain = chain.next(&engine) }
        return chain
    }

    private func output(_ constant: UInt8, _ engine: inout HMACEngine) -> SecretBytes {
        SecretBytes(count: ChainKey.count) { output in
            key.withUnsafeBytes { engine.setKey($0) }
            engine.begin()
            withUnsafeBytes(of: constant) { engine.update($0) }
            engine.finish(output)
        }
    }
}

extension HMACEngine {
    /// `finish` into a buffer of at least `count` bytes.
    mutating func finish(_ output: UnsafeMutableRawBufferPointer) {
        guard let start = output.baseAddress, output.count >= count else {
            preconditionFailure("an authenticator takes \(count) bytes")
        }
        finish(start)
    }
}

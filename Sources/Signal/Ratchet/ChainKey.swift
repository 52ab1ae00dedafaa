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
        guard steps > 0 else { return self }
        return ChainKey(
            key: SecretBytes(count: ChainKey.count) { key in
                self.key.withUnsafeBytes { key.copyMemory(from: $0) }
                for _ in 0..<steps { ChainKey.step(key, &engine) }
            }, index: index &+ steps)
    }

    /// The position `steps` messages further on, and the seeds of the messages in between.
    func advanced(by steps: UInt32, collecting seeds: inout SkippedKeys, _ engine: inout HMACEngine) -> ChainKey {
        guard steps > 0 else { return self }
        seeds.reserveCapacity(Int(steps))
        return ChainKey(
            key: SecretBytes(count: ChainKey.count) { key in
                self.key.withUnsafeBytes { key.copyMemory(from: $0) }
                for step in 0..<steps {
                    seeds.append(index &+ step) { seed in
                        engine.setKey(UnsafeRawBufferPointer(key))
                        ChainKey.authenticate(ChainKey.seedConstant, into: seed, &engine)
                    }
                    ChainKey.authenticate(ChainKey.nextConstant, into: key, &engine)
                }
            }, index: index &+ steps)
    }

    /// Replaces a key by the next one, in place.
    private static func step(_ key: UnsafeMutableRawBufferPointer, _ engine: inout HMACEngine) {
        engine.setKey(UnsafeRawBufferPointer(key))
        authenticate(nextConstant, into: key, &engine)
    }

    private static func authenticate(
        _ constant: UInt8, into output: UnsafeMutableRawBufferPointer, _ engine: inout HMACEngine
    ) {
        engine.begin()
        withUnsafeBytes(of: constant) { engine.update($0) }
        engine.finish(output)
    }

    private func output(_ constant: UInt8, _ engine: inout HMACEngine) -> SecretBytes {
        SecretBytes(count: ChainKey.count) { output in
            key.withUnsafeBytes { engine.setKey($0) }
            ChainKey.authenticate(constant, into: output, &engine)
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

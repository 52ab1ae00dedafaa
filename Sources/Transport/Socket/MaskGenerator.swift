import Cryptography

/// Masks for websocket frames. What is masked is ciphertext, so a mask need not be secret: a fast generator from a random
/// seed will do.
struct MaskGenerator {
    private var state: UInt64

    /// - Parameter seed: eight random bytes.
    init(seed: Bytes) {
        state = seed.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// SplitMix64, upper half.
    mutating func next() -> UInt32 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return UInt32(truncatingIfNeeded: (value ^ (value >> 31)) >> 32)
    }
}

import Cryptography

/// Numbers as stanzas carry them: big-endian, fixed width.
enum WireNumber {
    /// The low `count` (1…4) bytes of `value`.
    static func bytes(_ value: UInt32, _ count: Int) -> Bytes {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * (count - 1 - $0))) }
    }

    /// The number that at most four bytes stand for.
    static func number(_ bytes: Bytes) -> UInt32 { bytes.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
}

/// 32 bytes held inline as four words in memory order (little-endian values on every processor that we read them as
/// numbers on): a public key or curve point that costs no allocation to copy, compare or hash.
package struct Bytes32: Sendable, Hashable {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private var fourth: UInt64 = 0

    package init() {}

    /// `nil` unless there are exactly 32 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        withBytes(bytes) { source in self.withUnsafeMutableBytes { $0.copyMemory(from: source) } }
    }

    /// The limbs of a little-endian number.
    init(littleEndianWords words: (UInt64, UInt64, UInt64, UInt64)) {
        first = words.0.littleEndian
        second = words.1.littleEndian
        third = words.2.littleEndian
        fourth = words.3.littleEndian
    }

    var littleEndianWords: (UInt64, UInt64, UInt64, UInt64) {
        (first.littleEndian, second.littleEndian, third.littleEndian, fourth.littleEndian)
    }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try Swift.withUnsafeBytes(of: self, body)
    }

    package mutating func withUnsafeMutableBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> R
    ) rethrows -> R {
        try Swift.withUnsafeMutableBytes(of: &self, body)
    }

    package var bytes: Bytes { withUnsafeBytes { Bytes($0) } }
}

import Cryptography

/// The homomorphic hash of a collection's values: it takes single values in and out in any order.
///
/// Layout: 64 unsigned 16-bit little-endian lanes; a value MAC is expanded to 128 bytes by HKDF-SHA256 with info
/// `WhatsApp Patch Integrity` and added or subtracted lane by lane modulo 2^16 (06-app-state-history, section 6).
package struct LTHash: Sendable, Equatable {
    package static let count = 128

    /// 128 bytes.
    package private(set) var bytes: Bytes

    /// The hash of nothing.
    package init() { bytes = Bytes(repeating: 0, count: LTHash.count) }

    /// Nil unless there are 128 bytes.
    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == LTHash.count else { return nil }
        self.bytes = Bytes(bytes)
    }

    package mutating func add(_ valueMAC: Bytes) { combine(valueMAC) { $0 &+ $1 } }

    package mutating func subtract(_ valueMAC: Bytes) { combine(valueMAC) { $0 &- $1 } }

    private mutating func combine(_ valueMAC: Bytes, _ operation: (UInt16, UInt16) -> UInt16) {
        let expanded = HKDFSHA256.derive(
            inputKeyMaterial: valueMAC, info: Bytes("WhatsApp Patch Integrity".utf8), count: LTHash.count)
        for low in stride(from: 0, to: LTHash.count, by: 2) {
            let lane = operation(
                UInt16(bytes[low]) | UInt16(bytes[low + 1]) << 8, UInt16(expanded[low]) | UInt16(expanded[low + 1]) << 8
            )
            bytes[low] = UInt8(truncatingIfNeeded: lane)
            bytes[low + 1] = UInt8(lane >> 8)
        }
    }
}

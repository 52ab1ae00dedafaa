#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A block of IPv4 or IPv6 addresses, `10.0.0.0/8`; a single address is a block of one.
package struct AddressBlock: Sendable, Equatable {
    /// 4 or 16 bytes.
    private let base: [UInt8]
    /// Leading bits that must agree.
    private let prefix: Int

    /// Nil when `text` is neither an address nor `address/bits`.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.bytes(of: String(first)) else { return nil }
        var bits = address.count * 8
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...bits).contains(given) else { return nil }
            bits = given
        }
        base = address
        prefix = bits
    }

    /// `address` is the text of an address, with or without brackets; an IPv4 address mapped into IPv6 counts as IPv4.
    package func contains(_ address: String) -> Bool {
        Self.bytes(of: address).map(contains(bytes:)) ?? false
    }

    /// `bytes` are the 4 or 16 bytes of an address in network order.
    package func contains(bytes: [UInt8]) -> Bool {
        guard bytes.count == base.count else { return false }
        var bits = prefix
        for (left, right) in zip(bytes, base) {
            if bits >= 8 {
                if left != right { return false }
                bits -= 8
            } else {
                let mask = bits <= 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF00 >> bits)
                return left & mask == right & mask
            }
        }
        return true
    }

    /// What limits per caller count an address as: an IPv4 address is itself, an IPv6 address its /64, which is what a
    /// single customer has; other text is itself.
    package static func network(of address: String) -> String {
        guard address.utf8.contains(UInt8(ascii: ":")), let bytes = bytes(of: address) else { return address }
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = stride(from: 0, to: 8, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        return groups.joined(separator: ":") + "::/64"
    }

    /// 4 or 16 bytes of an address, or nil.
    static func bytes(of text: String) -> [UInt8]? {
        let bare = text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : text
        var four = in_addr()
        if inet_pton(AF_INET, bare, &four) == 1 {
            return withUnsafeBytes(of: four) { [UInt8]($0) }
        }
        var sixteen = in6_addr()
        guard inet_pton(AF_INET6, bare, &sixteen) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: sixteen) { [UInt8]($0) }
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? [UInt8](bytes.suffix(4)) : bytes
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An IPv4 or IPv6 address as bytes in network order: 4 or 16 of them.
package struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    package let bytes: [UInt8]

    package var isIPv4: Bool { bytes.count == 4 }

    /// - Parameter bytes: 4 or 16 bytes in network order; nil for any other count.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
    }

    /// Reads an address in any notation a resolver or a C library would take for one: dotted decimal, octal, hex,
    /// one to four parts, IPv6 with or without brackets, zone and embedded IPv4. Nil when it is a name.
    package init?(literal: String) {
        var text = Substring(literal)
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        if text.contains(":") {
            let address = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)[0]
            var storage = [UInt8](repeating: 0, count: 16)
            guard inet_pton(AF_INET6, String(address), &storage) == 1 else { return nil }
            bytes = storage
        } else {
            guard let value = Self.numericIPv4(text) else { return nil }
            bytes = [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
        }
    }

    /// The 32-bit value of `a.b.c.d`, `a.b.c`, `a.b` or `a`, each part decimal, `0x` hex or `0` octal, as inet_aton reads it.
    private static func numericIPv4(_ text: Substring) -> UInt32? {
        var parts = text.split(separator: ".", omittingEmptySubsequences: false)
        if parts.last == "" { parts.removeLast() }
        guard (1...4).contains(parts.count) else { return nil }
        var values: [UInt64] = []
        for part in parts {
            guard let value = number(part) else { return nil }
            values.append(value)
        }
        guard let last = values.popLast(), last < UInt64(1) << (8 * UInt64(4 - values.count)) else { return nil }
        var result = last
        for (index, value) in values.enumerated() {
            guard value <= 255 else { return nil }
            result |= value << UInt64(24 - 8 * index)
        }
        return UInt32(truncatingIfNeeded: result)
    }

    private static func number(_ part: Substring) -> UInt64? {
        guard !part.isEmpty, part.utf8.count <= 16 else { return nil }
        let lower = part.lowercased()
        if lower.hasPrefix("0x") { return lower.count == 2 ? 0 : UInt64(lower.dropFirst(2), radix: 16) }
        guard lower.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        if lower.count > 1, lower.hasPrefix("0") { return UInt64(lower.dropFirst(), radix: 8) }
        return UInt64(lower)
    }

    /// The IPv4 address inside an IPv4-mapped (`::ffff:0:0/96`) or IPv4-compatible (`::/96`) IPv6 address.
    package var embeddedIPv4: IPAddress? {
        guard bytes.count == 16, bytes[..<10].allSatisfy({ $0 == 0 }) else { return nil }
        let mapped = bytes[10] == 0xFF && bytes[11] == 0xFF
        let compatible = bytes[10] == 0 && bytes[11] == 0 && bytes[12...].contains { $0 != 0 }
        guard mapped || (compatible && !isLoopback6) else { return nil }
        return IPAddress(bytes: [UInt8](bytes[12...]))
    }

    private var isLoopback6: Bool { bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1 }

    package var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = isIPv4 ? AF_INET : AF_INET6
        guard inet_ntop(family, bytes, &buffer, socklen_t(buffer.count)) != nil else { return "?" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

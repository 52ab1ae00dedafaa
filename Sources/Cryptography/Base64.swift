/// Base-64 text of RFC 4648: the standard alphabet with padding, and the URL-safe alphabet without.
package enum Base64 {
    private static let standard = Bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    private static let standardValues = values(of: standard)
    private static let urlSafeValues = values(of: urlSafe)
    private static let invalid: UInt8 = 0xFF

    package static func encode(_ bytes: some Collection<UInt8>) -> String { encode(bytes, standard, padded: true) }

    /// URL-safe alphabet, no padding.
    package static func encodeURLSafe(_ bytes: some Collection<UInt8>) -> String {
        encode(bytes, urlSafe, padded: false)
    }

    /// The bytes of standard base-64 with its padding; `nil` for anything else.
    package static func decode(_ text: String) -> Bytes? {
        let characters = Bytes(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        return decode(characters[...], standardValues, padding: 0...2)
    }

    /// The bytes of URL-safe base-64, with or without padding; `nil` for anything else.
    package static func decodeURLSafe(_ text: String) -> Bytes? {
        decode(Bytes(text.utf8)[...], urlSafeValues, padding: 0...2)
    }

    private static func encode(_ bytes: some Collection<UInt8>, _ alphabet: Bytes, padded: Bool) -> String {
        var text = Bytes()
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var group: UInt32 = 0
        var held = 0
        for byte in bytes {
            group = group << 8 | UInt32(byte)
            held += 1
            if held == 3 {
                for shift in [18, 12, 6, 0] as [UInt32] { text.append(alphabet[Int(group >> shift & 63)]) }
                group = 0
                held = 0
            }
        }
        if held > 0 {
            group <<= UInt32(8 * (3 - held))
            text.append(alphabet[Int(group >> 18 & 63)])
            text.append(alphabet[Int(group >> 12 & 63)])
            if held == 2 { text.append(alphabet[Int(group >> 6 & 63)]) }
            if padded { text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - held)) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ text: ArraySlice<UInt8>, _ values: Bytes, padding: ClosedRange<Int>) -> Bytes? {
        var text = text
        var pads = 0
        while text.last == UInt8(ascii: "=") {
            text.removeLast()
            pads += 1
        }
        let rest = text.count % 4
        guard padding.contains(pads), rest != 1, pads == 0 || rest + pads == 4 else { return nil }
        var bytes = Bytes()
        bytes.reserveCapacity(text.count * 3 / 4)
        var group: UInt32 = 0
        var bits: UInt32 = 0
        for character in text {
            let value = values[Int(character)]
            guard value != invalid else { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> bits))
                group &= (1 << bits) - 1
            }
        }
        // Bits that are left over are part of no byte; a canonical encoder leaves them zero.
        return group == 0 ? bytes : nil
    }

    private static func values(of alphabet: Bytes) -> Bytes {
        var values = Bytes(repeating: invalid, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }
}

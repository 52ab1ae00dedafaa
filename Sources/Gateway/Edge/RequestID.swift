import Foundation

/// The id that connects a request with its log lines (10-rest-api, section 2.4).
enum RequestID {
    /// The caller's id when it is harmless, `[A-Za-z0-9._:-]{1,128}`; else a new UUID.
    static func choose(_ given: String?) -> String {
        if let given, (1...128).contains(given.utf8.count), given.utf8.allSatisfy(isHarmless) { return given }
        return generate()
    }

    /// A random UUID in lower case. Ids are no secrets, so the process's fast generator will do.
    static func generate() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() as UInt64) & ~0xF000 | 0x4000
        let low = (generator.next() as UInt64) & ~(0xC000 << 48) | (0x8000 << 48)
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for (index, shift) in stride(from: 60, through: -64, by: -4).enumerated() {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[position] = UInt8(ascii: "-")
                    position += 1
                }
                let nibble = shift >= 0 ? high >> UInt64(shift) : low >> UInt64(shift + 64)
                text[position] = HexDigits.lower[Int(nibble & 15)]
                position += 1
            }
            return 36
        }
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "-"): true
        default: false
        }
    }
}

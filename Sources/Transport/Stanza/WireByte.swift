/// The byte that opens a value (01-transport, section 9.3).
enum WireByte {
    static let empty: UInt8 = 0
    static let lastSingleToken: UInt8 = 235
    static let dictionary0: UInt8 = 236
    static let dictionary3: UInt8 = 239
    static let interopJID: UInt8 = 245
    static let messengerJID: UInt8 = 246
    static let deviceJID: UInt8 = 247
    static let list8: UInt8 = 248
    static let list16: UInt8 = 249
    static let jidPair: UInt8 = 250
    static let hex8: UInt8 = 251
    static let binary8: UInt8 = 252
    static let binary20: UInt8 = 253
    static let binary32: UInt8 = 254
    static let nibble8: UInt8 = 255

    /// The tokens of the three servers that nearly all addresses have.
    static let userServer: UInt8 = 0x03
    static let groupServer: UInt8 = 0x1C
    static let lidServer: UInt8 = 0x76

    /// Longest string that may be packed, in characters.
    static let longestPacked = 127
}

/// The alphabets of packed strings (01-transport, section 9.5). No character has different values in the two, so one
/// table serves both.
enum PackedAlphabet {
    static let nibble: UInt8 = 0x10
    static let hex: UInt8 = 0x20

    /// Value of a character in the low four bits, and the alphabets it belongs to in ``nibble`` and ``hex``; 0 = none.
    @inline(__always)
    static func classify(_ character: UInt8) -> UInt8 {
        switch character {
        case 0x30...0x39: nibble | hex | (character & 0x0F)
        case 0x2D: nibble | 10
        case 0x2E: nibble | 11
        case 0x41...0x46: hex | (character &- 0x37)
        default: 0
        }
    }

    /// The character of `value` (0...15) in the nibble alphabet, or nil for 12...14. 15 is filler, which reads as NUL.
    @inline(__always)
    static func nibbleCharacter(_ value: UInt8) -> UInt8? {
        switch value {
        case 0...9: 0x30 &+ value
        case 10: 0x2D
        case 11: 0x2E
        case 15: 0
        default: nil
        }
    }

    /// The character of `value` (0...15) in the hex alphabet.
    @inline(__always)
    static func hexCharacter(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 &+ value : 0x37 &+ value }
}

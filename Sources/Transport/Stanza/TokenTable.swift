/// The token dictionary, both ways: code to string by index, string to code by an open-addressing hash table.
///
/// The strings lie in the binary's read-only data (``TokenTable/strings``); the tables over them, 80 KB in all, are made
/// once at first use in well below a millisecond.
package struct TokenTable: Sendable {
    /// The table of dictionary version 3.
    package static let shared = TokenTable()

    /// Number of single-byte codes: 1...235.
    static let singleByteCount = 235
    /// Number of strings.
    static let count = singleByteCount + 4 * 256

    private struct Entry {
        /// First and last bytes of the string as machine words; together with the length all of a string up to 16 bytes.
        var words: (UInt64, UInt64)
        var start: UnsafePointer<UInt8>
        var length: Int
    }

    private static let slotBits = 12
    private static let slotMask = (1 << slotBits) - 1

    // The three pointers are safe to share: written in init, never changed or freed afterwards, and the table is one
    // static value.
    nonisolated(unsafe) private let entries: UnsafeMutablePointer<Entry>
    /// Position in `entries` plus one; 0 = free.
    nonisolated(unsafe) private let slots: UnsafeMutablePointer<UInt16>
    nonisolated(unsafe) private let texts: UnsafeMutablePointer<String>
    private let longest: Int

    private init() {
        entries = .allocate(capacity: TokenTable.count)
        slots = .allocate(capacity: TokenTable.slotMask + 1)
        slots.initialize(repeating: 0, count: TokenTable.slotMask + 1)
        texts = .allocate(capacity: TokenTable.count)
        var index = 0
        var longest = 0
        let blob = UnsafeBufferPointer(start: TokenTable.strings.utf8Start, count: TokenTable.strings.utf8CodeUnitCount)
        for line in blob.split(separator: UInt8(ascii: "\n")) {
            let bytes = UnsafeBufferPointer(rebasing: line)
            guard let start = bytes.baseAddress else { continue }
            precondition(index < TokenTable.count, "token dictionary too long")
            let words = TokenTable.words(start, bytes.count)
            (entries + index).initialize(to: Entry(words: words, start: start, length: bytes.count))
            (texts + index).initialize(to: String(decoding: bytes, as: UTF8.self))
            var slot = TokenTable.slot(words, bytes.count)
            while slots[slot] != 0 { slot = (slot + 1) & TokenTable.slotMask }
            index += 1
            slots[slot] = UInt16(index)
            longest = max(longest, bytes.count)
        }
        precondition(index == TokenTable.count, "token dictionary incomplete")
        self.longest = longest
    }

    /// The string of position `index` in code order, which must be below ``count``.
    @inline(__always)
    func text(at index: Int) -> String {
        assert(index >= 0 && index < TokenTable.count)
        return texts[index]
    }

    /// The position in code order of the string of `count` bytes at `start`, or -1.
    @inline(__always)
    package func index(of start: UnsafePointer<UInt8>, count: Int) -> Int {
        guard count > 0, count <= longest else { return -1 }
        let words = TokenTable.words(start, count)
        var slot = TokenTable.slot(words, count)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            let entry = entries + index
            if entry.pointee.words == words, entry.pointee.length == count,
                count <= 16 || TokenTable.equal(entry.pointee.start, start, count)
            {
                return index
            }
            slot = (slot + 1) & TokenTable.slotMask
        }
        return -1
    }

    /// The first and the last bytes of a string as two words, overlapping where it is shorter than 16.
    @inline(__always)
    private static func words(_ start: UnsafePointer<UInt8>, _ count: Int) -> (UInt64, UInt64) {
        let raw = UnsafeRawPointer(start)
        if count >= 8 {
            return (
                raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            )
        }
        if count >= 4 {
            return (
                UInt64(raw.loadUnaligned(as: UInt32.self)),
                UInt64(raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            )
        }
        return (UInt64(start[0]), UInt64(start[count >> 1]) << 8 | UInt64(start[count - 1]))
    }

    @inline(__always)
    private static func slot(_ words: (UInt64, UInt64), _ count: Int) -> Int {
        var hash = words.0 &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ (hash >> 32) ^ words.1 ^ UInt64(truncatingIfNeeded: count)) &* 0xC2B2_AE3D_27D4_EB4F
        return Int(truncatingIfNeeded: hash >> UInt64(64 - slotBits))
    }

    private static func equal(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for offset in 0..<count where left[offset] != right[offset] { return false }
        return true
    }
}

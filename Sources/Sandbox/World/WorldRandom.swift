import Cryptography

/// The random source of a world: one ChaCha20 stream per purpose, keyed from the seed (09, section 25), so that a new use
/// of one purpose never shifts another.
///
/// Label of a stream: `sandbox/<world>/<purpose>`, with `#<n>` appended after the n-th restart of a persisted world: a
/// stream's position is not stored, and the values it gave before a restart must not come again.
@SandboxActor
package final class WorldRandom {
    private let seed: Bytes
    private let world: String
    private let incarnation: UInt64
    private var streams: [String: SeededRandom] = [:]

    package init(seed: Bytes, world: String, incarnation: UInt64) {
        self.seed = seed
        self.world = world
        self.incarnation = incarnation
    }

    /// The stream of `purpose`, for example `group/ids` or `account/12025550123/session/1000:1`.
    package func stream(_ purpose: String) -> any RandomSource {
        if let stream = streams[purpose] { return stream }
        let suffix = incarnation == 0 ? "" : "#\(incarnation)"
        let stream = SeededRandom(seed: seed, label: "sandbox/\(world)/\(purpose)\(suffix)")
        streams[purpose] = stream
        return stream
    }

    /// The first `count` bytes of `purpose`, the same in every start of the world.
    package func constant(_ purpose: String, _ count: Int) -> Bytes {
        SeededRandom(seed: seed, label: "sandbox/\(world)/\(purpose)").bytes(count)
    }

    /// `count` random characters of `alphabet` (ASCII, at most 256).
    package func text(_ purpose: String, count: Int, alphabet: String) -> String {
        let symbols = Array(alphabet.utf8)
        let limit = 256 - 256 % symbols.count
        let source = stream(purpose)
        var result = Bytes()
        while result.count < count {
            for byte in source.bytes(count) where Int(byte) < limit && result.count < count {
                result.append(symbols[Int(byte) % symbols.count])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Decimal digits, the first one never `0`.
    package func digits(_ purpose: String, count: Int) -> String {
        text(purpose, count: 1, alphabet: "123456789") + text(purpose, count: count - 1, alphabet: "0123456789")
    }

    /// A number from `0 ..< bound`.
    package func number(_ purpose: String, below bound: UInt32) -> UInt32 {
        let wide = stream(purpose).bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return UInt32(wide % UInt64(bound))
    }

    /// A true with probability `chance` (0…1).
    package func chance(_ purpose: String, _ chance: Double) -> Bool {
        Double(number(purpose, below: 1_000_000)) < chance * 1_000_000
    }
}

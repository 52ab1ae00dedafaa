import Cryptography

/// The seeds of messages that a receiving chain has stepped over, by counter, at most `SignalLimits.skippedKeys`.
struct SkippedKeys: Sendable {
    /// Ascending.
    private(set) var counters: [UInt32] = []
    private var seeds = SecretBlocks()

    var count: Int { counters.count }
    var isEmpty: Bool { counters.isEmpty }

    func index(of counter: UInt32) -> Int? {
        var (low, high) = (0, counters.count)
        while low < high {
            let middle = (low + high) / 2
            if counters[middle] < counter { low = middle + 1 } else { high = middle }
        }
        return low < counters.count && counters[low] == counter ? low : nil
    }

    func withSeed<R>(at index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try seeds.withBlock(index, body)
    }

    mutating func remove(at index: Int) {
        counters.remove(at: index)
        seeds.removeSubrange(index..<index + 1)
    }

    /// Appends the seed of a counter above all that are here.
    mutating func append(_ counter: UInt32, _ seed: UnsafeRawBufferPointer) {
        append(counter) { $0.copyMemory(from: seed) }
    }

    /// The same with a seed that `initialize` writes in place (32 bytes).
    mutating func append(_ counter: UInt32, _ initialize: (UnsafeMutableRawBufferPointer) -> Void) {
        counters.append(counter)
        seeds.append(initialize)
    }

    mutating func reserveCapacity(_ capacity: Int) {
        counters.reserveCapacity(capacity)
        seeds.reserveCapacity(capacity)
    }

    /// Appends keys whose counters are above all that are here, and drops the oldest beyond the limit.
    mutating func append(_ newer: SkippedKeys) {
        counters.append(contentsOf: newer.counters)
        seeds.append(contentsOf: newer.seeds)
        trim()
    }

    /// Puts keys whose counters are below all that are here in front; the oldest go beyond the limit.
    mutating func prepend(_ older: SkippedKeys) {
        var joined = older
        joined.append(self)
        self = joined
    }

    private mutating func trim() {
        let excess = counters.count - SignalLimits.skippedKeys
        guard excess > 0 else { return }
        counters.removeFirst(excess)
        seeds.removeSubrange(0..<excess)
    }
}

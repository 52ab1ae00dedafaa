import Metrics
import Synchronization

/// A number that only grows, or one that moves: one line of the text format.
final class ScalarSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler {
    /// Bits of a Double.
    private let bits = Atomic<UInt64>(0)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func decrement(by amount: Double) { increment(by: -amount) }

    func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, seen) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = seen
        }
    }

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func reset() { set(0.0) }
}

/// Counts per bucket, and their sum.
final class HistogramSeries: RecorderHandler, TimerHandler {
    struct Snapshot {
        /// Not cumulative; the last is above all bounds.
        var counts: [UInt64]
        var sum = 0.0

        var total: UInt64 { counts.reduce(0, &+) }
    }

    let bounds: [Double]
    private let state: Mutex<Snapshot>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Snapshot(counts: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    var snapshot: Snapshot { state.withLock { $0 } }

    func observe(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] &+= 1
            state.sum += value
        }
    }

    func record(_ value: Int64) { observe(Double(value)) }
    func record(_ value: Double) { observe(value) }
    func recordNanoseconds(_ duration: Int64) { observe(Double(duration) / 1e9) }
}

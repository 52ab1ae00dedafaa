/// Delays before connection attempts (16-performance-durability, section 7.3): within a second after the first loss, then
/// Fibonacci seconds with a tenth of jitter, from the third attempt on anywhere below; at most 15 minutes. Pure.
package struct ReconnectLadder: Sendable, Equatable {
    static let cap: Double = 900
    /// Seconds of a logged-in connection after which the ladder starts over.
    static let stable: Int64 = 60

    /// Attempts that failed in a row.
    package private(set) var failures = 0

    package init() {}

    /// Milliseconds to wait before the next attempt; counts it. `fraction` is uniform in 0..<1, `minimum` seconds come from
    /// the server.
    package mutating func next(fraction: Double, minimum: Int64 = 0) -> Int64 {
        defer { failures += 1 }
        let seconds: Double
        switch failures {
        case 0: seconds = fraction
        case 1, 2: seconds = step * (0.9 + 0.2 * fraction)
        default: seconds = max(0.25, step * fraction)
        }
        // Spread what the server told everybody at once.
        return Int64(max(seconds, Double(minimum) * (1 + 0.25 * fraction)) * 1000)
    }

    /// Whether a restart that the server asks for happens without a wait; counts it. A server that asks again and again gets
    /// the ladder.
    package mutating func restartsAtOnce() -> Bool {
        guard failures < 3 else { return false }
        failures += 1
        return true
    }

    private var step: Double {
        var (previous, current) = (0.0, 1.0)
        for _ in 1..<max(failures, 1) where current < Self.cap { (previous, current) = (current, previous + current) }
        return min(current, Self.cap)
    }

    /// A connection that was ready for `seconds` ended.
    package mutating func connectionEnded(readyFor seconds: Int64?) {
        if let seconds, seconds >= Self.stable { failures = 0 }
    }

    package mutating func reset() { failures = 0 }
}

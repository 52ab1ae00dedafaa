/// How a large restore is spread, so that thousands of devices do not log in within the same second: by waits between the
/// claims, outside the slots, of `jitter` seconds in all on average (13-configuration, section 8.2). Pure.
struct RestorePace: Sendable {
    /// Longest share of one device, seconds.
    private static let longest = 0.05

    /// Seconds over which a restore is spread.
    let jitter: Double
    /// Devices that connect at once: a restore of no more is not spread.
    let concurrency: Int

    /// Seconds to wait after `count` of `total` devices were claimed.
    ///
    /// - Parameter random: Gives a number in 0..<2, one on average.
    func pause(after count: Int, of total: Int, random: () -> Double) -> Double {
        guard total > concurrency, jitter > 0 else { return 0 }
        return random() * min(jitter / Double(total), Self.longest) * Double(count)
    }
}

import NIOConcurrencyHelpers

/// Requests per tenant in the last hour, counted by minute (10-rest-api, section 2.9, "Requests per tenant").
///
/// Counts are this node's own; what other nodes counted is added by ``setTotals(_:)`` as it becomes known.
package final class SlidingHour: Sendable {
    private struct Usage {
        /// Minute number of the newest slot.
        var minute: Int64
        /// Ring of 60 counts, indexed by minute modulo 60.
        var counts = [UInt32](repeating: 0, count: 60)
        var total: Int = 0
        var elsewhere: Int = 0
        /// Counted since `takeUnsaved()`.
        var unsaved: Int = 0
    }

    private let usages = NIOLockedValueBox<[Int64: Usage]>([:])

    package init() {}

    /// Counts one request unless `limit` is reached; 0 is unlimited, and then nothing is remembered.
    ///
    /// - Parameter now: Unix seconds.
    package func count(tenant: Int64, limit: Int, now: Int64) -> AttemptLimiter.Standing? {
        guard limit > 0 else { return nil }
        let minute = now / 60
        return usages.withLockedValue { usages in
            var usage = usages[tenant] ?? Usage(minute: minute)
            Self.advance(&usage, to: minute)
            let isExceeded = usage.total + usage.elsewhere >= limit
            if !isExceeded {
                usage.counts[Int(minute % 60)] += 1
                usage.total += 1
                usage.unsaved += 1
            }
            usages[tenant] = usage
            let used = usage.total + usage.elsewhere
            return AttemptLimiter.Standing(
                limit: limit, remaining: max(0, limit - used), resetAfter: Self.reset(usage, now: now),
                isExceeded: isExceeded)
        }
    }

    /// What was counted since the last call, per tenant: to be added to the shared table.
    package func takeUnsaved() -> [Int64: Int] {
        usages.withLockedValue { usages in
            var unsaved: [Int64: Int] = [:]
            for (tenant, usage) in usages where usage.unsaved > 0 {
                unsaved[tenant] = usage.unsaved
                usages[tenant]?.unsaved = 0
            }
            return unsaved
        }
    }

    /// Takes back what ``takeUnsaved()`` gave and could not be written.
    package func putBack(_ counts: [Int64: Int]) {
        usages.withLockedValue { usages in
            for (tenant, count) in counts { usages[tenant]?.unsaved += count }
        }
    }

    /// Requests of the last hour over all nodes, this one's included: what exceeds our own count was counted elsewhere, or
    /// by an earlier life of this node.
    package func setTotals(_ totals: [Int64: Int]) {
        usages.withLockedValue { usages in
            for (tenant, usage) in usages {
                let own = usage.total - usage.unsaved
                usages[tenant]?.elsewhere = max(0, (totals[tenant] ?? 0) - own)
            }
        }
    }

    private static func advance(_ usage: inout Usage, to minute: Int64) {
        guard minute > usage.minute else { return }
        for step in 1...min(60, minute - usage.minute) {
            let slot = Int((usage.minute + step) % 60)
            usage.total -= Int(usage.counts[slot])
            usage.counts[slot] = 0
        }
        usage.minute = minute
    }

    /// Seconds until the oldest counted minute leaves the hour.
    private static func reset(_ usage: Usage, now: Int64) -> Int {
        for age in stride(from: Int64(59), through: 0, by: -1) {
            let minute = usage.minute - age
            if minute >= 0, usage.counts[Int(minute % 60)] > 0 { return Int(max(1, (minute + 60) * 60 - now)) }
        }
        return 3600
    }
}

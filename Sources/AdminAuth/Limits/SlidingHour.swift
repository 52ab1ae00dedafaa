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

        /// Counts one request of `minute`, unless `limit` is reached.
        mutating func count(at minute: Int64, limit: Int, now: Int64) -> AttemptLimiter.Standing {
            advance(to: minute)
            let isExceeded = total + elsewhere >= limit
            if !isExceeded {
                counts[Int(self.minute % 60)] += 1
                total += 1
                unsaved += 1
            }
            return AttemptLimiter.Standing(
                limit: limit, remaining: max(0, limit - total - elsewhere), resetAfter: reset(now: now),
                isExceeded: isExceeded)
        }

        private mutating func advance(to minute: Int64) {
            guard minute > self.minute else { return }
            for step in 1...min(60, minute - self.minute) {
                let slot = Int((self.minute + step) % 60)
                total -= Int(counts[slot])
                counts[slot] = 0
            }
            self.minute = minute
        }

        /// Seconds until the oldest counted minute leaves the hour.
        private func reset(now: Int64) -> Int {
            for age in stride(from: Int64(59), through: 0, by: -1) {
                let counted = minute - age
                if counted >= 0, counts[Int(counted % 60)] > 0 { return Int(max(1, (counted + 60) * 60 - now)) }
            }
            return 3600
        }
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
            // In place: a copy out and back would copy the ring.
            usages[tenant, default: Usage(minute: minute)].count(at: minute, limit: limit, now: now)
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
}

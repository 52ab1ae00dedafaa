import Synchronization

/// Until when this node may act on its leases, by its own monotonic clock (14-storage, section 7.2).
///
/// The database's clock decides who owns a device; this one only says when the node must assume the worst: it was frozen,
/// or the database did not answer. Reading it takes one clock call.
package final class LeaseValidity: Sendable {
    private let origin = ContinuousClock.now
    private let renewedAt = Atomic<Int64>(0)
    private let limit: Int64

    /// - Parameter limit: Seconds after a renewal from which leases no longer count: their lifetime less a margin.
    package init(limit: Double) {
        self.limit = Int64(limit * 1_000_000_000)
    }

    /// All leases were renewed by a statement sent at `instant`.
    package func renewed(at instant: ContinuousClock.Instant) {
        renewedAt.store(Self.nanoseconds(instant - origin), ordering: .relaxed)
    }

    package var isValid: Bool {
        Self.nanoseconds(ContinuousClock.now - origin) - renewedAt.load(ordering: .relaxed) < limit
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let parts = duration.components
        return parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000
    }
}

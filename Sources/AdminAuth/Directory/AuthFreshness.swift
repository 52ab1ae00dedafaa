import NIOConcurrencyHelpers

/// Since when the directory may be out of date. A directory that could not be refreshed for longer than the limit is not
/// trusted any more (10-rest-api, section 3.4, `AUTH_STALE_MAX`).
package final class AuthFreshness: Sendable {
    /// How old the directory may become.
    package let limit: Duration
    private let refreshedAt: NIOLockedValueBox<ContinuousClock.Instant?>

    package init(limit: Duration) {
        self.limit = limit
        refreshedAt = NIOLockedValueBox(nil)
    }

    /// The directory was complete at `instant`.
    package func refreshed(at instant: ContinuousClock.Instant = .now) {
        refreshedAt.withLockedValue { $0 = max($0 ?? instant, instant) }
    }

    /// Also true before the first load.
    package var isStale: Bool {
        guard let last = refreshedAt.withLockedValue({ $0 }) else { return true }
        return ContinuousClock.now - last > limit
    }
}

import NIOConcurrencyHelpers

/// Counts events per name in fixed windows, each window starting with its first event (10-rest-api, section 2.9).
///
/// Bounded: when too many names are known, windows that have ended go first, then a quarter of the rest: those that did not
/// use up their limit before those that did, and those that end soon before those that last. Who is locked out stays so
/// however many other names an attacker has.
package final class AttemptLimiter: Sendable {
    /// Where one name stands.
    package struct Standing: Sendable, Equatable {
        package let limit: Int
        package let remaining: Int
        /// Seconds until the window ends, at least 1.
        package let resetAfter: Int
        package let isExceeded: Bool

        package init(limit: Int, remaining: Int, resetAfter: Int, isExceeded: Bool) {
            self.limit = limit
            self.remaining = remaining
            self.resetAfter = resetAfter
            self.isExceeded = isExceeded
        }
    }

    private struct Window {
        /// Unix seconds.
        var endsAt: Int64
        var count: Int
    }

    private let limit: Int
    private let seconds: Int64
    private let capacity: Int
    private let windows = NIOLockedValueBox<[String: Window]>([:])

    /// - Parameters:
    ///   - limit: Events allowed per window.
    ///   - seconds: Length of a window.
    ///   - capacity: Names remembered.
    package init(limit: Int, seconds: Int64, capacity: Int = 65_536) {
        self.limit = limit
        self.seconds = seconds
        self.capacity = capacity
    }

    /// Counts one event. The standing says whether it was one too many.
    package func count(_ name: String, now: Int64) -> Standing {
        windows.withLockedValue { windows in
            makeRoom(&windows, for: name, now: now)
            var window = current(windows[name], now: now)
            window.count += 1
            windows[name] = window
            return standing(window, now: now, isExceeded: window.count > limit)
        }
    }

    /// Where a name stands without counting; exceeded once the limit is used up.
    package func standing(_ name: String, now: Int64) -> Standing {
        windows.withLockedValue { windows in
            let window = current(windows[name], now: now)
            return standing(window, now: now, isExceeded: window.count >= limit)
        }
    }

    package func forget(_ name: String) {
        windows.withLockedValue { $0[name] = nil }
    }

    private func current(_ window: Window?, now: Int64) -> Window {
        if let window, window.endsAt > now { return window }
        return Window(endsAt: now + seconds, count: 0)
    }

    private func standing(_ window: Window, now: Int64, isExceeded: Bool) -> Standing {
        Standing(
            limit: limit, remaining: max(0, limit - window.count), resetAfter: Int(max(1, window.endsAt - now)),
            isExceeded: isExceeded)
    }

    private func makeRoom(_ windows: inout [String: Window], for name: String, now: Int64) {
        guard windows.count >= capacity, windows[name] == nil else { return }
        windows = windows.filter { $0.value.endsAt > now }
        guard windows.count >= capacity else { return }
        var surplus = windows.count - capacity + max(1, capacity / 4)
        let bound = windows.values.map(rank).sorted()[min(surplus, windows.count) - 1]
        windows = windows.filter { _, window in
            guard surplus > 0, rank(window) <= bound else { return true }
            surplus -= 1
            return false
        }
    }

    /// Lower is forgotten sooner.
    private func rank(_ window: Window) -> Int64 {
        // A window that begins now ends `seconds` later: one that is used up outranks every one that is not.
        window.count >= limit ? window.endsAt + seconds : window.endsAt
    }
}

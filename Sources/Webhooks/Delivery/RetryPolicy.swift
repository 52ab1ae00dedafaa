/// When a failed delivery is tried again (11-webhooks, section 6.4): a fast phase like the reference's, then a slow
/// one, until the schedule or the event's age runs out. Pure: the clock and the random share are passed in.
package struct RetryPolicy: Sendable, Equatable {
    /// What an attempt came to.
    package enum Outcome: Sendable, Equatable {
        case delivered
        /// 410: the endpoint is gone for good.
        case gone
        /// `retryAfter`: seconds the endpoint asked for. `isOverloaded`: 429, 502, 503, 504 or a time-out.
        case failed(isOverloaded: Bool, retryAfter: Int?)
    }

    /// What becomes of the delivery.
    package enum Verdict: Sendable, Equatable {
        case success
        /// Try again after so many milliseconds.
        case retry(afterMilliseconds: Int64)
        /// Out of attempts or too old. `isFinalFailure`: the schedule is empty, so the word is `failed`, not `dead`.
        case exhausted(isFinalFailure: Bool)
        /// Failed, and the webhook is to be disabled.
        case gone
    }

    /// `WEBHOOK_RETRY_LIMIT`: attempts of the fast phase, waits of 2, 4, 6 … seconds between them.
    package var fastAttempts: Int
    /// `WEBHOOK_RETRY_SCHEDULE`, seconds; each wait is spread by ±20 %.
    package var slowSchedule: [Int64]
    /// `WEBHOOK_MAX_AGE`, seconds since the event arose.
    package var maximumAge: Int64

    package init(
        fastAttempts: Int = 3, slowSchedule: [Int64] = [60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
        maximumAge: Int64 = 96 * 3600
    ) {
        self.fastAttempts = fastAttempts
        self.slowSchedule = slowSchedule
        self.maximumAge = maximumAge
    }

    /// - Parameters:
    ///   - attempt: number of the attempt just made, from 1.
    ///   - age: seconds since the event arose.
    ///   - share: random number in 0..<1, for the spread.
    package func verdict(_ outcome: Outcome, attempt: Int, age: Int64, share: Double) -> Verdict {
        switch outcome {
        case .delivered: return .success
        case .gone: return .gone
        case .failed(let isOverloaded, let retryAfter):
            guard var wait = scheduledWait(after: attempt, isOverloaded: isOverloaded, share: share) else {
                return .exhausted(isFinalFailure: slowSchedule.isEmpty)
            }
            if let retryAfter { wait = max(wait, min(Int64(retryAfter), 3600) * 1000) }
            guard age + wait / 1000 <= maximumAge else { return .exhausted(isFinalFailure: slowSchedule.isEmpty) }
            return .retry(afterMilliseconds: wait)
        }
    }

    private func scheduledWait(after attempt: Int, isOverloaded: Bool, share: Double) -> Int64? {
        if attempt < fastAttempts { return Int64(2 * attempt) * 1000 }
        let index = attempt - fastAttempts
        guard slowSchedule.indices.contains(index) else { return nil }
        let seconds = isOverloaded ? max(slowSchedule[index], 60) : slowSchedule[index]
        return Int64(Double(seconds * 1000) * (0.8 + 0.4 * share))
    }
}

/// Spares a failing endpoint: after five failures in a row only single probes go out, at growing intervals.
package enum CircuitBreaker {
    /// Seconds until the next probe after `consecutiveFailures` failures; nil while the circuit is closed.
    package static func pause(afterFailures consecutiveFailures: Int) -> Int? {
        guard consecutiveFailures >= 5 else { return nil }
        return [5, 15, 60, 300][min(consecutiveFailures - 5, 3)]
    }
}

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

    /// `WEBHOOK_RETRY_LIMIT`: attempts of the fast phase, waits of 1, 2, 3 … steps between them.
    package var fastAttempts: Int
    /// Milliseconds of a step of the fast phase: the reference's 2 s.
    package var fastStep: Int64
    /// `WEBHOOK_RETRY_SCHEDULE`, seconds: the mean of each wait.
    package var slowSchedule: [Int64]
    /// `WEBHOOK_MAX_AGE`, seconds since the delivery was made.
    package var maximumAge: Int64

    package init(
        fastAttempts: Int = 3, fastStep: Int64 = 2000,
        slowSchedule: [Int64] = [60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
        maximumAge: Int64 = 96 * 3600
    ) {
        self.fastAttempts = fastAttempts
        self.fastStep = fastStep
        self.slowSchedule = slowSchedule
        self.maximumAge = maximumAge
    }

    /// - Parameters:
    ///   - attempt: number of the attempt just made, from 1.
    ///   - age: seconds since the delivery was made.
    ///   - share: random number in 0..<1, for the jitter.
    package func verdict(_ outcome: Outcome, attempt: Int, age: Int64, share: Double) -> Verdict {
        switch outcome {
        case .delivered: return .success
        case .gone: return .gone
        case .failed(let isOverloaded, let retryAfter):
            guard age < maximumAge,
                var wait = scheduledWait(after: attempt, isOverloaded: isOverloaded, share: share)
            else { return .exhausted(isFinalFailure: slowSchedule.isEmpty) }
            // The last wait ends with the event's time, not behind it.
            wait = min(wait, (maximumAge - age) * 1000)
            if let retryAfter { wait = max(wait, min(Int64(retryAfter), 3600) * 1000) }
            return .retry(afterMilliseconds: wait)
        }
    }

    /// The fast phase keeps the reference's times. In the slow phase the wait is drawn from the whole span between
    /// nothing and twice the schedule's (full jitter), so that the events of an outage do not come back in step.
    private func scheduledWait(after attempt: Int, isOverloaded: Bool, share: Double) -> Int64? {
        if attempt < fastAttempts { return fastStep * Int64(attempt) }
        let index = attempt - fastAttempts
        guard slowSchedule.indices.contains(index) else { return nil }
        let drawn = Int64(Double(slowSchedule[index] * 1000) * 2 * share)
        return max(drawn, isOverloaded ? 60_000 : 1000)
    }
}

/// Spares a failing endpoint: after five failures in a row only single probes go out, at growing intervals.
package struct CircuitBreaker: Sendable, Equatable {
    /// Failures in a row that open the circuit.
    package static let threshold = 5

    /// Milliseconds until the first, second … probe; the last goes on.
    package var pauses: [Int64]

    package init(pauses: [Int64] = [5000, 15_000, 60_000, 300_000]) { self.pauses = pauses }

    /// Milliseconds until the next probe after `consecutiveFailures` failures; nil while the circuit is closed.
    package func pause(afterFailures consecutiveFailures: Int) -> Int64? {
        guard consecutiveFailures >= Self.threshold, let last = pauses.last else { return nil }
        let index = consecutiveFailures - Self.threshold
        return index < pauses.count ? pauses[index] : last
    }
}

import Storage

/// What one attempt came to, before it is judged.
package struct WebhookAttempt: Sendable {
    package var outcome: RetryPolicy.Outcome
    package var responseCode: Int?
    package var responseHead: [UInt8] = []
    /// At most 512 characters; nil after a success.
    package var error: String?
    package var milliseconds: Int
}

/// The run of one lane: judges attempt after attempt, and says when to stop (11-webhooks, sections 6.4 and 6.5). Pure.
package struct LaneRun: Sendable {
    package enum Step: Sendable, Equatable { case next, stop }

    /// How long a strict webhook lets one event hold the others back, in seconds.
    static let strictLimit = 900.0

    private let lane: ClaimedLane
    private let retry: RetryPolicy
    private let breaker: CircuitBreaker
    /// What is written of the lane.
    package private(set) var finished: FinishedLane
    /// The endpoint said that it is gone for good.
    package private(set) var isGone = false

    package init(_ lane: ClaimedLane, retry: RetryPolicy, breaker: CircuitBreaker) {
        self.lane = lane
        self.retry = retry
        self.breaker = breaker
        finished = FinishedLane(lane)
    }

    /// - Parameter share: random number in 0..<1, for the jitter.
    package mutating func record(_ attempt: WebhookAttempt, of delivery: QueuedDelivery, share: Double) -> Step {
        var result = DeliveryResult(
            state: .success, attempt: delivery.attempt, responseCode: attempt.responseCode,
            durationMilliseconds: attempt.milliseconds, error: attempt.error, responseHead: attempt.responseHead)
        defer { finished.results.append((delivery, result)) }
        switch retry.verdict(attempt.outcome, attempt: delivery.attempt, age: Int64(delivery.age), share: share) {
        case .success:
            finished.failures = 0
            finished.hasArrived = true
            finished.rest = nil
            return .next
        case .retry(let wait):
            result.state = .retrying
            result.retryAfterMilliseconds = wait
            failed()
            return pause(for: wait, delivery)
        case .exhausted(let isFinalFailure):
            result.state = isFinalFailure ? .failed : .dead
            failed()
            return finished.rest == nil ? .next : .stop
        case .gone:
            result.state = .failed
            failed()
            isGone = true
            return .stop
        }
    }

    private mutating func failed() {
        let failures = (finished.failures ?? lane.consecutiveFailures) + 1
        finished.failures = failures
        finished.rest = breaker.pause(afterFailures: failures)
    }

    /// A strict lane rests until its failed event is due again; a circuit that opened rests in every mode.
    private mutating func pause(for wait: Int64, _ delivery: QueuedDelivery) -> Step {
        if lane.ordering == .strict {
            let left = Self.strictLimit - (delivery.failingFor ?? 0)
            if left > 0 {
                finished.rest = max(finished.rest ?? 0, min(wait, Int64(left * 1000)))
                return .stop
            }
        }
        return finished.rest == nil ? .next : .stop
    }
}

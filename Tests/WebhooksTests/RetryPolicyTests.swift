import Foundation
import Testing

@testable import Webhooks

@Suite("Retry policy")
struct RetryPolicyTests {
    let failed = RetryPolicy.Outcome.failed(isOverloaded: false, retryAfter: nil)

    @Test("the fast phase waits 2 and 4 seconds, as the reference does")
    func fastPhase() {
        let policy = RetryPolicy()
        #expect(policy.verdict(failed, attempt: 1, age: 0, share: 0) == .retry(afterMilliseconds: 2000))
        #expect(policy.verdict(failed, attempt: 2, age: 2, share: 0) == .retry(afterMilliseconds: 4000))
    }

    @Test("the slow phase draws each wait from the whole span around the schedule's")
    func slowPhase() {
        let policy = RetryPolicy()
        #expect(policy.verdict(failed, attempt: 3, age: 6, share: 0) == .retry(afterMilliseconds: 1000))
        #expect(policy.verdict(failed, attempt: 3, age: 6, share: 0.5) == .retry(afterMilliseconds: 60_000))
        #expect(policy.verdict(failed, attempt: 4, age: 6, share: 0.5) == .retry(afterMilliseconds: 300_000))
        #expect(policy.verdict(failed, attempt: 4, age: 6, share: 0.75) == .retry(afterMilliseconds: 450_000))
    }

    @Test("an overloaded endpoint is left alone for a minute at least")
    func overload() {
        let verdict = RetryPolicy().verdict(
            .failed(isOverloaded: true, retryAfter: nil), attempt: 4, age: 6, share: 0)
        #expect(verdict == .retry(afterMilliseconds: 60_000))
    }

    @Test("a delivery is dead after the last attempt, or when it is too old; the last wait ends with its time")
    func exhaustion() {
        let policy = RetryPolicy()
        #expect(policy.verdict(failed, attempt: 12, age: 10, share: 0) == .exhausted(isFinalFailure: false))
        #expect(policy.verdict(failed, attempt: 5, age: 96 * 3600, share: 0) == .exhausted(isFinalFailure: false))
        #expect(
            policy.verdict(failed, attempt: 11, age: 96 * 3600 - 60, share: 0.9) == .retry(afterMilliseconds: 60_000))
    }

    @Test("an empty schedule is the reference's policy and ends in `failed`")
    func referencePolicy() {
        let policy = RetryPolicy(slowSchedule: [])
        #expect(policy.verdict(failed, attempt: 3, age: 6, share: 0) == .exhausted(isFinalFailure: true))
    }

    @Test("Retry-After is honoured between the scheduled wait and an hour")
    func retryAfter() {
        let policy = RetryPolicy()
        func wait(_ seconds: Int) -> RetryPolicy.Verdict {
            policy.verdict(.failed(isOverloaded: true, retryAfter: seconds), attempt: 1, age: 0, share: 0)
        }
        #expect(wait(1) == .retry(afterMilliseconds: 2000))
        #expect(wait(30) == .retry(afterMilliseconds: 30_000))
        #expect(wait(86_400) == .retry(afterMilliseconds: 3_600_000))
    }

    @Test("410 ends the webhook, 2xx the delivery")
    func ends() {
        #expect(RetryPolicy().verdict(.gone, attempt: 1, age: 0, share: 0) == .gone)
        #expect(RetryPolicy().verdict(.delivered, attempt: 3, age: 0, share: 0) == .success)
    }

    @Test("the circuit opens at the fifth failure and its probes grow rarer")
    func circuit() {
        let breaker = CircuitBreaker()
        let pauses = (1...9).map { breaker.pause(afterFailures: $0) }
        #expect(pauses == [nil, nil, nil, nil, 5000, 15_000, 60_000, 300_000, 300_000])
    }

    @Test("Retry-After is read as seconds and as a date")
    func retryAfterForms() {
        let now = Date(timeIntervalSince1970: 1_767_323_045)
        #expect(RetryAfter.seconds("120", now: now) == 120)
        #expect(RetryAfter.seconds("Fri, 02 Jan 2026 03:05:05 GMT", now: now) == 60)
        #expect(RetryAfter.seconds("Thu, 01 Jan 2026 03:05:05 GMT", now: now) == 0)
        for wrong in ["", "-1", "soon", "2026-01-02T03:05:05Z"] { #expect(RetryAfter.seconds(wrong, now: now) == nil) }
    }
}

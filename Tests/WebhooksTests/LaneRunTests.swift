import Foundation
import Storage
import Testing

@testable import Webhooks

@Suite("Lane run")
struct LaneRunTests {
    private static let retry = RetryPolicy()

    /// The run as an object, which expectations can call.
    private final class Played {
        private var run: LaneRun

        init(_ run: LaneRun) { self.run = run }

        var finished: FinishedLane { run.finished }
        var isGone: Bool { run.isGone }
        func record(_ attempt: WebhookAttempt, of delivery: QueuedDelivery, share: Double) -> LaneRun.Step {
            run.record(attempt, of: delivery, share: share)
        }
    }

    private func run(_ ordering: WebhookRecord.Ordering = .device, failures: Int = 0) -> Played {
        let lane = ClaimedLane(
            claim: UUID(), webhookID: 1, tenantID: 1, did: 1, url: "", secrets: [], ordering: ordering,
            consecutiveFailures: failures)
        return Played(LaneRun(lane, retry: Self.retry, breaker: CircuitBreaker()))
    }

    private func delivery(_ id: Int64 = 1, attempt: Int = 1, failingFor: Double? = nil) -> QueuedDelivery {
        QueuedDelivery(
            id: id, day: "2026-01-02", eventID: "evt_\(id)", eventType: "message.received", attempt: attempt,
            failingFor: failingFor, body: [])
    }

    private let arrived = WebhookAttempt(outcome: .delivered, responseCode: 200, milliseconds: 1)
    private let failed = WebhookAttempt(
        outcome: .failed(isOverloaded: false, retryAfter: nil), responseCode: 500, error: "HTTP 500", milliseconds: 1)

    @Test("in device order a failed event goes to its retries and the next ones are sent")
    func deviceOrder() {
        let run = run()
        #expect(run.record(failed, of: delivery(1), share: 0) == .next)
        #expect(run.record(arrived, of: delivery(2), share: 0) == .next)
        #expect(run.finished.results.map(\.result.state) == [.retrying, .success])
        #expect(run.finished.failures == 0 && run.finished.hasArrived && run.finished.rest == nil)
    }

    @Test("in strict order a failed event stops the lane until it is due, for a quarter of an hour at most")
    func strictOrder() {
        let first = run(.strict)
        #expect(first.record(failed, of: delivery(), share: 0) == .stop)
        #expect(first.finished.rest == 2000)
        let late = run(.strict)
        #expect(late.record(failed, of: delivery(attempt: 5, failingFor: 890), share: 0.5) == .stop)
        #expect(late.finished.rest == 10_000)
        let over = run(.strict)
        #expect(over.record(failed, of: delivery(attempt: 5, failingFor: 900), share: 0.5) == .next)
        #expect(over.finished.rest == nil)
    }

    @Test("the fifth failure in a row opens the circuit; a success closes it")
    func circuit() {
        let run = run()
        for id in 1...4 { #expect(run.record(failed, of: delivery(Int64(id)), share: 0) == .next) }
        #expect(run.record(failed, of: delivery(5), share: 0) == .stop)
        #expect(run.finished.failures == 5 && run.finished.rest == 5000)
        let probe = self.run(failures: 7)
        #expect(probe.record(failed, of: delivery(), share: 0) == .stop)
        #expect(probe.finished.failures == 8 && probe.finished.rest == 300_000)
        let healed = self.run(failures: 7)
        #expect(healed.record(arrived, of: delivery(), share: 0) == .next)
        #expect(healed.finished.failures == 0 && healed.finished.rest == nil)
    }

    @Test("the last attempt is dead, 410 ends the lane")
    func ends() {
        let run = run()
        #expect(run.record(failed, of: delivery(attempt: 12), share: 0) == .next)
        #expect(run.finished.results.last?.result.state == .dead)
        let gone = WebhookAttempt(outcome: .gone, responseCode: 410, error: "HTTP 410", milliseconds: 1)
        #expect(run.record(gone, of: delivery(), share: 0) == .stop)
        #expect(run.isGone && run.finished.results.last?.result.state == .failed)
    }
}

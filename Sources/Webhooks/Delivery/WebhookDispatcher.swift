import Foundation
import Logging
import Metrics
import NIOCore
import Storage
import Synchronization
import Tenancy

/// Takes what is due from the outbox and posts it, on every node, until it is shut down.
///
/// Guarantees of 11-webhooks, section 6: at least once, in order for each device and webhook in the ordered modes,
/// nothing in memory that a crash could lose, and no more in memory than the runs of the lanes under way. A hint is
/// only a hint; the outbox is looked at once a second anyway.
package final class WebhookDispatcher: Sendable {
    package struct Configuration: Sendable {
        /// Lanes, their shares and their rates.
        package var limits: DispatchSchedule.Limits
        package var timeout: TimeAmount
        package var retry: RetryPolicy
        package var breaker: CircuitBreaker
        /// `WEBHOOK_DISABLE_AFTER`, seconds.
        package var disableAfter: Int64
        /// Rows of one run of a lane.
        package var runRows: Int
        /// Requests under way at once of a webhook in ordering mode `none`.
        package var unorderedConcurrency: Int
        /// How often the outbox is looked at without a hint.
        package var pollInterval: Duration
        /// A run starts no further request after so long; what is left waits for the next.
        package var runTime: Duration
        /// How long a lane stays claimed beyond a run and its last request: time to store the outcome. A node that died
        /// holds its lanes so long.
        package var claimSlack: Duration
        /// Undelivered rows of one device; more are cancelled.
        package var backlogLimit: Int64
        /// Version shown in `User-Agent`.
        package var version: String

        package init(
            limits: DispatchSchedule.Limits = .init(), timeout: TimeAmount = .seconds(10),
            retry: RetryPolicy = RetryPolicy(), breaker: CircuitBreaker = CircuitBreaker(),
            disableAfter: Int64 = 120 * 3600, runRows: Int = 64, unorderedConcurrency: Int = 8,
            pollInterval: Duration = .seconds(1), runTime: Duration = .seconds(5), claimSlack: Duration = .seconds(15),
            backlogLimit: Int64 = 100_000, version: String = "1"
        ) {
            self.limits = limits
            self.timeout = timeout
            self.retry = retry
            self.breaker = breaker
            self.disableAfter = disableAfter
            self.runRows = runRows
            self.unorderedConcurrency = unorderedConcurrency
            self.pollInterval = pollInterval
            self.runTime = runTime
            self.claimSlack = claimSlack
            self.backlogLimit = backlogLimit
            self.version = version
        }
    }

    /// Bytes of bodies that one run may hold in memory, unless its first alone is larger.
    private static let runBytes = 256 * 1024

    private let repository: OutboxRepository
    private let sender: WebhookSender
    private let client: WebhookHTTPClient
    private let finisher: LaneFinisher
    private let upkeep: WebhookUpkeep
    private let configuration: Configuration
    private let logger: Logger
    private let metrics: WebhookMetrics
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation
    private let schedule: Mutex<DispatchSchedule>
    private let start = ContinuousClock.now

    /// - Parameter metrics: where attempts are counted and timed.
    package init(
        repository: OutboxRepository, client: WebhookHTTPClient, configuration: Configuration, nodeID: UUID,
        metrics: any MetricsFactory = MetricsSystem.factory, logger: Logger
    ) {
        self.metrics = WebhookMetrics(metrics)
        self.repository = repository
        self.client = client
        self.configuration = configuration
        self.logger = logger
        sender = WebhookSender(client: client, timeout: configuration.timeout, version: configuration.version)
        finisher = LaneFinisher(repository: repository, nodeID: nodeID, logger: logger)
        upkeep = WebhookUpkeep(
            repository: repository, metrics: self.metrics, configuration: configuration, logger: logger)
        schedule = Mutex(DispatchSchedule(limits: configuration.limits))
        (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Says which webhooks a commit of this process made rows for.
    package func stored(_ events: StoredEvents) {
        guard !events.webhooks.isEmpty else { return }
        let now = milliseconds
        schedule.withLock { schedule in
            for webhook in events.webhooks { schedule.add(.init(id: webhook.id, tenantID: webhook.tenantID), now: now) }
        }
        waker.yield()
    }

    /// Says what another node stored.
    package func stored(_ hint: OutboxHint) {
        guard !hint.webhooks.isEmpty else { return }
        let now = milliseconds
        schedule.withLock { schedule in
            for webhook in hint.webhooks { schedule.add(webhook, now: now) }
        }
        waker.yield()
    }

    /// Says that `webhook` may have rows that are due: it was turned on, or a replay was queued.
    package func wake(_ webhook: ReadyWebhook) {
        let now = milliseconds
        schedule.withLock { $0.add(webhook, now: now) }
        waker.yield()
    }

    /// Delivers until the task is cancelled, then waits for the requests under way.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.poll() }
            group.addTask { await self.tick() }
            group.addTask { await self.upkeep.run() }
            group.addTask { await self.work() }
            await group.waitForAll()
        }
    }

    private var milliseconds: Int64 {
        let passed = (ContinuousClock.now - start).components
        return passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000
    }

    // MARK: What is due

    /// Finds what no hint told of: rows of other nodes, waits that are over, lanes of nodes that died.
    private func poll() async {
        await Recurring.run(pausing: configuration.pollInterval) {
            do {
                let found = try await repository.ready()
                let now = milliseconds
                schedule.withLock { schedule in
                    for webhook in found { schedule.add(webhook, now: now) }
                    schedule.forgetIdle(now: now)
                }
                client.closeIdle()
                waker.yield()
            } catch {
                if !Task.isCancelled {
                    logger.debug("outbox could not be read", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    private func tick() async {
        await Recurring.run(pausing: .milliseconds(250)) {
            let now = milliseconds
            let (made, running) = schedule.withLock { ($0.moveSlow(now: now), $0.runningCount) }
            metrics.running(running)
            // A tenant's rate may have let go of it meanwhile.
            if made || configuration.limits.tenantRate != nil { waker.yield() }
        }
        waker.finish()
    }

    // MARK: Lanes

    private func work() async {
        await withDiscardingTaskGroup { lanes in
            for await _ in wakes {
                while !Task.isCancelled {
                    let now = milliseconds
                    let wanted = schedule.withLock { $0.take(64, now: now) }
                    if wanted.isEmpty { break }
                    guard await claim(wanted, into: &lanes) else { break }
                }
            }
        }
    }

    private func claim(_ wanted: [Int64], into group: inout DiscardingTaskGroup) async -> Bool {
        var free = Set(wanted)
        var isClaimed = true
        do {
            let started = ContinuousClock.now
            for lane in try await repository.claim(
                wanted, milliseconds: lockMilliseconds, rows: configuration.runRows, bytes: Self.runBytes)
            {
                free.remove(lane.webhookID)
                group.addTask { await self.work(on: lane, claimedAt: started) }
            }
        } catch {
            isClaimed = false
            logger.debug("lanes could not be claimed", metadata: ["error": "\(error)"])
        }
        let now = milliseconds
        schedule.withLock { schedule in
            for webhook in free { schedule.finished(webhook, again: false, attempts: 0, now: now) }
        }
        return isClaimed
    }

    private var lockMilliseconds: Int64 {
        let beyond = (configuration.runTime + configuration.claimSlack).components
        return configuration.timeout.nanoseconds / 1_000_000 + beyond.seconds * 1000
            + beyond.attoseconds / 1_000_000_000_000_000
    }

    private func work(on lane: ClaimedLane, claimedAt: ContinuousClock.Instant) async {
        var run = LaneRun(lane, retry: configuration.retry, breaker: configuration.breaker)
        do {
            let endpoint = try WebhookSender.Endpoint(lane)
            if lane.ordering == .none {
                await sendUnordered(lane, endpoint, claimedAt, &run)
            } else {
                await sendInOrder(lane, endpoint, claimedAt, &run)
            }
        } catch {
            logger.error("a webhook's secret cannot be used", metadata: ["webhook": "\(lane.webhookID)"])
        }
        await finisher.finish(run.finished)
        if run.isGone { await upkeep.disable(lane.webhookID, reason: "gone") }
        let attempts = run.finished.results.count
        let now = milliseconds
        let again = attempts > 0 && run.finished.rest == nil && !run.isGone && mayHaveMore(lane, attempts)
        schedule.withLock { $0.finished(lane.webhookID, again: again, attempts: attempts, now: now) }
        waker.yield()
    }

    /// A short run was all there was; the poll finds what this is wrong about.
    private func mayHaveMore(_ lane: ClaimedLane, _ attempts: Int) -> Bool {
        lane.deliveries.count >= configuration.runRows || attempts < lane.deliveries.count
            || lane.consecutiveFailures >= CircuitBreaker.threshold
            || lane.deliveries.reduce(0) { $0 + ($1.body?.count ?? 0) } >= Self.runBytes / 2
    }

    private func sendInOrder(
        _ lane: ClaimedLane, _ endpoint: WebhookSender.Endpoint, _ claimedAt: ContinuousClock.Instant,
        _ run: inout LaneRun
    ) async {
        for delivery in lane.deliveries {
            guard !Task.isCancelled, ContinuousClock.now - claimedAt < configuration.runTime else { return }
            let attempt = await send(delivery, to: endpoint, of: lane)
            if record(attempt, delivery, claimedAt, &run) == .stop { return }
        }
    }

    private func sendUnordered(
        _ lane: ClaimedLane, _ endpoint: WebhookSender.Endpoint, _ claimedAt: ContinuousClock.Instant,
        _ run: inout LaneRun
    ) async {
        await withTaskGroup(of: (QueuedDelivery, WebhookAttempt).self) { group in
            var rest = lane.deliveries[...]
            func sendNext() {
                guard !Task.isCancelled, ContinuousClock.now - claimedAt < configuration.runTime,
                    let next = rest.popFirst()
                else {
                    return
                }
                group.addTask { (next, await self.send(next, to: endpoint, of: lane)) }
            }
            for _ in 0..<configuration.unorderedConcurrency { sendNext() }
            for await (delivery, attempt) in group {
                if record(attempt, delivery, claimedAt, &run) == .stop { rest = [] }
                sendNext()
            }
        }
    }

    private func send(
        _ delivery: QueuedDelivery, to endpoint: WebhookSender.Endpoint, of lane: ClaimedLane
    ) async -> WebhookAttempt {
        let begun = milliseconds
        schedule.withLock { $0.request(of: lane.webhookID, isWaiting: true, now: begun) }
        let attempt = await sender.send(delivery, to: endpoint)
        let ended = milliseconds
        schedule.withLock { $0.request(of: lane.webhookID, isWaiting: false, now: ended) }
        return attempt
    }

    private func record(
        _ attempt: WebhookAttempt, _ delivery: QueuedDelivery, _ claimedAt: ContinuousClock.Instant,
        _ run: inout LaneRun
    ) -> LaneRun.Step {
        let step = run.record(attempt, of: delivery, share: .random(in: 0..<1))
        if let result = run.finished.results.last?.result {
            let waited = (ContinuousClock.now - claimedAt).components
            metrics.attempted(
                result, lagSeconds: delivery.age + Double(waited.seconds) + Double(waited.attoseconds) / 1e18)
        }
        return step
    }
}

import Cryptography
import Foundation
import Logging
import Metrics
import NIOCore
import Storage
import Synchronization

/// Takes due rows of the outbox and posts them, on every node, until it is shut down.
///
/// Guarantees of 11-webhooks, section 6: at least once, one row of a device and webhook at a time in the ordered modes,
/// nothing in memory that a crash could lose. A wake is only a hint; the outbox is looked at once a second anyway.
package final class WebhookDispatcher: Sendable {
    package struct Configuration: Sendable {
        /// `WEBHOOK_WORKERS` × `WEBHOOK_INFLIGHT_PER_WORKER`: requests under way at once on this node.
        package var capacity: Int
        /// `WEBHOOK_TENANT_MAX_INFLIGHT`.
        package var tenantCapacity: Int
        /// `WEBHOOK_TIMEOUT`.
        package var timeout: TimeAmount
        package var retry: RetryPolicy
        /// `WEBHOOK_DISABLE_AFTER`, seconds.
        package var disableAfter: Int64
        /// Version shown in `User-Agent`.
        package var version: String

        package init(
            capacity: Int = 64, tenantCapacity: Int = 32, timeout: TimeAmount = .seconds(10),
            retry: RetryPolicy = RetryPolicy(), disableAfter: Int64 = 120 * 3600, version: String = "1"
        ) {
            self.capacity = capacity
            self.tenantCapacity = tenantCapacity
            self.timeout = timeout
            self.retry = retry
            self.disableAfter = disableAfter
            self.version = version
        }
    }

    private let repository: WebhookRepository
    private let client: WebhookHTTPClient
    private let configuration: Configuration
    private let nodeID: UUID
    private let logger: Logger
    private let wakes: AsyncStream<Void>
    private let waker: AsyncStream<Void>.Continuation
    private let inFlight = Mutex<InFlight>(InFlight())

    private struct InFlight {
        var total = 0
        var byTenant: [Int64: Int] = [:]
        var isStopping = false
    }

    package init(
        repository: WebhookRepository, client: WebhookHTTPClient, configuration: Configuration, nodeID: UUID,
        logger: Logger
    ) {
        self.repository = repository
        self.client = client
        self.configuration = configuration
        self.nodeID = nodeID
        self.logger = logger
        (wakes, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that rows may be due: after a commit with events, a NOTIFY, or a webhook turned on.
    package func wake() { waker.yield() }

    /// Delivers until the task is cancelled, then waits for the requests under way and gives unsent rows back.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.tick() }
            group.addTask { await self.claimLoop() }
            await group.waitForAll()
        }
        // Tasks of their own, here and where outcomes are stored: a cancelled task could not reach the database.
        let (repository, nodeID) = (repository, nodeID)
        await Task { try? await repository.release(node: nodeID) }.value
    }

    private func tick() async {
        var seconds = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            wake()
            seconds += 1
            if seconds % 60 == 0 { await disableFailing() }
        }
        waker.finish()
    }

    private func disableFailing() async {
        do {
            for webhook in try await repository.disableFailing(after: configuration.disableAfter) {
                logger.warning("webhook switched off after continued failure", metadata: ["webhook": "\(webhook)"])
            }
        } catch {
            logger.debug("disabling failing webhooks did not run", metadata: ["error": "\(error)"])
        }
    }

    private func claimLoop() async {
        await withDiscardingTaskGroup { sends in
            for await _ in wakes {
                while !Task.isCancelled {
                    let room = inFlight.withLock { configuration.capacity - $0.total }
                    guard room > 0 else { break }
                    let claimed: [ClaimedDelivery]
                    do {
                        claimed = try await repository.claim(
                            node: nodeID, webhooks: min(room, 64), lock: lockMilliseconds,
                            excludingTenants: saturatedTenants())
                    } catch {
                        logger.debug("outbox could not be read", metadata: ["error": "\(error)"])
                        break
                    }
                    if claimed.isEmpty { break }
                    for delivery in claimed {
                        enter(delivery)
                        sends.addTask {
                            await self.attempt(delivery)
                            self.leave(delivery)
                            self.wake()
                        }
                    }
                }
            }
        }
    }

    private var lockMilliseconds: Int64 { configuration.timeout.nanoseconds / 1_000_000 + 15_000 }

    private func saturatedTenants() -> [Int64] {
        inFlight.withLock { state in
            state.byTenant.filter { $0.value >= configuration.tenantCapacity }.map(\.key)
        }
    }

    private func enter(_ delivery: ClaimedDelivery) {
        inFlight.withLock {
            $0.total += 1
            $0.byTenant[delivery.tenantID, default: 0] += 1
        }
    }

    private func leave(_ delivery: ClaimedDelivery) {
        inFlight.withLock {
            $0.total -= 1
            let left = ($0.byTenant[delivery.tenantID] ?? 1) - 1
            $0.byTenant[delivery.tenantID] = left > 0 ? left : nil
        }
    }

    /// Sends one claimed row and writes what came of it.
    private func attempt(_ delivery: ClaimedDelivery) async {
        let (outcome, response, error, duration) = await send(delivery)
        let verdict = configuration.retry.verdict(
            outcome, attempt: delivery.attempt, age: Int64(delivery.age), share: .random(in: 0..<1))
        let result = Self.result(
            verdict, response: response, error: error, duration: duration, delivery: delivery)
        Counter(label: "switchboard_webhook_attempts_total", dimensions: [("outcome", result.state.rawValue)])
            .increment()
        await Task { await self.store(result, of: delivery) }.value
    }

    private func store(_ result: DeliveryResult, of delivery: ClaimedDelivery) async {
        var pause = Duration.milliseconds(50)
        while true {
            do {
                return try await repository.finish(delivery, node: nodeID, result)
            } catch {
                // The endpoint has the event; forgetting that would send it again. Try until the lock runs out anyway.
                guard pause < .seconds(8) else {
                    logger.warning("a delivery's outcome could not be stored", metadata: ["error": "\(error)"])
                    return
                }
                try? await Task.sleep(for: pause)
                pause *= 2
            }
        }
    }

    /// One request, outside the retry plan; for the test endpoint and the loop above.
    package func send(
        _ delivery: ClaimedDelivery
    ) async -> (RetryPolicy.Outcome, WebhookResponse?, error: String?, milliseconds: Int) {
        guard let body = delivery.body else {
            return (.failed(isOverloaded: false, retryAfter: nil), nil, "the event's body is no longer kept", 0)
        }
        let start = ContinuousClock.now
        func elapsed() -> Int {
            let passed = (ContinuousClock.now - start).components
            return Int(passed.seconds * 1000 + passed.attoseconds / 1_000_000_000_000_000)
        }
        do {
            let response = try await client.post(
                delivery.url, headers: try headers(delivery, body), body: body, timeout: configuration.timeout)
            let outcome: RetryPolicy.Outcome =
                switch response.status {
                case 200..<300: .delivered
                case 410: .gone
                case 429, 502, 503, 504: .failed(isOverloaded: true, retryAfter: response.retryAfter)
                default: .failed(isOverloaded: false, retryAfter: response.retryAfter)
                }
            return (outcome, response, outcome == .delivered ? nil : "HTTP \(response.status)", elapsed())
        } catch let refusal as EgressGuard.Refusal {
            return (.failed(isOverloaded: false, retryAfter: nil), nil, refusal.message, elapsed())
        } catch {
            let isTimeout = error as? WebhookTransportError == .timeout
            return (.failed(isOverloaded: isTimeout, retryAfter: nil), nil, String("\(error)".prefix(512)), elapsed())
        }
    }

    private func headers(_ delivery: ClaimedDelivery, _ body: [UInt8]) throws -> [(String, String)] {
        let secrets = try delivery.secrets.map(WebhookSignature.Secret.init)
        let now = Int64(Date().timeIntervalSince1970)
        var headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Switchboard-Webhooks/\(configuration.version)"),
            ("X-Webhook-Event", delivery.eventType),
            ("webhook-id", delivery.eventID),
            ("webhook-timestamp", String(now)),
            (
                "webhook-signature",
                WebhookSignature.standard(id: delivery.eventID, timestamp: now, body: body, secrets: secrets)
            ),
            ("X-Webhook-Attempt", String(delivery.attempt)),
            ("X-Request-ID", UUID().uuidString.lowercased()),
        ]
        if let secret = secrets.first {
            let signature = WebhookSignature.reference(body: body, secret: secret)
            headers += [("X-Webhook-Signature", signature), ("X-Hub-Signature-256", signature)]
        }
        if delivery.isReplay { headers.append(("X-Webhook-Replay", "1")) }
        return headers + delivery.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private static func result(
        _ verdict: RetryPolicy.Verdict, response: WebhookResponse?, error: String?, duration: Int,
        delivery: ClaimedDelivery
    ) -> DeliveryResult {
        var result = DeliveryResult(
            state: .success, responseCode: response?.status, durationMilliseconds: duration, error: error,
            responseHead: response?.head)
        switch verdict {
        case .success: return result
        case .retry(let wait):
            result.state = .retrying
            result.retryAfterMilliseconds = wait
        case .exhausted(let isFinalFailure): result.state = isFinalFailure ? .failed : .dead
        case .gone:
            result.state = .failed
            result.disableReason = "gone"
        }
        result.circuitPause = CircuitBreaker.pause(afterFailures: delivery.consecutiveFailures + 1)
        return result
    }
}

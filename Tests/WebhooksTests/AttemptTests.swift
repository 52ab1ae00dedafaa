import Foundation
import NIOCore
import Storage
import Synchronization
import Tenancy
import TestSupport
import Testing

@testable import Webhooks

/// What single attempts of a running dispatcher come to (11-webhooks, sections 6.3, 6.4 and 7).
@Suite("Attempts")
struct AttemptTests {
    private static let patience = Duration.seconds(90)

    @Test("an endpoint that names a time is left alone until then, and what it said stands in the log")
    func retryAfter() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            sink.behave { _ in .status(503, headers: [("Retry-After", "120")], body: "closed for lunch") }
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 1, webhook: webhook.id)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("the refusal", within: Self.patience) {
                    try await outbox.states() == ["retrying": 1] ? true : nil
                }
            }
            let log = try await outbox.service().logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            let entry = try #require(log.first)
            let due = try #require(entry.nextAttemptAt)
            // Both are written in one transaction.
            #expect(due.timeIntervalSince(entry.updatedAt) == 120)
            #expect(entry.responseCode == 503 && entry.lastError == "HTTP 503" && entry.attemptCount == 1)
            #expect(sink.refused.count == 1)
        }
    }

    /// Names of hosts resolve to what it was told, one answer after the other; the last goes on.
    private final class TurningResolver: HostResolver {
        private let answers: Mutex<[String]>
        init(_ answers: [String]) { self.answers = Mutex(answers) }

        func addresses(of host: String) async -> [IPAddress] {
            let text = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? "" }
            return [IPAddress(literal: text)].compactMap { $0 }
        }
    }

    @Test("a name that turns private between two attempts of a delivery is refused at the second, and nothing is sent")
    func rebinding() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            sink.behave { _ in .status(500) }
            let webhook = try await outbox.subscribe("http://hooks.example:\(sink.port)/hook")
            try await outbox.store(events: 1, webhook: webhook.id)
            let one = try #require(AddressBlock("127.0.0.1/32"))
            let dispatcher = try outbox.dispatcher(
                egress: EgressGuard(allowHTTP: true, allowed: [one]),
                resolver: TurningResolver(["127.0.0.1", "127.0.0.2"]))
            let service = try outbox.service()
            try await running(dispatcher) {
                _ = try await eventually("the second attempt", within: Self.patience) {
                    let log = try await service.logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
                    return log.first.map { $0.attemptCount >= 2 } == true ? true : nil
                }
            }
            let event = try await service.event("evt_\(outbox.did)_1", tenant: outbox.tenant, did: outbox.did)
            let attempts = try #require(event.deliveries.first?.attempts)
            #expect(attempts.prefix(2).map(\.error) == ["HTTP 500", "private/local network URLs are not allowed"])
            #expect(attempts.prefix(2).map(\.responseCode) == [500, nil])
            #expect(sink.refused.count == 1)
        }
    }

    @Test("of one endpoint one request is under way in order and eight without, however much waits")
    func concurrency() async throws {
        try await withOutbox { outbox in
            let (ordered, unordered) = (try await WebhookSink.start(), try await WebhookSink.start())
            let other = try await WebhookSink.start()
            for sink in [ordered, unordered] { sink.behave { _ in .hang } }
            var configuration = Outbox.quick
            configuration.timeout = .seconds(200)
            for (sink, ordering) in [(ordered, WebhookRecord.Ordering.device), (unordered, .none)] {
                let neighbour = try await outbox.neighbour()
                let webhook = try await neighbour.subscribe(sink.url, ordering: ordering)
                try await neighbour.store(events: 40, webhook: webhook.id)
            }
            let webhook = try await outbox.subscribe(other.url)
            let dispatcher = try outbox.dispatcher(configuration)
            let task = Task { await dispatcher.run() }
            _ = try await eventually("nine hang", within: Self.patience) {
                ordered.refused.count == 1 && unordered.refused.count == 8 ? true : nil
            }
            // Meanwhile others get theirs, in many turns.
            try await outbox.store(events: 100, webhook: webhook.id)
            _ = try await eventually("the other's", within: Self.patience) {
                other.deliveries.count == 100 ? true : nil
            }
            #expect(ordered.refused.count == 1 && unordered.refused.count == 8)
            #expect(other.deliveries.map { $0.json["sequence"].int } == (1...100).map { $0 })
            task.cancel()
            for sink in [ordered, unordered] {
                try await sink.stop()
                sink.closeConnections()
            }
            await task.value
        }
    }

    @Test("a node that stops waits for the request under way, writes what it came to and gives its lanes back")
    func stopping() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            sink.behave { _ in .late(milliseconds: 500) }
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 40, webhook: webhook.id)
            let dispatcher = try outbox.dispatcher()
            let task = Task { await dispatcher.run() }
            _ = try await eventually("a request under way", within: Self.patience) { sink.deliveries.first }
            task.cancel()
            await task.value
            let arrived = sink.deliveries.count
            #expect(arrived < 40)
            #expect(try await outbox.states() == ["success": arrived, "pending": 40 - arrived])
            // The next node takes the lane at once.
            let lanes = try await outbox.queue.claim([webhook.id], milliseconds: 1000)
            #expect(lanes.first?.deliveries.count == 40 - arrived)
        }
    }

    @Test("a tenant beyond its rate waits for its allowance, and no other tenant does")
    func tenantRate() async throws {
        try await withOutbox { outbox in
            let (loud, quiet) = (try await WebhookSink.start(), try await WebhookSink.start())
            // One attempt in a hundred seconds: after its first run of 64 the loud one is far beyond what it may have.
            let settings = try SwitchboardConfiguration(
                texts: Self.required.merging(["WEBHOOK_TENANT_RATE": "1"]) { $1 })
            var configuration = WebhookDispatcher.Configuration(settings.webhooks, version: "1")
            #expect(configuration.limits.tenantRate == 1)
            configuration.limits.tenantRate = 0.01
            configuration.pollInterval = .milliseconds(50)
            configuration.runTime = .seconds(60)
            let neighbour = try await outbox.neighbour()
            let theirs = try await neighbour.subscribe(loud.url)
            try await neighbour.store(events: 200, webhook: theirs.id)
            let mine = try await outbox.subscribe(quiet.url)
            try await outbox.store(events: 60, webhook: mine.id)
            try await running(try outbox.dispatcher(configuration)) {
                _ = try await eventually("a run each", within: Self.patience) {
                    loud.deliveries.count >= 64 && quiet.deliveries.count == 60 ? true : nil
                }
            }
            #expect(loud.deliveries.count == 64)
            #expect(try await outbox.states() == ["success": 124, "pending": 136])
        }
    }

    private static let required = [
        "ADMIN_SECRET_KEY": "an-admin-secret-of-32-characters-and-more",
        "JWT_SECRET_KEY": "a-token-secret-of-32-characters-or-more", "WHATSAPP_DATASTORE_URI": "postgresql:///test",
    ]

    @Test("every setting of delivery reaches the dispatcher")
    func settings() throws {
        let texts = [
            "WEBHOOK_WORKERS": "3", "WEBHOOK_INFLIGHT_PER_WORKER": "5", "WEBHOOK_TENANT_MAX_INFLIGHT": "7",
            "WEBHOOK_TENANT_RATE": "11", "WEBHOOK_RETRY_LIMIT": "4", "WEBHOOK_RETRY_SCHEDULE": "2m,3h",
            "WEBHOOK_TIMEOUT": "13s", "WEBHOOK_MAX_AGE": "17h", "WEBHOOK_DISABLE_AFTER": "19h",
        ]
        let settings = try SwitchboardConfiguration(texts: Self.required.merging(texts) { $1 })
        let configuration = WebhookDispatcher.Configuration(settings.webhooks, version: "23")
        #expect(
            configuration.limits
                == DispatchSchedule.Limits(capacity: 15, tenantCapacity: 7, slowCapacity: 60, tenantRate: 11))
        #expect(configuration.timeout == .seconds(13) && configuration.version == "23")
        #expect(
            configuration.retry
                == RetryPolicy(fastAttempts: 4, slowSchedule: [120, 10_800], maximumAge: 17 * 3600))
        #expect(configuration.disableAfter == 19 * 3600 && configuration.backlogLimit == 100_000)
        let plain = try SwitchboardConfiguration(texts: Self.required)
        let defaults = WebhookDispatcher.Configuration(plain.webhooks, version: "1")
        #expect(defaults.limits == DispatchSchedule.Limits() && defaults.retry == RetryPolicy())
    }
}

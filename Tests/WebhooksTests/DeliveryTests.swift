import Database
import Foundation
import NIOCore
import Storage
import TestSupport
import Testing

@testable import Webhooks

@Suite("Delivery")
struct DeliveryTests {
    private static let patience = Duration.seconds(90)

    @Test("endpoints that never answer hold up neither another tenant nor each other")
    func fairness() async throws {
        try await withOutbox { outbox in
            let (slow, quick) = (try await WebhookSink.start(), try await WebhookSink.start())
            slow.behave { _ in .hang }
            quick.behave { _ in .late(milliseconds: 5) }
            // Requests hang for thirty seconds, longer than this test has any need for.
            var configuration = Outbox.quick
            configuration.timeout = .seconds(30)
            configuration.limits = .init(capacity: 2, tenantCapacity: 8, slowCapacity: 8, slowAfterMilliseconds: 100)
            for _ in 0..<4 {
                let neighbour = try await outbox.neighbour()
                let webhook = try await neighbour.subscribe(slow.url)
                try await neighbour.store(events: 20, webhook: webhook.id)
            }
            let webhook = try await outbox.subscribe(quick.url)
            let dispatcher = try outbox.dispatcher(configuration)
            let task = Task { await dispatcher.run() }
            _ = try await eventually("all four hang", within: Self.patience) { slow.refused.count == 4 ? true : nil }
            try await outbox.store(events: 200, webhook: webhook.id)
            _ = try await eventually("200 deliveries", within: Self.patience) {
                quick.deliveries.count == 200 ? true : nil
            }
            #expect(slow.refused.count == 4 && slow.deliveries.isEmpty)
            try await slow.stop()
            task.cancel()
            slow.closeConnections()
            _ = await task.result
        }
    }

    @Test("every attempt has the same bytes and id, and a signature of its own time")
    func sameBytes() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 1, webhook: webhook.id)
            sink.fail(next: 2)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("the delivery", within: Self.patience) { sink.deliveries.first }
            }
            let all = sink.refused + sink.deliveries
            #expect(all.count == 3)
            #expect(Set(all.map(\.body)).count == 1)
            #expect(Set(all.map { $0.header("webhook-id") }).count == 1)
            #expect(all.map { $0.header("X-Webhook-Attempt") } == ["1", "2", "3"])
            #expect(all.allSatisfy { $0.isSigned(with: webhook.secret) })
        }
    }

    @Test("a delivery that runs out of attempts is dead, and comes with the same id when it is replayed")
    func deadLetter() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 3, webhook: webhook.id)
            sink.behave { _ in .status(503, body: "closed for lunch") }
            var configuration = Outbox.quick
            configuration.retry = RetryPolicy(fastAttempts: 2, fastStep: 10, slowSchedule: [])
            configuration.retry.slowSchedule = []
            let dispatcher = try outbox.dispatcher(configuration)
            let service = try outbox.service(dispatcher)
            try await running(dispatcher) {
                _ = try await eventually("three failures", within: Self.patience) {
                    try await outbox.states() == ["failed": 3] ? true : nil
                }
                let found = try await service.event(
                    "evt_\(outbox.did)_1", tenant: outbox.tenant, did: outbox.did)
                let attempts = try #require(found.deliveries.first?.attempts)
                #expect(attempts.map(\.number) == [1, 2])
                #expect(attempts.allSatisfy { $0.responseCode == 503 && $0.error == "HTTP 503" })
                #expect(attempts.allSatisfy { String(decoding: $0.responseHead, as: UTF8.self) == "closed for lunch" })
                sink.behave { _ in .status(200) }
                let one = try await service.replay(
                    webhook.id, ReplayRequest(.events(["evt_\(outbox.did)_2", "evt_unknown"])), tenant: outbox.tenant,
                    did: outbox.did)
                #expect(one == ReplayCount(queued: 1, skipped: 1))
                // Stored, too: what is under way is not put in line again.
                _ = try await eventually("the replay", within: Self.patience) {
                    try await outbox.states()["success"] == 1 ? true : nil
                }
                let rest = try await service.replay(
                    webhook.id, ReplayRequest(.range(since: .distantPast, until: nil), state: .failed),
                    tenant: outbox.tenant, did: outbox.did)
                #expect(rest.queued == 3)
                _ = try await eventually("the range", within: Self.patience) { sink.deliveries.count == 4 ? true : nil }
            }
            #expect(sink.deliveries.map { $0.json["sequence"].int } == [2, 1, 2, 3])
            #expect(sink.deliveries.allSatisfy { $0.header("X-Webhook-Replay") == "1" })
            #expect(sink.deliveries.first?.header("webhook-id") == "evt_\(outbox.did)_2")
        }
    }

    @Test("410 switches the webhook off at once, and the device's other webhooks hear of it")
    func gone() async throws {
        try await withOutbox { outbox in
            let (dead, other) = (try await WebhookSink.start(), try await WebhookSink.start())
            dead.behave { _ in .status(410) }
            let webhook = try await outbox.subscribe(dead.url)
            _ = try await outbox.subscribe(other.url, events: ["webhook.*"])
            try await outbox.store(events: 2, webhook: webhook.id)
            try await running(try outbox.dispatcher()) {
                let notice = try await eventually("the notice", within: Self.patience) { other.deliveries.first }
                #expect(notice.event == "webhook.disabled")
                #expect(notice.json["data"]["webhook_id"].int == Int(webhook.id))
                #expect(notice.json["data"]["reason"].string == "gone")
            }
            let service = try outbox.service()
            let found = try await service.find(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(!found.isActive && found.disabledReason == "gone" && found.disabledAt != nil)
            #expect(dead.refused.count == 1)
            #expect(try await service.troubled(limit: 10).map(\.id) == [webhook.id])
            await #expect(throws: WebhookError.inactive) {
                try await service.replay(
                    webhook.id, ReplayRequest(.range(since: .distantPast, until: nil)), tenant: outbox.tenant,
                    did: outbox.did)
            }
        }
    }

    @Test("a webhook that only fails for days is switched off; turned on again it gets what waited")
    func failing() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.execute(
                "UPDATE sb.webhooks SET fail_since = now() - interval '121 hours', consecutive_failures = 40")
            try await outbox.store(events: 2, webhook: webhook.id)
            #expect(try await outbox.queue.failing(for: 120 * 3600) == [webhook.id])
            #expect(try await outbox.queue.disable(webhook.id, reason: "failing"))
            #expect(try await outbox.queue.disable(webhook.id, reason: "failing") == false)
            #expect(try await outbox.queue.ready().isEmpty)
            let dispatcher = try outbox.dispatcher()
            let service = try outbox.service(dispatcher)
            try await running(dispatcher) {
                _ = try await service.update(
                    webhook.id, WebhookChange(isActive: true), tenant: outbox.tenant, did: outbox.did)
                _ = try await eventually("both", within: Self.patience) { sink.deliveries.count == 2 ? true : nil }
            }
        }
    }

    @Test("while a secret rotates both sign; afterwards the old one is erased")
    func rotation() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let service = try outbox.service()
            let old = try await outbox.subscribe(sink.url)
            let new = try await service.rotateSecret(
                old.id, to: nil, grace: 3600, tenant: outbox.tenant, did: outbox.did)
            #expect(new.secret != old.secret && new.previousSecret == old.secret && new.previousSecretUntil != nil)
            try await outbox.store(events: 1, webhook: old.id)
            try await running(try outbox.dispatcher()) {
                let delivery = try await eventually("the delivery", within: Self.patience) { sink.deliveries.first }
                let entries = (delivery.header("webhook-signature") ?? "").split(separator: " ")
                #expect(entries.count == 2 && entries[0] != entries[1])
                #expect(delivery.header("X-Webhook-Signature")?.hasPrefix("sha256=") == true)
            }
            try await outbox.execute("UPDATE sb.webhooks SET prev_secret_until = now() - interval '1 second'")
            #expect(
                try await service.find(old.id, tenant: outbox.tenant, did: outbox.did).previousSecret == nil)
            try await HousekeepingRepository(outbox.database).removeExpired()
            let left: Int = try #require(
                try await outbox.pool.query(
                    Statement("test.old", "SELECT count(*) FROM sb.webhooks WHERE prev_secret_enc IS NOT NULL")
                ).first?[0])
            #expect(left == 0)
        }
    }

    @Test("a backlog beyond its limit loses the events of least value first, then the oldest, and says so")
    func backlog() async throws {
        try await withOutbox { outbox in
            let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
            _ = try await outbox.subscribe("http://127.0.0.1:9998/", events: ["webhook.backlog"])
            try await outbox.store(events: 10, webhook: webhook.id)
            try await outbox.execute(
                "UPDATE sb.webhook_deliveries SET event_type = 'presence.update' WHERE seq IN (7, 9)")
            let trimmed = try await outbox.queue.trimBacklogs(to: 5, lowValue: WebhookUpkeep.lowValueEvents)
            #expect(trimmed.cancelled == 5 && trimmed.place == 0)
            let left = try await outbox.pool.query(
                Statement(
                    "test.left",
                    """
                    SELECT seq FROM sb.webhook_deliveries
                    WHERE state = 'pending' AND event_type = 'message.received' ORDER BY seq
                    """))
            #expect(try left.map { try $0["seq"] as Int } == [4, 5, 6, 8, 10])
            let notices = try await outbox.pool.query(
                Statement("test.notices", "SELECT body FROM sb.webhook_events WHERE event_type = 'webhook.backlog'"))
            let body = try JSON(try #require(notices.first)["body"] as [UInt8])
            #expect(body["data"]["cancelled"].int == 5 && body["data"]["pending"].int == 5)
        }
    }

    @Test("a round of the upkeep counts a bounded number of rows, and the next goes on behind it")
    func backlogRounds() async throws {
        try await withOutbox { outbox in
            var outboxes = [outbox]
            for _ in 0..<3 { outboxes.append(try await outbox.neighbour()) }
            for (index, outbox) in outboxes.enumerated() {
                let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
                // The third keeps to the limit.
                try await outbox.store(events: index == 2 ? 10 : 30, webhook: webhook.id)
            }
            let dids = outboxes.map(\.did)
            var (cancelled, places): ([Int], [Int64]) = ([], [])
            for _ in 0..<5 {
                // A device counts for a hundred rows at least.
                let round = try await outbox.queue.trimBacklogs(
                    to: 10, lowValue: [], behind: places.last ?? 0, rows: 101)
                cancelled.append(round.cancelled)
                places.append(round.place)
            }
            #expect(cancelled == [20, 20, 0, 20, 0])
            #expect(places == dids + [0])
            #expect(try await outbox.states() == ["pending": 40, "cancelled": 60])
            let all = try await outbox.queue.trimBacklogs(to: 5, lowValue: [], behind: dids[1])
            #expect(all.cancelled == 10 && all.place == 0, "those behind the place alone")
        }
    }

    @Test("the delivery log pages by place, and filters by state, event and time")
    func log() async throws {
        try await withOutbox { outbox in
            let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
            try await outbox.store(events: 25, webhook: webhook.id)
            try await outbox.execute(
                "UPDATE sb.webhook_deliveries SET state = 'dead', event_type = 'call.offer' WHERE seq IN (3, 4)")
            let service = try outbox.service()
            var seen: [Int64] = []
            var query = DeliveryLogQuery(limit: 10)
            for _ in 0..<3 {
                let page = try await service.logs(webhook.id, tenant: outbox.tenant, did: outbox.did, query)
                seen += page.map(\.id)
                query.before = page.last?.position
            }
            #expect(seen.count == 25 && Set(seen).count == 25 && seen == seen.sorted(by: >))
            func count(_ query: DeliveryLogQuery) async throws -> Int {
                try await service.logs(webhook.id, tenant: outbox.tenant, did: outbox.did, query).count
            }
            #expect(try await count(DeliveryLogQuery(state: .dead)) == 2)
            #expect(try await count(DeliveryLogQuery(event: "call.offer")) == 2)
            #expect(try await count(DeliveryLogQuery(since: Date(timeIntervalSinceNow: 3600))) == 0)
        }
    }

    @Test("without contents a body keeps who and when, and loses what was said")
    func contentless() throws {
        let stored = Array(
            #"""
            {"event_type":"message.received","event_id":"evt_1","sequence":7,"data":{"message_id":"A","from":"1","from_lid":
            "2@lid","chat":"1","timestamp":5,"is_from_me":false,"text":"secret","push_name":"Dana","message":{"x":1},"type":"text"}}
            """#.utf8)
        let body = DeliveryBody.make(stored, eventType: "message.received", includesContent: false)
        let json = try JSON(body)
        #expect(
            json["data"].keys == ["chat", "from", "from_lid", "is_from_me", "message_id", "timestamp", "type"])
        #expect(json["sequence"].int == 7)
        #expect(body == DeliveryBody.make(stored, eventType: "message.received", includesContent: false))
        #expect(DeliveryBody.make(stored, eventType: "message.received", includesContent: true) == stored)
    }

    @Test("a body beyond 256 KiB loses its large members and says so")
    func truncation() throws {
        let large = String(repeating: "x", count: 300_000)
        let stored = Array(
            #"{"event_type":"message.received","data":{"message_id":"A","message":{"t":"\#(large)"}}}"#.utf8)
        let json = try JSON(DeliveryBody.make(stored, eventType: "message.received", includesContent: true))
        #expect(json["data"].keys == ["message_id", "truncated"])
    }

    @Test("one claim holds a bounded part of a queue, however long it is")
    func boundedClaims() async throws {
        try await withOutbox { outbox in
            let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
            try await outbox.store(events: 500, webhook: webhook.id)
            try await outbox.execute(
                "UPDATE sb.webhook_events SET body = convert_to(repeat('x', 100000), 'UTF8') WHERE seq > 3")
            let lanes = try await outbox.queue.claim([webhook.id], milliseconds: 1000, rows: 64, bytes: 256 * 1024)
            #expect(lanes.count == 1)
            #expect(lanes.first?.deliveries.count == 5)
            #expect(try await outbox.queue.claim([webhook.id], milliseconds: 1000).isEmpty)
            try await outbox.queue.finish(lanes.map(FinishedLane.init), node: UUID())
            #expect(try await outbox.queue.claim([webhook.id], milliseconds: 1000).first?.deliveries.isEmpty == false)
        }
    }
}

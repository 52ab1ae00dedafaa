import Database
import Foundation
import Logging
import NIOCore
import NIOPosix
import Storage
import TestSupport
import Testing

@testable import Webhooks

@Suite("Outbox and dispatcher")
struct OutboxTests {
    @Test("events of a device arrive in sequence, signed, and each once")
    func order() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 50, webhook: webhook.id)
            let dispatcher = try outbox.dispatcher()
            try await running(dispatcher) {
                _ = try await eventually("50 deliveries") { sink.deliveries.count >= 50 ? true : nil }
            }
            let numbers = sink.deliveries.map { $0.json["sequence"].int ?? -1 }
            #expect(numbers == Array(1...50))
            #expect(sink.deliveries.allSatisfy { $0.isSigned(with: webhook.secret) })
            #expect(try await outbox.states() == ["success": 50])
        }
    }

    @Test("a failing endpoint is tried again with the same bytes and id, and later events go on meanwhile")
    func retry() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 2, webhook: webhook.id)
            sink.fail(next: 1)
            let dispatcher = try outbox.dispatcher()
            try await running(dispatcher) {
                _ = try await eventually("both deliveries") { sink.deliveries.count >= 2 ? true : nil }
            }
            #expect(sink.deliveries.map { $0.json["sequence"].int } == [2, 1])
            #expect(sink.deliveries.last?.header("X-Webhook-Attempt") == "2")
            let log = try await outbox.service().logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.count == 2 && log.allSatisfy { $0.state == "success" })
            #expect(log.map(\.attemptCount).max() == 2)
        }
    }

    @Test("a strict webhook lets nothing overtake a failed event")
    func strictOrder() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url, ordering: .strict)
            try await outbox.store(events: 3, webhook: webhook.id)
            sink.fail(next: 1)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("three deliveries") { sink.deliveries.count >= 3 ? true : nil }
            }
            #expect(sink.deliveries.map { $0.json["sequence"].int } == [1, 2, 3])
        }
    }

    @Test("two nodes share the work and send nothing twice")
    func twoNodes() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url, ordering: .none)
            try await outbox.store(events: 100, webhook: webhook.id)
            let other = try outbox.dispatcher()
            try await running(try outbox.dispatcher()) {
                try await running(other) {
                    _ = try await eventually("100 deliveries") { sink.deliveries.count >= 100 ? true : nil }
                }
            }
            #expect(Set(sink.deliveries.compactMap { $0.json["sequence"].int }).count == 100)
            #expect(sink.deliveries.count == 100)
        }
    }

    @Test("a private address is never contacted, and the refusal counts as an attempt")
    func blocked() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 1, webhook: webhook.id)
            let strict = try outbox.dispatcher(egress: EgressGuard(allowHTTP: true))
            try await running(strict) {
                _ = try await eventually("the refusal") { try await outbox.states()["retrying"] == 1 ? true : nil }
            }
            let log = try await outbox.service().logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.first?.lastError == "private/local network URLs are not allowed")
            #expect(sink.deliveries.isEmpty)
        }
    }

    @Test("the limit of webhooks holds under concurrent creation")
    func limit() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let made = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        let new = NewWebhook(url: "http://127.0.0.1:9000/\(index)")
                        return (try? await service.create(new, tenant: outbox.tenant, did: outbox.did)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 5)
            #expect(try await service.list(tenant: outbox.tenant, did: outbox.did).count == 5)
        }
    }

    @Test("another tenant's webhook is unknown")
    func isolation() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let webhook = try await outbox.subscribe("http://127.0.0.1:9000/")
            await #expect(throws: WebhookError.notFound) {
                try await service.find(webhook.id, tenant: outbox.tenant + 1, did: outbox.did)
            }
            await #expect(throws: WebhookError.notFound) {
                try await service.delete(webhook.id, tenant: outbox.tenant, did: outbox.did + 1)
            }
            #expect(try await service.list(tenant: outbox.tenant, did: outbox.did).count == 1)
        }
    }

    @Test("the test endpoint reaches exactly its webhook, also one that is off and filtered")
    func testDelivery() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url, events: ["call.offer"])
            _ = try await service.update(
                webhook.id, WebhookChange(isActive: false), tenant: outbox.tenant, did: outbox.did)
            let result = try await service.test(
                webhook.id, tenant: outbox.tenant, did: outbox.did, deviceID: outbox.deviceID)
            #expect(result.isDelivered && result.responseCode == 200)
            #expect(sink.deliveries.first?.event == "test.ping")
            #expect(sink.deliveries.first?.isSigned(with: webhook.secret) == true)
            let log = try await service.logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.first?.isTest == true && log.first?.state == "success")
        }
    }

    /// Runs the dispatcher while `body` runs, then stops it and waits for its end.
    private func running(_ dispatcher: WebhookDispatcher, _ body: () async throws -> Void) async throws {
        let task = Task { await dispatcher.run() }
        dispatcher.wake()
        do {
            try await body()
        } catch {
            task.cancel()
            await task.value
            throw error
        }
        task.cancel()
        await task.value
    }
}

/// A database with one tenant and device, and what is needed to send its events.
struct Outbox: Sendable {
    let pool: ConnectionPool
    let tenant: Int64
    let did: Int64
    let deviceID: UUID
    static let loopback = [CIDRBlock("127.0.0.0/8")].compactMap { $0 }

    var repository: WebhookRepository { WebhookRepository(pool: pool, sealing: MarkedSealing()) }

    func dispatcher(egress: EgressGuard = EgressGuard(allowHTTP: true, allowed: loopback)) throws -> WebhookDispatcher {
        WebhookDispatcher(
            repository: repository,
            client: try WebhookHTTPClient(group: MultiThreadedEventLoopGroup.singleton, egress: egress),
            configuration: .init(), nodeID: UUID(), logger: Logger(label: "test"))
    }

    func service() throws -> WebhookService {
        WebhookService(
            repository: repository, dispatcher: try dispatcher(),
            egress: EgressGuard(allowHTTP: true, allowed: Self.loopback), maximumPerDevice: 5, nodeID: UUID())
    }

    func subscribe(
        _ url: String, ordering: WebhookRecord.Ordering = .device, events: [String] = []
    ) async throws -> WebhookRecord {
        try await service().create(NewWebhook(url: url, events: events, ordering: ordering), tenant: tenant, did: did)
    }

    /// Puts `count` events with sequence 1… and their deliveries to `webhook` into the outbox.
    func store(events count: Int, webhook: Int64) async throws {
        let insert = Statement(
            "test.events",
            """
            WITH event AS (
              INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
              SELECT 'evt_' || n, current_date, $1, $2, n, 'message.received', 'key' || n,
                convert_to(format('{"event_type":"message.received","sequence":%s}', n), 'UTF8')
              FROM generate_series(1, $3) n RETURNING event_id, day, seq)
            INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
            SELECT day, $4, $1, $2, event_id, day, 'message.received', seq FROM event
            """)
        _ = try await pool.execute(insert, [.int(tenant), .int(did), SQLValue(count), .int(webhook)])
    }

    func states() async throws -> [String: Int] {
        let rows = try await pool.query(
            Statement("test.states", "SELECT state, count(*) FROM sb.webhook_deliveries GROUP BY state"))
        var states: [String: Int] = [:]
        for row in rows { states[try row[0]] = try row[1] }
        return states
    }
}

/// Shows a value that was stored without being sealed: it does not open.
private struct MarkedSealing: SecretSealing {
    func seal(_ plaintext: [UInt8], context: String) throws -> [UInt8] {
        Array(context.utf8) + [0] + plaintext.reversed()
    }

    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] {
        let prefix = Array(context.utf8) + [0]
        guard sealed.starts(with: prefix) else { throw WebhookError.notFound }
        return sealed.dropFirst(prefix.count).reversed()
    }
}

func withOutbox(_ body: (Outbox) async throws -> Void) async throws {
    try await PostgresFixture.withDatabase(migrations: EmbeddedMigrations.all) { database in
        let pool = database.pool(size: 8)
        let deviceID = UUID()
        let rows = try await pool.query(
            Statement(
                "test.device",
                """
                WITH tenant AS (INSERT INTO sb.tenants (customer_name) VALUES ('t') RETURNING id),
                device AS (INSERT INTO sb.devices (device_id, tenant_id, secret_hash)
                  SELECT $1, id, decode(repeat('00', 32), 'hex') FROM tenant RETURNING did, tenant_id)
                SELECT did, tenant_id FROM device
                """), [.uuid(deviceID)])
        let row = try #require(rows.first)
        let outbox = Outbox(pool: pool, tenant: try row["tenant_id"], did: try row["did"], deviceID: deviceID)
        do {
            try await body(outbox)
            await pool.shutdown()
        } catch {
            await pool.shutdown()
            throw error
        }
    }
}

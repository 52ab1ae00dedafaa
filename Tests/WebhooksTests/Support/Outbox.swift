import Database
import Foundation
import Logging
import NIOCore
import NIOPosix
import Storage
import Tenancy
import TestSupport
import Testing

@testable import Webhooks

/// A database with one tenant and device, and what is needed to send its events.
struct Outbox: Sendable {
    let database: StorageDatabase
    let pool: ConnectionPool
    let tenant: Int64
    let did: Int64
    let deviceID: UUID
    static let loopback = [AddressBlock("127.0.0.0/8")].compactMap { $0 }
    static let open = EgressGuard(allowHTTP: true, allowed: loopback)
    /// Waits of hundredths of seconds, so that no test waits for a clock.
    static let quick = WebhookDispatcher.Configuration(
        retry: RetryPolicy(fastStep: 20), breaker: CircuitBreaker(pauses: [50]), pollInterval: .milliseconds(50),
        runTime: .seconds(60))

    var repository: WebhookRepository { WebhookRepository(database, sealing: MarkedSealing()) }
    var queue: OutboxRepository { OutboxRepository(pool: pool, sealing: MarkedSealing()) }

    func client(_ egress: EgressGuard = open, resolver: any HostResolver = SystemHostResolver()) throws
        -> WebhookHTTPClient
    {
        try WebhookHTTPClient(group: MultiThreadedEventLoopGroup.singleton, egress: egress, resolver: resolver)
    }

    func dispatcher(
        _ configuration: WebhookDispatcher.Configuration = quick, egress: EgressGuard = open,
        resolver: any HostResolver = SystemHostResolver()
    ) throws -> WebhookDispatcher {
        WebhookDispatcher(
            repository: queue, client: try client(egress, resolver: resolver), configuration: configuration,
            nodeID: UUID(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    func service(_ dispatcher: WebhookDispatcher? = nil) throws -> WebhookService {
        WebhookService(
            repository: repository, dispatcher: try dispatcher ?? self.dispatcher(),
            sender: WebhookSender(client: try client(), timeout: .seconds(10), version: "1"),
            streams: EventStreams(repository), egress: Self.open, maximumPerDevice: 5, nodeID: UUID())
    }

    func subscribe(
        _ url: String, ordering: WebhookRecord.Ordering = .device, events: [String] = []
    ) async throws -> WebhookRecord {
        try await service().create(NewWebhook(url: url, events: events, ordering: ordering), tenant: tenant, did: did)
    }

    /// The same database as another tenant's device sees it.
    func neighbour() async throws -> Outbox {
        let deviceID = UUID()
        let (tenant, did) = try await Self.makeDevice(deviceID, pool)
        return Outbox(database: database, pool: pool, tenant: tenant, did: did, deviceID: deviceID)
    }

    static func makeDevice(_ deviceID: UUID, _ pool: ConnectionPool) async throws -> (tenant: Int64, did: Int64) {
        let rows = try await pool.query(
            Statement(
                "test.device",
                """
                WITH tenant AS (INSERT INTO sb.tenants (customer_name) VALUES ('t') RETURNING id),
                device AS (INSERT INTO sb.devices (device_id, tenant_id, secret_hash)
                  SELECT $1::uuid, id, decode(md5($1::uuid::text) || md5($1::uuid::text), 'hex') FROM tenant RETURNING did, tenant_id)
                SELECT did, tenant_id FROM device
                """), [.uuid(deviceID)])
        let row = try #require(rows.first)
        return (try row["tenant_id"], try row["did"])
    }

    func execute(_ sql: String) async throws { try await pool.script(sql) }

    /// Puts `count` events with sequence 1… and their deliveries to `webhook` into the outbox.
    func store(events count: Int, webhook: Int64) async throws {
        let insert = Statement(
            "test.events",
            """
            WITH event AS (
              INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
              SELECT 'evt_' || $2::bigint || '_' || n, current_date, $1, $2, n, 'message.received', 'key' || n,
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
        let storage = try await StorageDatabase.open(
            database.configuration(), migrations: .check,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let deviceID = UUID()
        let (tenant, did) = try await Outbox.makeDevice(deviceID, pool)
        let outbox = Outbox(database: storage, pool: pool, tenant: tenant, did: did, deviceID: deviceID)
        do {
            try await body(outbox)
            await storage.shutdown()
            await pool.shutdown()
        } catch {
            await storage.shutdown()
            await pool.shutdown()
            throw error
        }
    }
}

/// Runs the dispatcher while `body` runs, then stops it and waits for its end.
func running(_ dispatcher: WebhookDispatcher, _ body: () async throws -> Void) async throws {
    try await whileRunning({ await dispatcher.run() }, body)
}

import AdminAuth
import Cryptography
import Database
import Foundation
import Gateway
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Storage
import Tenancy
import TestSupport
import Webhooks

/// A gateway without a listener over a database of its own; device sessions are fakes.
package struct GatewayFixture: Sendable {
    package static let adminSecret = "a-test-admin-secret-of-32-characters-and-more"

    package let test: TestDatabase
    package let database: StorageDatabase
    package let dependencies: GatewayDependencies
    package let configuration: SwitchboardConfiguration
    package let gateway: InProcessGateway
    package let sessions: FakeSessions
    package let pages: FakePages
    /// What `/metrics` of this gateway shows, and of no other.
    package let metrics = MetricsRegistry()
    private let outbox: OutboxRepository
    private let webhookClient: WebhookHTTPClient

    /// - Parameter settings: Environment variables beside the required ones.
    package static func run<Result: Sendable>(
        settings: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
        _ body: (GatewayFixture) async throws -> Result
    ) async throws -> Result {
        try await PostgresFixture.withDatabase(migrations: EmbeddedMigrations.all) { test in
            try await run(test, settings, body)
        }
    }

    /// The same on a server of its own in which `pg_stat_statements` counts.
    package static func runCounted<Result: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: (GatewayFixture) async throws -> Result
    ) async throws -> Result {
        try await PostgresFixture.withCountedDatabase(migrations: EmbeddedMigrations.all) { test in
            try await run(test, [:], body)
        }
    }

    private static func run<Result: Sendable>(
        _ test: TestDatabase, _ settings: [String: String], isolation: isolated (any Actor)? = #isolation,
        _ body: (GatewayFixture) async throws -> Result
    ) async throws -> Result {
        let database = try await StorageDatabase.open(test.configuration(), migrations: .check, logger: Self.silent)
        do {
            let result = try await body(try await GatewayFixture(test, database, settings))
            await database.shutdown()
            return result
        } catch {
            await database.shutdown()
            throw error
        }
    }

    private init(_ test: TestDatabase, _ database: StorageDatabase, _ settings: [String: String]) async throws {
        let required = [
            "ADMIN_SECRET_KEY": Self.adminSecret, "JWT_SECRET_KEY": "a-test-token-secret-of-32-characters-or-more",
            "WHATSAPP_DATASTORE_URI": test.uri, "WEBHOOK_ALLOW_HTTP": "true", "EGRESS_ALLOW_CIDRS": "127.0.0.0/8",
        ]
        let configuration = try SwitchboardConfiguration(texts: required.merging(settings) { _, new in new })
        self.test = test
        self.database = database
        self.configuration = configuration
        sessions = FakeSessions()
        pages = FakePages()
        let sealing = try SecretEnvelope(key: configuration.authentication.secretsKey)
        let egress = EgressGuard(
            allowHTTP: configuration.webhooks.allowsHTTP,
            allowed: configuration.webhooks.allowedAddressBlocks)
        let nodeID = UUID()
        let repository = WebhookRepository(database, sealing: sealing)
        let client = try WebhookHTTPClient(group: MultiThreadedEventLoopGroup.singleton, egress: egress)
        webhookClient = client
        outbox = OutboxRepository(pool: database.outbox, sealing: sealing)
        let dispatcher = WebhookDispatcher(
            repository: outbox, client: client, configuration: WebhookDispatcher.Configuration(), nodeID: nodeID,
            metrics: metrics, logger: Self.silent)
        let webhooks = WebhookService(
            repository: repository, dispatcher: dispatcher,
            sender: WebhookSender(client: client, timeout: .seconds(10), version: "1"),
            streams: EventStreams(repository), egress: egress,
            maximumPerDevice: configuration.webhooks.maximumPerDevice, nodeID: nodeID)
        let sessions = self.sessions
        dependencies = GatewayDependencies(
            configuration: configuration, database: database, sealing: sealing, sessions: sessions, webhooks: webhooks,
            egress: egress,
            versions: WhatsAppVersionService(database: database, pages: pages, settings: configuration.whatsApp),
            node: NodeIdentity(id: nodeID) { 0 }, logger: Self.silent, metrics: metrics,
            now: { Int64(Date().timeIntervalSince1970) })
        gateway = InProcessGateway(dependencies, configuration: configuration) {
            Int64(Date().timeIntervalSince1970)
        }
        let feed = AuthFeed(
            source: StoredAuthSource(database), directory: dependencies.directory, freshness: dependencies.freshness,
            logger: Self.silent)
        _ = try await feed.load()
    }

    private static let silent: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    // MARK: Deliveries

    /// Delivers what is in the outbox, as this gateway's node would, while `body` runs. Waits are short, so that no test
    /// waits for a clock.
    package func delivering(
        _ change: (inout WebhookDispatcher.Configuration) -> Void = { _ in }, _ body: () async throws -> Void
    ) async throws {
        var configuration = WebhookDispatcher.Configuration(
            retry: RetryPolicy(fastStep: 20), breaker: CircuitBreaker(pauses: [50]), pollInterval: .milliseconds(50),
            runTime: .seconds(60))
        change(&configuration)
        let dispatcher = WebhookDispatcher(
            repository: outbox, client: webhookClient, configuration: configuration, nodeID: dependencies.node.id,
            metrics: metrics, logger: Self.silent)
        try await whileRunning({ await dispatcher.run() }, body)
    }

    /// The text of `/metrics`, as somebody reads it who never asked before: what is counted in the database is counted anew.
    package func metricsText() async throws -> String {
        let page = InProcessGateway(dependencies, configuration: configuration) {
            Int64(Date().timeIntervalSince1970)
        }
        let answer = try await page.send("GET", "/metrics", headers: ["X-Admin-Secret": Self.adminSecret])
        return String(decoding: answer.body, as: UTF8.self)
    }

    // MARK: Requests

    /// Sends a request with a JSON body and reads the JSON of the answer.
    package func call(
        _ method: String, _ path: String, _ headers: [String: String] = [:], json: String? = nil
    ) async throws -> APIAnswer {
        var headers = headers
        if json != nil { headers["Content-Type"] = headers["Content-Type"] ?? "application/json" }
        return APIAnswer(try await gateway.send(method, path, headers: headers, body: Array((json ?? "").utf8)))
    }

    package func admin(_ method: String, _ path: String, json: String? = nil) async throws -> APIAnswer {
        try await call(method, path, ["X-Admin-Secret": Self.adminSecret], json: json)
    }

    package func device(_ device: NewDevice, _ method: String, _ path: String, json: String? = nil) async throws
        -> APIAnswer
    {
        try await call(method, path, ["Authorization": "Bearer \(device.token)"], json: json)
    }

    /// A tenant made through the API.
    package func tenant(maxDevices: Int = 10, rateLimit: Int = 100_000, name: String = "Harbour Ltd") async throws
        -> NewTenantKey
    {
        let answer = try await admin(
            "POST", "/admin/api-keys",
            json: #"{"customer_name":"\#(name)","max_devices":\#(maxDevices),"rate_limit_per_hour":\#(rateLimit)}"#)
        guard let id = answer["data", "id"] as? Int, let key = answer["data", "api_key"] as? String else {
            throw NeverHappened(description: "no tenant was made: \(answer.text)")
        }
        return NewTenantKey(id: id, key: key)
    }

    /// A device made through the API.
    package func device(of tenant: NewTenantKey, name: String = "Front desk") async throws -> NewDevice {
        let answer = try await call("POST", "/devices", ["X-API-Key": tenant.key], json: #"{"device_name":"\#(name)"}"#)
        guard let id = answer["data", "device_id"] as? String, let uuid = UUID(uuidString: id),
            let secret = answer["data", "device_secret"] as? String, let token = answer["data", "token"] as? String,
            let known = dependencies.directory.device(uuid)
        else { throw NeverHappened(description: "no device was made: \(answer.text)") }
        return NewDevice(id: id, did: known.device.did, tenantID: known.device.tenantID, secret: secret, token: token)
    }

    /// Makes a device look paired and logged in, in its row and in its session.
    @discardableResult
    package func pair(_ device: NewDevice, jid: String = "15557770000:7@s.whatsapp.net") async throws
        -> FakeDeviceClient
    {
        try await script("UPDATE sb.devices SET jid = '\(jid)', status = 'active' WHERE did = \(device.did)")
        let session = FakeDeviceClient.ready(jid: jid)
        sessions.set(device.did, session)
        return session
    }

    /// A digest of the rows of every table, as superuser: of one device and tenant, or of all.
    package func rowDigests(did: Int64? = nil, tenant: Int64? = nil) async throws -> [String: String] {
        let connection = try await DedicatedConnection.open(test.configuration())
        let tables = try await connection.query(
            Statement(
                "test.tables",
                """
                SELECT c.relname::text,
                  coalesce(bool_or(a.attname = 'did'), false), coalesce(bool_or(a.attname = 'tenant_id'), false)
                FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                GROUP BY 1
                """))
        var parts: [String] = []
        for row in tables {
            let (name, hasDevice, hasTenant): (String, Bool, Bool) = (try row[0], try row[1], try row[2])
            var condition = "true"
            if let did, let tenant {
                guard hasDevice || hasTenant || name == "tenants" else { continue }
                condition = hasDevice ? "did = \(did)" : hasTenant ? "tenant_id = \(tenant)" : "id = \(tenant)"
            }
            parts.append(
                """
                SELECT '\(name)', md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), ''))
                FROM sb.\(name) t WHERE \(condition)
                """
            )
        }
        let sql = parts.joined(separator: " UNION ALL ")
        let rows = try await connection.query(Statement("test.digests", sql))
        await connection.close()
        return Dictionary(try rows.map { (try $0[0] as String, try $0[1] as String) }) { first, _ in first }
    }

    /// Runs SQL as superuser.
    package func script(_ sql: String) async throws {
        let connection = try await DedicatedConnection.open(test.configuration())
        try await connection.script(sql)
        await connection.close()
    }
}

package struct NewTenantKey: Sendable {
    package let id: Int
    package let key: String
}

package struct NewDevice: Sendable {
    package let id: String
    package let did: Int64
    package let tenantID: Int64
    package let secret: String
    package var token: String
}

/// An answer with its JSON taken apart.
package struct APIAnswer: @unchecked Sendable {
    package let status: Int
    package let headers: [String: String]
    package let body: [UInt8]
    /// Immutable after `init`, which makes sending it safe.
    package let json: [String: Any]

    package init(_ answer: InProcessGateway.Answer) {
        status = answer.status
        headers = answer.headers
        body = answer.body
        json = (try? JSONSerialization.jsonObject(with: Data(answer.body))) as? [String: Any] ?? [:]
    }

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var message: String { json["message"] as? String ?? "" }
    package var errorCode: String { self["data", "error_code"] as? String ?? "" }

    /// A member inside objects, by its keys.
    package subscript(keys: String...) -> Any? {
        var value: Any? = json
        for key in keys { value = (value as? [String: Any])?[key] }
        return value is NSNull ? nil : value
    }
}

/// Pages of WhatsApp Web that tests serve.
package final class FakePages: PageFetching {
    private let revision = NIOLockedValueBox<Int?>(nil)

    package func set(revision: Int?) { self.revision.withLockedValue { $0 = revision } }

    package func page(_ url: String) async throws -> [UInt8] {
        guard let revision = revision.withLockedValue({ $0 }) else { throw VersionFetchError("\(url) answered 500") }
        return Array(#"<script>{"client_revision":\#(revision),"x":1}</script>"#.utf8)
    }
}

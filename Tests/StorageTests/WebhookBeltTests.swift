import Database
import Foundation
import Testing

@testable import Storage

/// Requests about webhooks see and change nothing of another device, even where a statement forgets whose rows it means.
@Suite("The second belt of webhooks")
struct WebhookBeltTests {
    /// A device with a webhook, an event, its delivery and an attempt.
    private struct Owner {
        let tenant: Int64
        let did: Int64
        let webhook: Int64
        let delivery: Int64
        var event: String { "evt_\(did)" }
        var scope: Scope { .device(DeviceScope(tenantID: tenant, did: did)) }
    }

    private static func owner(_ fixture: StorageFixture, _ tenant: Tenant, sequence: Int) async throws -> Owner {
        let did = try await fixture.device(of: tenant).did
        try await fixture.script(
            """
            INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc) VALUES (\(tenant.id), \(did), 'http://x', '');
            INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
              VALUES ('evt_\(did)', current_date, \(tenant.id), \(did), \(sequence), 'message.received', 'k', 'b');
            INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, state,
                is_test)
              SELECT current_date, id, tenant_id, did, 'evt_\(did)', current_date, 'message.received', 1, 'dead', t
              FROM sb.webhooks, unnest(ARRAY[false, true]) t WHERE did = \(did);
            INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at)
              SELECT id, day, 1, gen_random_uuid(), now() FROM sb.webhook_deliveries WHERE did = \(did);
            INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour) SELECT id, tenant_id, now() FROM sb.webhooks
              WHERE did = \(did)
            """)
        let webhook: Int64? = try await fixture.scalar("SELECT id FROM sb.webhooks WHERE did = \(did)")
        let delivery: Int64? = try await fixture.scalar(
            "SELECT id FROM sb.webhook_deliveries WHERE did = \(did) AND is_test")
        return Owner(
            tenant: tenant.id, did: did, webhook: try #require(webhook), delivery: try #require(delivery))
    }

    /// The statement without saying whose rows it means.
    private static func loosened(_ statement: Statement) -> Statement {
        let sql = statement.sql
            .replacing(#/(?:\b\w\.)?\btenant_id = \$1/#, with: "$1::bigint > 0")
            .replacing(#/(?:\b\w\.)?\bdid = \$2/#, with: "$2::bigint > 0")
        return Statement("loose.\(statement.name)", sql)
    }

    /// What the device asks, about another's rows where it can name them.
    private static func requests(_ own: Owner, about other: Owner) -> [(Statement, [SQLValue])] {
        let device: [SQLValue] = [.int(own.tenant), .int(own.did)]
        let webhook = device + [.int(other.webhook)]
        let event = device + [.text(other.event)]
        let past = SQLValue.timestamp(Date(timeIntervalSince1970: 0))
        return [
            (WebhookStatements.list, device + [10, .null, .null]), (WebhookStatements.find, webhook),
            (WebhookStatements.count, device),
            (WebhookStatements.lockDevice, device),
            (WebhookStatements.update, webhook + ["http://y", .null, false, .null, .null, .null, .null]),
            (WebhookStatements.rotateSecret, webhook + [.bytes([1]), 5]),
            (WebhookStatements.cancelPending, webhook), (WebhookStatements.cancelRetrying, webhook),
            (WebhookStatements.delete, webhook),
            (DeliveryStatements.logs, webhook + [.null, .null, .null, .null, .null, 100]),
            (DeliveryStatements.event, event), (DeliveryStatements.ofEvent, event + [past]),
            (DeliveryStatements.attempts, [.ints([other.delivery])]),
            (DeliveryStatements.hourly, [.int(own.tenant), .int(other.webhook), 10]),
            (
                DeliveryStatements.finishTest,
                device + [.int(other.delivery), "success", .null, 1, .null, .bytes([]), .uuid(UUID())]
            ),
            (
                DeliveryStatements.replay,
                device + [
                    .int(other.webhook), .texts([other.event]), .null, .null, .null, .null, .null, 10,
                ]
            ),
            (DeliveryStatements.after, device + [0, 100]), (DeliveryStatements.sequence, event),
            (DeliveryStatements.newestSequence, device), (DeliveryStatements.keepStream, device + [60]),
        ]
    }

    /// All rows of the others, as one text.
    private static func rows(_ fixture: StorageFixture, not own: Owner) async throws -> String {
        let text: String? = try await fixture.scalar(
            """
            SELECT string_agg(t, ' ' ORDER BY t) FROM (
              SELECT w::text AS t FROM sb.webhooks w WHERE did <> \(own.did)
              UNION ALL SELECT e::text FROM sb.webhook_events e WHERE did <> \(own.did)
              UNION ALL SELECT d::text FROM sb.webhook_deliveries d WHERE did <> \(own.did)
              UNION ALL SELECT a::text FROM sb.webhook_attempts a JOIN sb.webhook_deliveries d ON d.id = a.delivery_id
                WHERE did <> \(own.did)
              UNION ALL SELECT x::text FROM sb.devices x WHERE did <> \(own.did)) rows
            """)
        return try #require(text)
    }

    @Test("a webhook statement without its tenant and device sees and changes nothing of another device or tenant")
    func withoutFirstBelt() async throws {
        try await StorageFixture.run { fixture in
            #expect(fixture.database.hasRoles)
            let (one, two) = (try await fixture.tenant(name: "One"), try await fixture.tenant(name: "Two"))
            let own = try await Self.owner(fixture, one, sequence: 7)
            let others = [
                try await Self.owner(fixture, one, sequence: 100), try await Self.owner(fixture, two, sequence: 200),
            ]
            for other in others {
                let before = try await Self.rows(fixture, not: own)
                for (statement, parameters) in Self.requests(own, about: other) {
                    let loose = Self.loosened(statement)
                    let seen = try await fixture.database.query(own.scope, loose, parameters)
                    try Self.expectOwn(seen, own, statement)
                }
                #expect(try await Self.rows(fixture, not: own) == before)
            }
        }
    }

    private static func expectOwn(_ rows: [Row], _ own: Owner, _ statement: Statement) throws {
        switch statement.name {
        case WebhookStatements.list.name: #expect(try rows.map { try $0["id"] as Int64 } == [own.webhook])
        case WebhookStatements.count.name: #expect(try rows.map { try $0[0] as Int64 } == [1])
        case WebhookStatements.lockDevice.name: #expect(try rows.map { try $0[0] as Int64 } == [own.did])
        case DeliveryStatements.after.name:
            #expect(try rows.map { try $0["event_id"] as String } == [own.event])
        case DeliveryStatements.newestSequence.name: #expect(try rows.map { try $0[0] as Int64 } == [7])
        case DeliveryStatements.replay.name: #expect(try rows.map { try $0[0] as Int64 } == [0])
        default: #expect(rows.isEmpty, "\(statement.name) shows another's rows")
        }
    }
}

import Cryptography
import Database
import Foundation
import Messaging
import Testing

@testable import Storage

/// Row-level security holds where a statement forgets its tenant (14-storage, section 5).
@Suite("The second belt")
struct SecondBeltTests {
    private struct Pair {
        let fixture: StorageFixture
        let own: DeviceRecord
        let other: DeviceRecord
        let scope: DeviceScope
    }

    /// Two tenants with a device each, and rows of both in every table that the policies guard.
    private static func run(_ body: (Pair) async throws -> Void) async throws {
        try await StorageFixture.run { fixture in
            let (one, two) = (try await fixture.tenant(name: "One"), try await fixture.tenant(name: "Two"))
            let (own, other) = (try await fixture.device(of: one), try await fixture.device(of: two))
            for (tenant, did) in [(one.id, own.did), (two.id, other.did)] {
                try await fixture.script(
                    """
                    INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc) VALUES (\(tenant), \(did), 'http://x', '');
                    INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key)
                      VALUES ('e\(did)', current_date, \(tenant), \(did), 1, 't', 'k');
                    INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
                      SELECT current_date, id, tenant_id, did, 'e\(did)', current_date, 't', 1 FROM sb.webhooks WHERE did = \(did);
                    INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour) VALUES (\(did), \(tenant), now());
                    INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type)
                      VALUES (\(tenant), \(did), 'c', 'm', true, now(), 's', 'text');
                    INSERT INTO sb.chats (tenant_id, did, chat, kind) VALUES (\(tenant), \(did), 'c', 'user');
                    INSERT INTO sb.contacts (tenant_id, did, jid) VALUES (\(tenant), \(did), 'c');
                    INSERT INTO sb.message_receipts (did, chat, message_id, recipient) VALUES (\(did), 'c', 'm', 'r');
                    INSERT INTO sb.idempotency_keys (did, key, request_hash, state) VALUES (\(did), 'k', '', 'running');
                    INSERT INTO sb.lid_map (did, lid, pn) VALUES (\(did), 'l', 'p');
                    INSERT INTO sb.user_devices (did, user_id, devices, fetched_at) VALUES (\(did), 'u', '{}', now());
                    INSERT INTO sb.group_cache (did, group_jid, info, fetched_at) VALUES (\(did), 'g', '{}', now());
                    INSERT INTO sb.signal_sessions (did, address, record) VALUES (\(did), 'a:1', '');
                    INSERT INTO sb.signal_prekeys (did, key_id, key_enc) VALUES (\(did), 1, '');
                    INSERT INTO sb.app_state_keys (did, key_id, key_data, fingerprint, key_ts) VALUES (\(did), 'k', 'd', 'f', 1);
                    INSERT INTO sb.retry_buffer (did, chat, message_id, format, plaintext) VALUES (\(did), 'c', 'm', 'f', 'p');
                    INSERT INTO sb.audit_log (tenant_id, actor, action, result) VALUES (\(tenant), 'x', 'y', 'ok');
                    """)
            }
            try await body(
                Pair(
                    fixture: fixture, own: own, other: other,
                    scope: DeviceScope(tenantID: one.id, did: own.did)))
        }
    }

    /// Tables with a tenant or a device, with whether they have each column and the rows that are in them.
    private static func tables(_ fixture: StorageFixture) async throws -> [(name: String, column: String)] {
        let names: [String] =
            try await fixture.scalar(
                """
                SELECT array_agg(c.relname::text || ' ' || CASE WHEN d.attnum IS NULL THEN 'tenant_id' ELSE 'did' END)
                FROM pg_class c
                LEFT JOIN pg_attribute d ON d.attrelid = c.oid AND d.attname = 'did' AND d.attnum > 0
                LEFT JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND t.attnum > 0
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                  AND (d.attnum IS NOT NULL OR t.attnum IS NOT NULL)
                """) ?? []
        return names.map { line in
            let parts = line.split(separator: " ").map(String.init)
            return (parts[0], parts[1])
        }
    }

    @Test("a statement without its predicate reads, changes and deletes nothing of another tenant")
    func withoutFirstBelt() async throws {
        try await Self.run { pair in
            let database = pair.fixture.database
            #expect(database.hasRoles)
            var readable = 0
            for scope in [
                Scope.device(pair.scope), .tenant(TenantScope(tenantID: pair.scope.tenantID)),
                .engine(did: pair.own.did),
            ] {
                for (table, column) in try await Self.tables(pair.fixture) {
                    let foreign = column == "did" ? pair.other.did : pair.other.tenantID
                    let read = Statement("belt.read.\(table)", "SELECT \(column) FROM sb.\(table)")
                    let rows: [Row]
                    do {
                        rows = try await database.query(scope, read)
                    } catch let error as DatabaseError where error.isRefusal {
                        continue
                    }
                    readable += 1
                    for row in rows {
                        let value: Int64 = try row[0]
                        #expect(value != foreign, "\(table) is read by \(scope)")
                    }
                    let before: Int? = try await pair.fixture.scalar(
                        "SELECT count(*) FROM sb.\(table) WHERE \(column) = \(foreign)")
                    let change = Statement("belt.change.\(table)", "UPDATE sb.\(table) SET \(column) = \(column)")
                    let changed = try? await database.execute(scope, change)
                    #expect(changed ?? 0 <= rows.count, "\(table) is changed by \(scope)")
                    let delete = Statement("belt.delete.\(table)", "DELETE FROM sb.\(table)")
                    try? await database.withTransaction(scope) { transaction in
                        _ = try await transaction.execute(delete)
                        throw CancellationError()
                    }
                    let after: Int? = try await pair.fixture.scalar(
                        "SELECT count(*) FROM sb.\(table) WHERE \(column) = \(foreign)")
                    #expect(before == after)
                }
            }
            #expect(readable > 30)
        }
    }

    @Test("a row cannot be written into another tenant or device")
    func foreignRows() async throws {
        try await Self.run { pair in
            for (name, sql) in [
                (
                    "messages",
                    "INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type) VALUES ($1, $2, 'c', 'x', true, now(), 's', 'text')"
                ),
                ("contacts", "INSERT INTO sb.contacts (tenant_id, did, jid) VALUES ($1, $2, 'x')"),
                (
                    "webhooks",
                    "INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc) VALUES ($1, $2, 'http://x', '')"
                ),
            ] {
                await #expect(throws: DatabaseError.self, "\(name)") {
                    try await pair.fixture.database.execute(
                        .device(pair.scope), Statement("belt.insert.\(name)", sql),
                        [.int(pair.other.tenantID), .int(pair.other.did)])
                }
            }
        }
    }
}

extension DatabaseError {
    /// The role has no right to the table at all.
    fileprivate var isRefusal: Bool {
        if case .server(let server) = self { server.sqlState.description == "42501" } else { false }
    }
}

import Cryptography
import Database
import Foundation
import Messaging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Storage

@Suite("Commit: events")
struct CommitEventTests {
    @Test("an event becomes one row per wanting webhook, once per dedupe key, in sequence, and wakes the dispatcher")
    func events() async throws {
        let woken = NIOLockedValueBox(0)
        let options = CommitOptions(optInEvents: ["webhook.disabled"])
        try await CommitFixture.run(options: options, onEvents: { _ in woken.withLockedValue { $0 += 1 } }) { fixture in
            let lease = try await fixture.device()
            let webhooks = WebhookRepository(fixture.storage.database, sealing: fixture.envelope)
            func add(_ events: [String]) async throws -> Int64 {
                let change = WebhookChange(url: "http://example", events: events)
                return try #require(
                    try await webhooks.insert(change, secret: "s", tenant: fixture.tenant.id, did: lease.did, limit: 5)
                ).id
            }
            func event(_ type: String, _ key: String) -> DeviceEvent {
                DeviceEvent(
                    type: type, dedupeKey: key, data: Array(#"{"a":1}"#.utf8),
                    at: Timestamp(milliseconds: 1_700_000_000_123))
            }
            try await fixture.submit(ChangeSet(lease) { $0.events = [event("message.received", "none")] })
            #expect(woken.withLockedValue { $0 } == 0)
            let all = try await add([])
            let prefix = try await add(["message.*"])
            let exact = try await add(["webhook.disabled", "connection.open"])
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.events = [
                        event("message.received", "1"), event("webhook.disabled", "2"), event("message.received", "1"),
                    ]
                })
            #expect(woken.withLockedValue { $0 } == 1)
            try await fixture.submit(
                ChangeSet(lease) { $0.events = [event("message.received", "1"), event("messagex.y", "3")] })
            let deliveries = try await fixture.storage.database.system.query(
                Statement(
                    "test.deliveries",
                    "SELECT webhook_id, event_type, seq FROM sb.webhook_deliveries ORDER BY webhook_id, seq"))
            let found = try deliveries.map { "\(try $0["webhook_id"] as Int64) \(try $0["event_type"] as String)" }
            #expect(
                found == [
                    "\(all) message.received", "\(all) messagex.y", "\(prefix) message.received",
                    "\(exact) webhook.disabled",
                ])
            let body: [UInt8] = try #require(
                try await fixture.storage.scalar("SELECT body FROM sb.webhook_events WHERE dedupe_key = '1'"))
            let json = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
            #expect(json["event_type"] as? String == "message.received")
            #expect(json["device_id"] as? String == lease.deviceID.uuidString.lowercased())
            #expect(json["timestamp"] as? String == "2023-11-14T22:13:20.123000Z")
            #expect((json["data"] as? [String: Int]) == ["a": 1])
            #expect((json["event_id"] as? String)?.hasPrefix("evt_") == true)
            // A later owner goes on above every number that was used.
            let used: Int64 = try #require(try await fixture.storage.scalar("SELECT max(seq) FROM sb.webhook_events"))
            let bound: Int64 = try #require(try await fixture.storage.scalar("SELECT event_seq FROM sb.devices"))
            #expect(bound >= used)
        }
    }

    @Test("a stream that opens after the first events of a device hears the next")
    func streams() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            func submit(_ key: String) async throws {
                let event = DeviceEvent(
                    type: "message.received", dedupeKey: key, data: Array("{}".utf8),
                    at: Timestamp(milliseconds: 1_700_000_000_123))
                try await fixture.submit(ChangeSet(lease) { $0.events = [event] })
            }
            try await submit("before")
            try await fixture.storage.script(
                "UPDATE sb.devices SET streamed_until = now() + interval '1 hour' WHERE did = \(lease.did)")
            try await submit("while")
            let keys = try await fixture.storage.database.system.query(
                Statement("test.keys", "SELECT dedupe_key FROM sb.webhook_events WHERE did = $1"), [.int(lease.did)])
            #expect(try keys.map { try $0[0] as String } == ["while"])
        }
    }

    @Test("an event costs the same however many webhooks of others there are")
    func plan() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            /// So many devices with five webhooks each.
            func add(others count: Int) async throws {
                try await fixture.storage.script(
                    """
                    WITH other AS (
                      INSERT INTO sb.devices (tenant_id, secret_hash)
                      SELECT \(fixture.tenant.id), sha256(n::text::bytea) FROM generate_series(1, \(count)) n RETURNING did)
                    INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc)
                    SELECT \(fixture.tenant.id), did, 'http://x', '' FROM other, generate_series(1, 5);
                    ANALYZE sb.webhooks; ANALYZE sb.devices
                    """)
            }
            func pages(_ name: String) async throws -> Int {
                try await fixture.storage.database.system.withTransaction { transaction in
                    _ = try await transaction.query(
                        Statement("plan.generic", "SET LOCAL plan_cache_mode = force_generic_plan"))
                    _ = try await transaction.query(
                        Statement("plan.prepare", "PREPARE events AS \(CommitStatements.events.sql)"))
                    let rows = try await transaction.query(
                        Statement(
                            "plan.\(name)",
                            """
                            EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE events ('{\(lease.did)}', '{\(lease.tenantID)}',
                              '{\(name)}', '{1}', '{message.received}', '{\(name)}', '{body}', array[now()], '{f}', array[NULL::text],
                              array[NULL::text], array[NULL::boolean], array[NULL::text], array[NULL::text])
                            """))
                    let plan: String = try #require(try rows.first?[0])
                    let top = try JSON(Array(plan.utf8))[0]["Plan"]
                    _ = try await transaction.query(Statement("plan.end", "DEALLOCATE events"))
                    return (top["Shared Hit Blocks"].int ?? 0) + (top["Shared Read Blocks"].int ?? 0)
                }
            }
            try await fixture.storage.script(
                """
                INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc)
                VALUES (\(fixture.tenant.id), \(lease.did), 'http://x', '')
                """)
            try await add(others: 1)
            let few = try await pages("few")
            try await add(others: 2000)
            let many = try await pages("many")
            #expect(many <= few + 10, "\(few) pages, then \(many)")
        }
    }
}

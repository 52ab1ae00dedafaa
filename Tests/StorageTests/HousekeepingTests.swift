import Database
import Messaging
import TestSupport
import Testing

@testable import Storage

@Suite("Partitions and retention")
struct HousekeepingTests {
    @Test("partitions are made ahead, and rows that were early move out of the default partition")
    func partitions() async throws {
        try await StorageFixture.run { fixture in
            let device = try await fixture.device(of: try await fixture.tenant())
            try await fixture.script(
                """
                DROP TABLE sb.webhook_deliveries_\(try #require(try await fixture.scalar("SELECT to_char(current_date + 1, 'YYYYMMDD')", as: String.self)));
                INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
                  VALUES (current_date + 1, 1, \(device.tenantID), \(device.did), 'e', current_date, 't', 1);
                """)
            let housekeeping = HousekeepingRepository(fixture.database)
            try await housekeeping.makePartitions()
            try await housekeeping.makePartitions()
            let stray: Int? = try await fixture.scalar("SELECT count(*) FROM sb.webhook_deliveries_default")
            #expect(stray == 0)
            let moved: Int? = try await fixture.scalar("SELECT count(*) FROM sb.webhook_deliveries")
            #expect(moved == 1)
        }
    }

    @Test(
        "the body of an event goes a day after it, when it has arrived everywhere; one that took longer goes some days later"
    )
    func bodies() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let keys = "\(tenant.id), \(device.did)"
            func add(_ id: String, _ seq: Int, hoursAgo: Int, _ states: [String]) async throws {
                try await fixture.script(
                    """
                    INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body, created_at)
                      VALUES ('\(id)', current_date, \(keys), \(seq), 't', 'k', 'body', now() - interval '\(hoursAgo) hours');
                    """)
                for state in states {
                    try await fixture.script(
                        """
                        INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq,
                            state)
                          SELECT current_date, id, \(keys), '\(id)', current_date, 't', \(seq), '\(state)' FROM sb.webhooks
                        """)
                }
            }
            func kept() async throws -> [String] {
                try await fixture.scalar(
                    "SELECT coalesce(array_agg(event_id ORDER BY event_id), '{}') FROM sb.webhook_events WHERE body IS NOT NULL"
                )
                    ?? []
            }
            try await fixture.script(
                "INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc, active) VALUES (\(keys), 'http://x', '', false)"
            )
            try await add("evt_a", 1, hoursAgo: 30, ["success"])
            try await add("evt_b", 2, hoursAgo: 30, ["success", "pending"])
            try await add("evt_c", 3, hoursAgo: 30, ["retrying"])
            try await add("evt_d", 4, hoursAgo: 30, ["dead"])
            try await add("evt_e", 5, hoursAgo: 30, ["failed", "success"])
            try await add("evt_f", 6, hoursAgo: 30, ["cancelled", "success"])
            try await add("evt_g", 7, hoursAgo: 29, [])
            try await add("evt_h", 8, hoursAgo: 23, ["success"])
            let housekeeping = HousekeepingRepository(fixture.database)
            try await housekeeping.removeExpired()
            #expect(try await kept() == ["evt_b", "evt_c", "evt_d", "evt_e", "evt_h"])
            // Behind the mark nothing is looked at again, until it is some days old.
            try await fixture.script(
                """
                UPDATE sb.webhook_deliveries SET state = 'success' WHERE event_id IN ('evt_b', 'evt_d');
                UPDATE sb.webhook_events SET created_at = created_at - interval '2 hours'
                """)
            try await housekeeping.removeExpired()
            #expect(try await kept() == ["evt_b", "evt_c", "evt_d", "evt_e"])
            try await fixture.script("UPDATE sb.webhook_events SET created_at = created_at - interval '5 days'")
            try await housekeeping.removeExpired()
            #expect(try await kept() == ["evt_c", "evt_e"])
        }
    }

    /// Partitions of the outbox that are past their retention.
    private static let oldPartitions = ["webhook_events", "webhook_deliveries"].map {
        "SELECT create_partition('\($0)', 'day', '\($0)_old', (current_date - 20)::text, (current_date - 9)::text, '')"
    }.joined(separator: "; ")

    @Test("what came while a webhook was off for failing keeps its body, for the replay when it is on again")
    func missedBodies() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let keys = "\(tenant.id), \(device.did)"
            try await fixture.script(
                """
                INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc, active, disabled_reason)
                  VALUES (\(keys), 'http://x', '', false, 'failing');
                INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body, created_at)
                  VALUES ('evt_missed', current_date - 2, \(keys), 1, 't', 'k', 'body', now() - interval '50 hours')
                """)
            try await HousekeepingRepository(fixture.database).removeExpired()
            let kept: Int? = try await fixture.scalar("SELECT count(*) FROM sb.webhook_events WHERE body IS NOT NULL")
            #expect(kept == 1)
        }
    }

    @Test("more than one round of what is dead moves out of the old partitions with its events, and these are dropped")
    func manyDead() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let keys = "\(tenant.id), \(device.did)"
            try await fixture.script(
                """
                SET search_path = sb;
                \(Self.oldPartitions);
                INSERT INTO webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
                  SELECT 'e' || n, current_date - 10, \(keys), n, 't', 'k', 'body' FROM generate_series(1, 6000) n;
                INSERT INTO webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, state)
                  SELECT current_date - 10, w, \(keys), 'e' || n, current_date - 10, 't', n, 'dead'
                  FROM generate_series(1, 6000) n, generate_series(1, 2) w
                """)
            try await HousekeepingRepository(fixture.database).removeExpired()
            let counts: [String]? = try await fixture.scalar(
                """
                SELECT ARRAY[(SELECT count(*) FROM sb.webhook_events WHERE day = current_date)::text,
                  (SELECT count(*) FROM sb.webhook_deliveries WHERE day = current_date AND event_day = current_date)::text,
                  (to_regclass('sb.webhook_events_old') IS NULL)::text,
                  (to_regclass('sb.webhook_deliveries_old') IS NULL)::text]
                """)
            #expect(counts == ["6000", "12000", "true", "true"])
        }
    }

    @Test("old rows go, what is still to be delivered stays")
    func retention() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let device = try await fixture.device(of: tenant)
            let keys = "\(tenant.id), \(device.did)"
            try await fixture.script(
                """
                SET search_path = sb;
                \(Self.oldPartitions);
                SELECT create_partition('messages', 'ts', 'messages_old', (now() - interval '200 days')::text, (now() - interval '150 days')::text, '');
                INSERT INTO webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
                  SELECT 'e' || n, current_date - 10, \(keys), n, 't', 'k', 'body' FROM generate_series(1, 2) n;
                INSERT INTO webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, state)
                  VALUES (current_date - 10, 1, \(keys), 'e1', current_date - 10, 't', 1, 'retrying'),
                         (current_date - 10, 1, \(keys), 'e2', current_date - 10, 't', 2, 'success');
                INSERT INTO messages (tenant_id, did, chat, message_id, from_me, ts, sender, type)
                  SELECT \(keys), 'c', 'm' || n, false, now() - make_interval(days => n), 's', 'text' FROM unnest(ARRAY[1, 20, 160, 900]) n;
                INSERT INTO privacy_tokens (did, user_id, token, ts, sender_ts)
                  SELECT \(device.did), name, 'x', extract(epoch FROM now()) - theirs, extract(epoch FROM now()) - ours
                  FROM (VALUES ('fresh', 60, NULL::int), ('old', 40 * 86400, 30 * 86400), ('given', 40 * 86400, 60)) AS t(name, theirs, ours);
                INSERT INTO webhook_dedupe (did, dedupe_key, at) VALUES (\(device.did), 'old', now() - interval '16 days'), (\(device.did), 'new', now());
                """)
            try await HousekeepingRepository(fixture.database).removeExpired()
            let events: [String]? = try await fixture.scalar(
                "SELECT array_agg(event_id) FROM sb.webhook_events WHERE day = current_date AND body IS NOT NULL")
            #expect(events == ["e1"])
            // What is past its retention went with its partition.
            let partitions: [String]? = try await fixture.scalar(
                "SELECT array_agg(relname::text) FROM pg_class WHERE relname LIKE '%\\_old'")
            #expect(partitions == nil)
            let joined: Int? = try await fixture.scalar(
                "SELECT count(*) FROM sb.webhook_deliveries d JOIN sb.webhook_events e ON e.event_id = d.event_id AND e.day = d.event_day"
            )
            #expect(joined == 1)
            let messages: [String]? = try await fixture.scalar(
                "SELECT array_agg(message_id ORDER BY ts DESC) FROM sb.messages")
            #expect(messages == ["m1", "m20"])
            let dedupe: [String]? = try await fixture.scalar("SELECT array_agg(dedupe_key) FROM sb.webhook_dedupe")
            #expect(dedupe == ["new"])
            let tokens: [String]? = try await fixture.scalar(
                "SELECT array_agg(user_id ORDER BY user_id) FROM sb.privacy_tokens")
            #expect(tokens == ["fresh", "given"])
            try await fixture.script("UPDATE sb.tenants SET message_retention_days = 5")
            try await HousekeepingRepository(fixture.database, retention: RetentionSettings(messageDays: 0))
                .removeExpired()
            let short: [String]? = try await fixture.scalar("SELECT array_agg(message_id) FROM sb.messages")
            #expect(short == ["m1"])
        }
    }
}

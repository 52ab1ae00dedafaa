import Database
import TestSupport
import Testing

@testable import Storage

/// What the dispatcher asks costs the same however many deliveries wait (16-performance-durability, section 5.8).
@Suite("Plans of the outbox")
struct OutboxPlanTests {
    /// Pages that each of the dispatcher's statements touches, in its own sessions and with their plans.
    private static func pages(_ fixture: StorageFixture, _ webhook: Int64) async throws -> [String: Int] {
        let claim = "'00000000-0000-0000-0000-000000000001'"
        return try await fixture.database.outbox.withTransaction { transaction in
            func explain(_ statement: Statement, _ types: String, _ values: String) async throws -> Int {
                let name = statement.name.replacing(".", with: "_")
                let types = types.isEmpty ? "" : "(\(types))"
                _ = try await transaction.query(
                    Statement("plan.\(name).prepare", "PREPARE \(name)\(types) AS \(statement.sql)"))
                let rows = try await transaction.query(
                    Statement(
                        "plan.\(name)",
                        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE \(name)\(values.isEmpty ? "" : "(\(values))")")
                )
                let plan: String = try #require(try rows.first?[0])
                let top = try JSON(Array(plan.utf8))[0]["Plan"]
                _ = try await transaction.query(Statement("plan.\(name).end", "DEALLOCATE \(name)"))
                return (top["Shared Hit Blocks"].int ?? 0) + (top["Shared Read Blocks"].int ?? 0)
            }
            return [
                "ready": try await explain(OutboxStatements.ready, "", ""),
                "claim": try await explain(
                    OutboxStatements.claimLanes, "uuid, bigint[], bigint", "\(claim), '{\(webhook)}', 60000"),
                "runs": try await explain(
                    OutboxStatements.runs, "uuid, bigint[], int, int", "\(claim), '{\(webhook)}', 64, 262144"),
                "backlogs": try await explain(
                    UpkeepStatements.backlogs, "bigint, bigint, bigint, bigint", "0, 500, 500, 400"),
                "expire": try await explain(UpkeepStatements.expire, "bigint", "345600"),
            ]
        }
    }

    @Test(
        "the look for work, the claim of a lane, its run and the upkeep touch no more pages when twenty thousand wait than when one does"
    )
    func flat() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let did = try await fixture.device(of: tenant).did
            try await fixture.script(
                "INSERT INTO sb.webhooks (tenant_id, did, url, secret_enc) VALUES (\(tenant.id), \(did), 'http://x', '')"
            )
            let webhook: Int64 = try #require(try await fixture.scalar("SELECT id FROM sb.webhooks"))
            func fill(_ range: ClosedRange<Int>) async throws {
                try await fixture.script(
                    """
                    WITH event AS (
                      INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
                      SELECT 'evt_' || n, current_date, \(tenant.id), \(did), n, 'message.received', 'k' || n, 'body'
                      FROM generate_series(\(range.lowerBound), \(range.upperBound)) n RETURNING event_id, day, seq)
                    INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
                    SELECT day, \(webhook), \(tenant.id), \(did), event_id, day, 'message.received', seq FROM event;
                    ANALYZE sb.webhook_deliveries; ANALYZE sb.webhook_events;
                    UPDATE sb.webhooks SET claimed_by = NULL, claimed_until = NULL
                    """)
            }
            try await fill(1...1000)
            let few = try await Self.pages(fixture, webhook)
            try await fill(1001...20_000)
            let many = try await Self.pages(fixture, webhook)
            for (name, count) in many {
                let before = try #require(few[name])
                // An index of more rows may be a level deeper.
                #expect(count <= before * 2 + 10, "\(name): \(before) pages, then \(count)")
                #expect(before > 0)
            }
        }
    }
}

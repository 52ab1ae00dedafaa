import Database
import Foundation

/// Fills an outbox for measurements: what days of an endpoint being away leave behind.
package struct OutboxFiller: Sendable {
    private let pool: ConnectionPool

    package init(pool: ConnectionPool) { self.pool = pool }

    /// Adds `count` pending deliveries to a webhook, with their events and numbers from `first` on.
    package func fill(_ webhook: WebhookRecord, first: Int64, count: Int, body: [UInt8]) async throws {
        _ = try await pool.execute(
            Self.insert,
            [.int(webhook.tenantID), .int(webhook.did), .int(webhook.id), .int(first), SQLValue(count), .bytes(body)])
    }

    /// The devices whose leases `node` has, in the order of their making, with the number of the newest event of each: what
    /// stands behind the last space of its key.
    package func progress(
        of node: UUID
    ) async throws -> [(device: (did: Int64, epoch: Int64), newest: Int64?)] {
        try await pool.query(Self.newest, [.uuid(node)]).map {
            ((did: try $0["did"], epoch: try $0["epoch"]), try $0["newest"])
        }
    }

    /// Brings statistics and visibility up to date, as autovacuum would in time.
    package func settle() async throws {
        try await pool.script("VACUUM ANALYZE sb.webhook_deliveries; VACUUM ANALYZE sb.webhook_events")
    }

    /// Empties the outbox.
    package func clear() async throws {
        try await pool.script(
            "TRUNCATE sb.webhook_deliveries, sb.webhook_events, sb.webhook_dedupe, sb.webhook_attempts")
    }

    private static let newest = Statement(
        "filler.newest",
        """
        SELECT l.did, l.epoch, (SELECT max(substring(k.dedupe_key FROM '[0-9]+$')::bigint) FROM sb.webhook_dedupe k
          WHERE k.did = l.did) AS newest
        FROM sb.device_leases l WHERE l.node_id = $1 ORDER BY l.did
        """)

    private static let insert = Statement(
        "filler.insert",
        """
        WITH event AS (
          INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
          SELECT format('evt_%s_%s', $2::bigint, n), current_date, $1, $2, n, 'message.received', format('fill %s', n), $6
          FROM generate_series($4::bigint, $4 + $5::int - 1) n RETURNING event_id, day, seq)
        INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
        SELECT day, $3, $1, $2, event_id, day, 'message.received', seq FROM event
        """)
}

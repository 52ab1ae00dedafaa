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

    /// Brings statistics and visibility up to date, as autovacuum would in time.
    package func settle() async throws {
        try await pool.script("VACUUM ANALYZE sb.webhook_deliveries; VACUUM ANALYZE sb.webhook_events")
    }

    /// Empties the outbox.
    package func clear() async throws {
        try await pool.script(
            "TRUNCATE sb.webhook_deliveries, sb.webhook_events, sb.webhook_dedupe, sb.webhook_attempts")
    }

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

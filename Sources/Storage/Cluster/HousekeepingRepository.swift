import Database

/// What keeps the tables bounded (14-storage, section 9). Safe to run on several nodes at once.
package struct HousekeepingRepository: Sendable {
    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Makes the partitions of the next two periods where they are missing.
    package func makePartitions() async throws {
        _ = try await pool.query(Self.createPartitions)
    }

    /// Deletes rows past their retention, 5000 of a table at a time.
    package func removeExpired() async throws {
        for statement in Self.expired {
            while try await pool.execute(statement) == 5000 {}
        }
    }

    private static let createPartitions = Statement("housekeeping.partitions", "SELECT sb.create_partitions(2)")

    private static func deletion(_ name: String, _ table: String, _ condition: String) -> Statement {
        Statement(
            "housekeeping.\(name)",
            """
            DELETE FROM sb.\(table) WHERE ctid = ANY (ARRAY(SELECT ctid FROM sb.\(table) WHERE \(condition) LIMIT 5000))
            """)
    }

    private static let expired = [
        deletion("dedupe", "webhook_dedupe", "at < now() - interval '15 days'"),
        deletion("inbound", "inbound_buffer", "inserted_at < now() - interval '14 days'"),
        deletion("retries", "retry_buffer", "inserted_at < now() - interval '7 days'"),
        deletion("idempotency", "idempotency_keys", "created_at < now() - interval '24 hours'"),
        deletion("auth", "auth_changes", "at < now() - interval '7 days'"),
        deletion("tombstones", "device_tombstones", "deleted_at < now() - interval '30 days'"),
    ]
}

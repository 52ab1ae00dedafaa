import Database

/// What keeps the tables bounded (14-storage, section 9).
enum HousekeepingStatements {
    static let createPartitions = Statement("housekeeping.create_partitions", "SELECT sb.create_partitions(2)")

    static let dropPartitions = Statement(
        "housekeeping.drop_partitions", "SELECT sb.drop_partitions($1, now() - make_interval(days => $2::int))")

    private static func deletion(_ table: String, _ condition: String) -> Statement {
        Statement(
            "housekeeping.\(table)",
            """
            DELETE FROM sb.\(table) WHERE ctid = ANY (ARRAY(SELECT ctid FROM sb.\(table) WHERE \(condition) LIMIT 5000))
            """)
    }

    static let expired = [
        deletion("webhook_dedupe", "at < now() - interval '15 days'"),
        // The API shows 720 hours of it at most.
        deletion("webhook_hourly", "hour < now() - interval '30 days'"),
        deletion("inbound_buffer", "inserted_at < now() - interval '14 days'"),
        deletion("retry_buffer", "inserted_at < now() - interval '7 days'"),
        deletion("idempotency_keys", "created_at < now() - interval '24 hours'"),
        deletion("device_creations", "created_at < now() - interval '24 hours'"),
        deletion(
            "privacy_tokens",
            // Older than the fourth bucket of a week (04, section 10.1), and ours is not newer.
            "greatest(ts, coalesce(sender_ts, 0)) < (floor(extract(epoch FROM now()) / 604800) - 3) * 604800"),
        deletion("auth_changes", "at < now() - interval '7 days'"),
        deletion("device_tombstones", "deleted_at < now() - interval '30 days'"),
        deletion("signal_quarantine", "at < now() - interval '7 days'"),
        // Secrets of polls and events are wanted for a year (04, section 19); which they are the row does not say.
        deletion("message_secrets", "created_at < now() - interval '1 year'"),
        deletion("device_timeline", "at < now() - interval '30 days'"),
        deletion("tenant_usage", "minute < now() - interval '2 hours'"),
        // A queue that wrote nothing for a day belongs to a process that is gone.
        deletion("commit_positions", "at < now() - interval '1 day'"),
    ]

    // MARK: Messages

    /// The tables that `$1` days bound together with the partitions of `messages`.
    static let oldMessages = [
        Statement(
            "housekeeping.messages_default",
            """
            DELETE FROM sb.messages m USING (
              SELECT tableoid, ctid FROM sb.messages
              WHERE ts < now() - make_interval(days => $1::int) AND tableoid = 'sb.messages_default'::regclass LIMIT 5000) x
            WHERE m.tableoid = x.tableoid AND m.ctid = x.ctid
            """),
        Statement(
            "housekeeping.message_receipts",
            """
            DELETE FROM sb.message_receipts WHERE ctid = ANY (ARRAY(SELECT ctid FROM sb.message_receipts
              WHERE greatest(delivered_at, read_at, played_at) < now() - make_interval(days => $1::int) LIMIT 5000))
            """),
        Statement(
            "housekeeping.message_reactions",
            """
            DELETE FROM sb.message_reactions WHERE ctid = ANY (ARRAY(SELECT ctid FROM sb.message_reactions
              WHERE ts < now() - make_interval(days => $1::int) LIMIT 5000))
            """),
    ]

    /// Tenants that keep messages for fewer days than everybody.
    static let tenantMessages = Statement(
        "housekeeping.tenant_messages",
        """
        DELETE FROM sb.messages m USING (
          SELECT old.tableoid, old.ctid FROM sb.tenants t JOIN sb.messages old ON old.tenant_id = t.id
          WHERE t.message_retention_days > 0 AND old.ts < now() - make_interval(days => t.message_retention_days)
          LIMIT 5000) x
        WHERE m.tableoid = x.tableoid AND m.ctid = x.ctid
        """)
}

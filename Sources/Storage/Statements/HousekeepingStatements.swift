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

    // MARK: Outbox

    /// Bodies of events that every webhook has received, `$1` seconds after.
    static let clearBodies = Statement(
        "housekeeping.clear_bodies",
        """
        UPDATE sb.webhook_events e SET body = NULL FROM (
          SELECT event_id, day FROM sb.webhook_events e
          WHERE body IS NOT NULL AND created_at < now() - make_interval(secs => $1)
            AND NOT EXISTS (SELECT 1 FROM sb.webhook_deliveries d WHERE d.event_id = e.event_id AND d.did = e.did
              AND d.state <> 'success' AND d.state <> 'cancelled') LIMIT 5000) x
        WHERE e.event_id = x.event_id AND e.day = x.day
        """)

    /// What is not delivered, or dead and still replayable, moves into today's partitions before the old ones go.
    private static let wanted = """
        (d.state IN ('pending', 'retrying') OR (d.state = 'dead' AND d.created_at > now() - interval '30 days'))
        """
    static let keepEvents = Statement(
        "housekeeping.keep_events",
        """
        UPDATE sb.webhook_events e SET day = current_date
        WHERE e.day <= current_date - $1::int AND EXISTS (SELECT 1 FROM sb.webhook_deliveries d
          WHERE d.event_id = e.event_id AND d.event_day = e.day AND \(wanted))
        """)
    static let keepDeliveries = Statement(
        "housekeeping.keep_deliveries",
        """
        UPDATE sb.webhook_deliveries d SET day = CASE WHEN d.day <= current_date - $1::int THEN current_date ELSE d.day END,
          event_day = current_date
        WHERE d.event_day <= current_date - $1::int AND \(wanted)
        """)
}

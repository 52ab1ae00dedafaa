import Database

/// What is kept of the outbox, and for how long (11-webhooks, section 6.7; 14-storage, section 9). What is delivered goes with
/// its partition; these statements look for the rest through the indexes of what is not delivered, and at each event once.
enum OutboxRetentionStatements {
    /// Takes the bodies of the next 5000 events behind the mark `$1` that are older than `$2` seconds and have arrived
    /// everywhere, and moves the mark; those of a device with a webhook that was switched off for failing are kept for its
    /// replay. Ids of events sort by time. Answers how many were old enough: fewer than 5000 when none
    /// is left.
    static let clearBodies = Statement(
        "retention.clear_bodies",
        """
        WITH page AS MATERIALIZED (
          SELECT event_id, day, tenant_id, did, seq, body IS NOT NULL AS is_kept, created_at FROM sb.webhook_events
          WHERE event_id > coalesce((SELECT value #>> '{}' FROM sb.settings WHERE key = $1), '')
          ORDER BY event_id LIMIT 5000),
        old AS MATERIALIZED (SELECT * FROM page WHERE created_at < now() - make_interval(secs => $2)),
        retrying AS MATERIALIZED (
          SELECT event_id FROM sb.webhook_deliveries WHERE state = 'retrying' AND NOT is_test),
        cleared AS (
          UPDATE sb.webhook_events e SET body = NULL FROM old o
          WHERE e.event_id = o.event_id AND e.day = o.day AND o.is_kept
            AND o.event_id NOT IN (SELECT event_id FROM retrying)
            AND NOT EXISTS (SELECT 1 FROM sb.webhooks w WHERE w.did = o.did AND NOT w.active
              AND \(WebhookPredicate.switchedOff))
            AND NOT EXISTS (SELECT 1 FROM sb.webhook_deliveries d
              WHERE d.event_id = o.event_id AND d.state IN ('dead', 'failed'))
            AND NOT EXISTS (SELECT 1 FROM sb.webhooks w JOIN sb.webhook_deliveries d ON d.webhook_id = w.id
              WHERE w.tenant_id = o.tenant_id AND w.did = o.did AND d.state = 'pending' AND NOT d.is_test
                AND d.priority IN (0, 1) AND d.seq = o.seq AND d.event_id = o.event_id)),
        marked AS (
          INSERT INTO sb.settings (key, value) SELECT $1, to_jsonb(max(event_id)) FROM old HAVING count(*) > 0
          ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now())
        SELECT count(*) FROM old
        """)

    // MARK: What outlives its partition

    /// What waits, and what is dead and can be replayed, moves into today's partitions before the old ones go: first the events.
    /// `$1`: days that partitions are kept. 5000 at a time, state by state, in one transaction: an event may have
    /// deliveries in several states.
    static let keep = [
        ("pending", "state = 'pending' AND NOT is_test"), ("retrying", "state = 'retrying' AND NOT is_test"),
        ("dead", "state = 'dead' AND created_at > now() - interval '30 days'"),
    ].map { name, condition in
        Statement(
            "retention.keep_\(name)",
            """
            WITH old AS MATERIALIZED (
              SELECT id, day, event_id, event_day FROM sb.webhook_deliveries
              WHERE event_day <= current_date - $1::int AND \(condition) LIMIT 5000),
            events AS (
              UPDATE sb.webhook_events e SET day = current_date
              FROM (SELECT DISTINCT event_id, event_day FROM old) w WHERE e.event_id = w.event_id AND e.day = w.event_day)
            UPDATE sb.webhook_deliveries d
            SET day = CASE WHEN d.day <= current_date - $1::int THEN current_date ELSE d.day END, event_day = current_date
            FROM old WHERE d.id = old.id AND d.day = old.day
            """)
    }
}

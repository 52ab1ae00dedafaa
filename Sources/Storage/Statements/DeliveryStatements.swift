import Database

/// The delivery log, its events and attempts, statistics, test deliveries, replays and streams (14-storage, section 3.5;
/// 11-webhooks, section 8). What belongs to a device is asked for by tenant and device.
enum DeliveryStatements {
    // MARK: Log

    private static let columns = """
        d.id, d.webhook_id, d.event_id, d.event_type, d.state, d.attempt_count, d.last_error, d.response_code,
        d.duration_ms, d.next_attempt_at, d.is_test, d.priority, d.created_at, d.updated_at
        """

    /// Newest first, from below the row `$8` at the time `$7` on.
    static let logs = Statement(
        "deliveries.logs",
        """
        SELECT \(columns)
        FROM sb.webhook_deliveries d
        WHERE d.tenant_id = $1 AND d.did = $2 AND d.webhook_id = $3
          AND ($4::text IS NULL OR d.state = $4) AND ($5::text IS NULL OR d.event_type = $5)
          AND ($6::timestamptz IS NULL OR d.created_at >= $6)
          AND ($7::timestamptz IS NULL OR (d.created_at, d.id) < ($7, $8::bigint))
        ORDER BY d.created_at DESC, d.id DESC LIMIT $9
        """)

    static let event = Statement(
        "deliveries.event",
        """
        SELECT event_id, event_type, seq, body, created_at FROM sb.webhook_events
        WHERE tenant_id = $1 AND did = $2 AND event_id = $3
        """)

    /// Deliveries of one event, which is at most as old as `$4` says.
    static let ofEvent = Statement(
        "deliveries.of_event",
        """
        SELECT \(columns)
        FROM sb.webhooks w JOIN sb.webhook_deliveries d ON d.webhook_id = w.id
        WHERE w.tenant_id = $1 AND w.did = $2 AND d.did = $2 AND d.event_id = $3
          AND d.created_at >= $4::timestamptz - interval '1 minute'
        ORDER BY d.id
        """)

    static let attempts = Statement(
        "deliveries.attempts",
        """
        SELECT delivery_id, attempt, node_id, started_at, duration_ms, response_code, error, response_head
        FROM sb.webhook_attempts WHERE delivery_id = ANY ($1::bigint[]) ORDER BY delivery_id, attempt
        """)

    // MARK: Statistics

    /// What waits is counted in its indexes alone; the oldest row is looked for at the head of each webhook's queue, not among
    /// all that wait.
    static let statistics = Statement(
        "deliveries.statistics",
        """
        WITH RECURSIVE \(OutboxStatements.lanes("pending")),
        heads AS (
          SELECT (SELECT d.created_at FROM sb.webhook_deliveries d
            WHERE d.webhook_id = w.id AND d.state = 'pending' AND NOT d.is_test
            ORDER BY d.priority, d.seq, d.id LIMIT 1) AS created_at
          FROM pending w WHERE w.id IS NOT NULL
          UNION ALL
          SELECT min(created_at) FROM sb.webhook_deliveries WHERE state = 'retrying' AND NOT is_test)
        SELECT (SELECT count(*) FROM sb.webhooks), (SELECT count(*) FROM sb.webhooks WHERE active),
          h.success, h.failed, h.dead,
          (SELECT count(*) FROM sb.webhook_deliveries WHERE state = 'pending' AND NOT is_test)
            + (SELECT count(*) FROM sb.webhook_deliveries WHERE state = 'retrying' AND NOT is_test),
          (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM heads),
          h.day_success, h.day_dead,
          (SELECT count(*) FROM sb.webhooks w WHERE NOT w.active AND \(WebhookPredicate.switchedOff))
        FROM (SELECT coalesce(sum(success), 0)::bigint AS success, coalesce(sum(failed), 0)::bigint AS failed,
            coalesce(sum(dead), 0)::bigint AS dead,
            coalesce(sum(success) FILTER (WHERE hour > now() - interval '24 hours'), 0)::bigint AS day_success,
            coalesce(sum(dead) FILTER (WHERE hour > now() - interval '24 hours'), 0)::bigint AS day_dead
          FROM sb.webhook_hourly) h
        """)

    /// Counters of the last 24 hours by tenant, those with dead letters first.
    static let byTenant = Statement(
        "deliveries.by_tenant",
        """
        SELECT tenant_id, sum(success)::bigint AS success, sum(failed)::bigint AS failed, sum(dead)::bigint AS dead
        FROM sb.webhook_hourly WHERE hour > now() - interval '24 hours'
        GROUP BY tenant_id ORDER BY sum(dead) DESC, tenant_id LIMIT 100
        """)

    /// Counters of one webhook, hour by hour, newest first.
    static let hourly = Statement(
        "deliveries.hourly",
        """
        SELECT hour, success, failed, dead FROM sb.webhook_hourly
        WHERE tenant_id = $1 AND webhook_id = $2 ORDER BY hour DESC LIMIT $3
        """)

    // MARK: Test deliveries

    static let insertTest = Statement(
        "deliveries.insert_test",
        """
        WITH event AS (
          INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
          VALUES ($4, current_date, $1, $2, 0, 'test.ping', $4, $5) RETURNING event_id, day)
        INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, is_test)
        SELECT event.day, $3, $1, $2, event.event_id, event.day, 'test.ping', 0, true FROM event
        RETURNING id, day::text AS day
        """)

    /// Writes what a test came to: it counts in no statistics.
    static let finishTest = Statement(
        "deliveries.finish_test",
        """
        WITH done AS (
          UPDATE sb.webhook_deliveries SET state = $4, attempt_count = 1, response_code = $5, duration_ms = $6,
            last_error = $7, next_attempt_at = NULL, updated_at = now()
          WHERE tenant_id = $1 AND did = $2 AND id = $3 AND is_test RETURNING id, day)
        INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at, duration_ms, response_code, error,
          response_head)
        SELECT id, day, 1, $9, now() - $6 * interval '1 millisecond', $6, $5, $7, $8 FROM done
        """)

    // MARK: Replay

    /// Queues events for a webhook once more: of the ids `$4` or of the time from `$5` to `$6`, of the kinds `$7` (NULL:
    /// those of the webhook's filter, which the caller applies as patterns `$8`), with a delivery in state `$9` (NULL:
    /// any event), at most `$10`. Events without a body, or that wait already, are skipped. Returns queued and skipped.
    static let replay = Statement(
        "deliveries.replay",
        """
        WITH mine AS MATERIALIZED (
          SELECT event_id, bool_or(state IN ('pending', 'retrying')) AS waits, bool_or(state = $9) AS matches
          FROM sb.webhook_deliveries
          WHERE tenant_id = $1 AND did = $2 AND webhook_id = $3 AND NOT is_test
            AND created_at >= coalesce($5::timestamptz, '-infinity') - interval '1 minute'
          GROUP BY event_id),
        chosen AS MATERIALIZED (
          SELECT e.event_id, e.day, e.event_type, e.seq, e.body IS NOT NULL AND NOT coalesce(m.waits, false) AS usable
          FROM sb.webhook_events e LEFT JOIN mine m USING (event_id)
          WHERE e.tenant_id = $1 AND e.did = $2 AND e.event_type <> 'test.ping'
            AND ($4::text[] IS NULL OR e.event_id = ANY ($4))
            AND e.created_at >= coalesce($5::timestamptz, '-infinity')
            AND e.created_at < coalesce($6::timestamptz, 'infinity')
            AND ($7::text[] IS NULL OR e.event_type = ANY ($7))
            AND ($8::text[] IS NULL OR EXISTS (SELECT 1 FROM unnest($8) AS p(pattern) WHERE p.pattern = e.event_type
              OR (right(p.pattern, 2) = '.*' AND starts_with(e.event_type, left(p.pattern, -1)))))
            AND ($9::text IS NULL OR m.matches)
          ORDER BY e.seq LIMIT $10),
        queued AS (
          INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, priority)
          SELECT current_date, $3, $1, $2, event_id, day, event_type, seq, 1 FROM chosen WHERE usable ORDER BY seq
          RETURNING 1)
        SELECT (SELECT count(*) FROM queued), (SELECT count(*) FROM chosen WHERE NOT usable)
        """)

    // MARK: Streams

    /// Events of a device after the number `$3`, in order.
    static let after = Statement(
        "deliveries.events_after",
        """
        SELECT event_id, event_type, seq, body, created_at FROM sb.webhook_events
        WHERE tenant_id = $1 AND did = $2 AND seq > $3 AND body IS NOT NULL ORDER BY seq LIMIT $4
        """)

    /// Number of an event, for streams that go on where they ended.
    static let sequence = Statement(
        "deliveries.event_sequence",
        "SELECT seq FROM sb.webhook_events WHERE tenant_id = $1 AND did = $2 AND event_id = $3")

    /// The newest number of a device's stored events.
    static let newestSequence = Statement(
        "deliveries.newest_sequence",
        "SELECT coalesce(max(seq), 0) FROM sb.webhook_events WHERE tenant_id = $1 AND did = $2")

    /// The newest numbers of the devices `$1`, of those that have events: what a node asks for all its streams at once.
    static let newestSequences = Statement(
        "deliveries.newest_sequences",
        """
        SELECT s.did, e.seq FROM unnest($1::bigint[]) AS s(did) CROSS JOIN LATERAL (
          SELECT x.seq FROM sb.webhook_events x WHERE x.did = s.did ORDER BY x.seq DESC LIMIT 1) e
        """)

    /// Keeps the device's events for `$3` seconds from now, whether a webhook wants them or not.
    static let keepStream = Statement(
        "deliveries.keep_stream",
        """
        UPDATE sb.devices SET streamed_until = greatest(streamed_until, now() + $3 * interval '1 second')
        WHERE tenant_id = $1 AND did = $2
        """)
}

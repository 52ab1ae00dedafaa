import Database

/// Subscriptions and the delivery side of the outbox (14-storage, sections 3.5 and 8). Every statement names its
/// tenant and device, or works on rows the dispatcher claimed under its own node id.
enum WebhookStatements {
    private static let columns = """
        id, tenant_id, did, url, secret_enc, prev_secret_enc, prev_secret_until, events, active, disabled_reason,
        ordering, content, headers_enc, description, consecutive_failures, created_at, updated_at
        """

    // MARK: Subscriptions

    static let list = Statement(
        "webhooks.list",
        "SELECT \(columns) FROM sb.webhooks WHERE tenant_id = $1 AND did = $2 AND surface = 'A' ORDER BY id")

    static let find = Statement(
        "webhooks.find",
        "SELECT \(columns) FROM sb.webhooks WHERE tenant_id = $1 AND did = $2 AND id = $3")

    /// Serialises creations of one device, so that the limit is exact.
    static let lockDevice = Statement(
        "webhooks.lock_device",
        "SELECT did FROM sb.devices WHERE tenant_id = $1 AND did = $2 FOR NO KEY UPDATE")

    static let count = Statement(
        "webhooks.count", "SELECT count(*) FROM sb.webhooks WHERE tenant_id = $1 AND did = $2")

    /// The id comes first, because it is part of what seals the secret.
    static let nextID = Statement(
        "webhooks.next_id", "SELECT nextval(pg_get_serial_sequence('sb.webhooks', 'id'))")

    static let insert = Statement(
        "webhooks.insert",
        """
        INSERT INTO sb.webhooks (id, tenant_id, did, url, secret_enc, events, ordering, content, headers_enc, description)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING \(columns)
        """)

    /// NULL leaves a column as it is. Turning a webhook on clears what its failures left.
    static let update = Statement(
        "webhooks.update",
        """
        UPDATE sb.webhooks SET
          url = coalesce($4, url), events = coalesce($5, events), active = coalesce($6, active),
          ordering = coalesce($7, ordering), content = coalesce($8, content),
          headers_enc = coalesce($9, headers_enc), description = coalesce($10, description),
          disabled_reason = CASE $6::boolean WHEN true THEN NULL WHEN false THEN 'manual' ELSE disabled_reason END,
          disabled_at = CASE $6::boolean WHEN true THEN NULL WHEN false THEN now() ELSE disabled_at END,
          consecutive_failures = CASE WHEN $6 THEN 0 ELSE consecutive_failures END,
          fail_since = CASE WHEN $6 THEN NULL ELSE fail_since END,
          circuit_until = CASE WHEN $6 THEN NULL ELSE circuit_until END, updated_at = now()
        WHERE tenant_id = $1 AND did = $2 AND id = $3 RETURNING \(columns)
        """)

    static let rotateSecret = Statement(
        "webhooks.rotate_secret",
        """
        UPDATE sb.webhooks SET prev_secret_enc = secret_enc, prev_secret_until = now() + $5 * interval '1 second',
          secret_enc = $4, updated_at = now()
        WHERE tenant_id = $1 AND did = $2 AND id = $3 RETURNING \(columns)
        """)

    static let delete = Statement(
        "webhooks.delete",
        "DELETE FROM sb.webhooks WHERE tenant_id = $1 AND did = $2 AND id = $3")

    static let deleteDeliveries = Statement(
        "webhooks.delete_deliveries",
        "DELETE FROM sb.webhook_deliveries WHERE tenant_id = $1 AND did = $2 AND webhook_id = $3")

    // MARK: Delivery log

    static let logs = Statement(
        "webhooks.logs",
        """
        SELECT d.id, d.webhook_id, d.event_id, d.event_type, d.state, d.attempt_count, d.last_error,
          d.response_code, d.duration_ms, d.next_attempt_at, d.is_test, d.created_at, d.updated_at
        FROM sb.webhook_deliveries d
        WHERE d.tenant_id = $1 AND d.did = $2 AND d.webhook_id = $3
          AND ($4::text IS NULL OR d.state = $4) AND ($5::text IS NULL OR d.event_type = $5)
          AND ($6::timestamptz IS NULL OR d.created_at >= $6)
        ORDER BY d.created_at DESC, d.id DESC LIMIT $7 OFFSET $8
        """)

    static let statistics = Statement(
        "webhooks.statistics",
        """
        SELECT (SELECT count(*) FROM sb.webhooks), (SELECT count(*) FROM sb.webhooks WHERE active),
          h.success, h.failed, h.dead,
          (SELECT count(*) FROM sb.webhook_deliveries WHERE state IN ('pending', 'retrying')),
          (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM sb.webhook_deliveries
            WHERE state IN ('pending', 'retrying')),
          h.day_success, h.day_dead
        FROM (SELECT coalesce(sum(success), 0)::bigint AS success, coalesce(sum(failed), 0)::bigint AS failed,
            coalesce(sum(dead), 0)::bigint AS dead,
            coalesce(sum(success) FILTER (WHERE hour > now() - interval '24 hours'), 0)::bigint AS day_success,
            coalesce(sum(dead) FILTER (WHERE hour > now() - interval '24 hours'), 0)::bigint AS day_dead
          FROM sb.webhook_hourly) h
        """)

    // MARK: Test delivery

    static let insertTestEvent = Statement(
        "webhooks.insert_test_event",
        """
        WITH event AS (
          INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
          VALUES ($4, current_date, $1, $2, 0, 'test.ping', $4, $5) RETURNING event_id, day)
        INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq,
          attempt_count, locked_by, locked_until, is_test)
        SELECT event.day, $3, $1, $2, event.event_id, event.day, 'test.ping', 0, 1, $6, now() + interval '1 minute', true
        FROM event RETURNING id, day::text AS day
        """)

    // MARK: Outbox

    /// Claims due rows: one per webhook in the ordered modes, up to eight in mode `none`. The condition on
    /// `locked_until` in the outer statement makes two nodes that saw the same head row agree.
    static let claim = Statement(
        "outbox.claim",
        """
        WITH due AS (
          SELECT w.id, w.ordering FROM sb.webhooks w
          WHERE w.active AND w.tenant_id <> ALL ($4::bigint[]) AND coalesce(w.circuit_until, '-infinity') <= now()
            AND EXISTS (SELECT 1 FROM sb.webhook_deliveries x
              WHERE x.webhook_id = w.id AND x.state IN ('pending', 'retrying') AND x.next_attempt_at <= now())
            AND (w.ordering = 'none' OR NOT EXISTS (SELECT 1 FROM sb.webhook_deliveries x
              WHERE x.webhook_id = w.id AND x.state IN ('pending', 'retrying') AND x.locked_until > now()))
          ORDER BY w.last_success_at NULLS FIRST LIMIT $3 FOR NO KEY UPDATE OF w SKIP LOCKED),
        head AS (
          SELECT h.* FROM due CROSS JOIN LATERAL (
            SELECT x.id, x.day, x.event_id, x.event_day, x.webhook_id,
              row_number() OVER (ORDER BY x.priority, x.seq) AS place
            FROM sb.webhook_deliveries x
            WHERE x.webhook_id = due.id AND x.state IN ('pending', 'retrying')
              AND coalesce(x.locked_until, '-infinity') <= now()
              AND (x.next_attempt_at <= now()
                OR (due.ordering = 'strict' AND x.created_at > now() - interval '15 minutes'))
            ORDER BY x.priority, x.seq LIMIT 8) h
          WHERE h.place = 1 OR due.ordering = 'none')
        UPDATE sb.webhook_deliveries d
        SET locked_by = $1, locked_until = now() + $2 * interval '1 millisecond',
          attempt_count = d.attempt_count + 1, updated_at = now()
        FROM head JOIN sb.webhooks w ON w.id = head.webhook_id
          JOIN sb.webhook_events e ON e.event_id = head.event_id AND e.day = head.event_day
        WHERE d.id = head.id AND d.day = head.day AND coalesce(d.locked_until, '-infinity') <= now()
          AND d.next_attempt_at <= now() AND d.state IN ('pending', 'retrying')
        RETURNING d.id, d.day::text AS day, d.webhook_id, d.tenant_id, d.did, d.event_id, d.event_type, d.attempt_count,
          extract(epoch FROM now() - d.created_at)::float8 AS age, e.body, w.url, w.secret_enc,
          CASE WHEN w.prev_secret_until > now() THEN w.prev_secret_enc END AS prev_secret_enc, w.headers_enc,
          w.consecutive_failures, d.priority
        """)

    /// Writes the outcome of an attempt, if the row is still ours, with its log row, the hourly counters and the
    /// webhook's failure columns.
    static let finish = Statement(
        "outbox.finish",
        """
        WITH done AS (
          UPDATE sb.webhook_deliveries SET state = $4, response_code = $5, duration_ms = $6, last_error = $7,
            next_attempt_at = CASE WHEN $8::bigint IS NULL THEN NULL ELSE now() + $8 * interval '1 millisecond' END,
            locked_by = NULL, locked_until = NULL, updated_at = now()
          WHERE id = $1 AND day = $2::date AND locked_by = $3 AND state IN ('pending', 'retrying')
          RETURNING id, day, webhook_id, tenant_id, attempt_count, is_test),
        attempt AS (
          INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at, duration_ms,
            response_code, error, response_head)
          SELECT id, day, attempt_count, $3, now() - coalesce($6, 0) * interval '1 millisecond', $6, $5, $7, $9 FROM done
          ON CONFLICT DO NOTHING),
        hour AS (
          INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour, success, failed, dead)
          SELECT webhook_id, tenant_id, date_trunc('hour', now()), ($4 = 'success')::int, ($4 <> 'success')::int,
            ($4 = 'dead')::int FROM done WHERE NOT is_test
          ON CONFLICT (webhook_id, hour) DO UPDATE SET success = webhook_hourly.success + excluded.success,
            failed = webhook_hourly.failed + excluded.failed, dead = webhook_hourly.dead + excluded.dead)
        UPDATE sb.webhooks w SET
          last_success_at = CASE WHEN $4 = 'success' THEN now() ELSE w.last_success_at END,
          fail_since = CASE WHEN $4 = 'success' THEN NULL ELSE coalesce(w.fail_since, now()) END,
          consecutive_failures = CASE WHEN $4 = 'success' THEN 0 ELSE w.consecutive_failures + 1 END,
          circuit_until = CASE WHEN $10::int IS NULL THEN NULL ELSE now() + $10 * interval '1 second' END,
          active = w.active AND NOT $11, disabled_reason = CASE WHEN $11 THEN $12 ELSE w.disabled_reason END,
          disabled_at = CASE WHEN $11 THEN now() ELSE w.disabled_at END
        FROM done WHERE w.id = done.webhook_id AND NOT done.is_test
        """)

    /// One row when there is another live node, else none.
    static let announce = Statement(
        "outbox.announce",
        """
        SELECT pg_notify('sb_outbox', '')
        WHERE (SELECT count(*) FROM sb.nodes WHERE heartbeat_at > now() - interval '15 seconds') > 1
        """)

    /// Gives claimed rows back untried, at shutdown.
    static let release = Statement(
        "outbox.release",
        """
        UPDATE sb.webhook_deliveries SET locked_by = NULL, locked_until = NULL, attempt_count = attempt_count - 1
        WHERE locked_by = $1 AND state IN ('pending', 'retrying')
        """)

    /// Milliseconds until the next row falls due; NULL when nothing waits.
    static let nextDue = Statement(
        "outbox.next_due",
        """
        SELECT greatest(0, extract(epoch FROM min(next_attempt_at) - now()) * 1000)::bigint
        FROM sb.webhook_deliveries WHERE state IN ('pending', 'retrying')
        """)

    /// Webhooks that had failures and no success for `$1` seconds are switched off.
    static let disableFailing = Statement(
        "webhooks.disable_failing",
        """
        UPDATE sb.webhooks SET active = false, disabled_reason = 'failing', disabled_at = now()
        WHERE active AND fail_since < now() - $1 * interval '1 second' RETURNING id, tenant_id, did
        """)
}

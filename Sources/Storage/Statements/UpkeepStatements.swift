import Database

/// What keeps the outbox healthy beside the deliveries (11-webhooks, sections 6.4 and 6.6). None of it looks at more rows
/// because more wait; only the queue of a device that is beyond its limit is looked at whole.
enum UpkeepStatements {
    /// One node at a time does the upkeep; the lock goes with the transaction.
    static let tryUpkeep = Statement("outbox.try_upkeep", "SELECT pg_try_advisory_xact_lock(731058404)")

    /// Switches `$1` off and says what is needed to tell of it. No row when it was off already.
    static let disable = Statement(
        "outbox.disable",
        """
        UPDATE sb.webhooks w SET active = false, disabled_reason = $2, disabled_at = now(), updated_at = now()
        FROM sb.devices d WHERE w.id = $1 AND w.active AND d.did = w.did
        RETURNING w.tenant_id, w.did, d.device_id, coalesce(w.fail_since, now()) AS since
        """)

    /// Webhooks that had failures and no success for `$1` seconds.
    static let failing = Statement(
        "outbox.failing", "SELECT id FROM sb.webhooks WHERE active AND fail_since < now() - $1 * interval '1 second'")

    /// Stores what the gateway says of itself for the webhooks of `$2` that name it, but not for `$7`. It has no place
    /// in the device's order: number 0.
    static let insertNotice = Statement(
        "outbox.insert_notice",
        """
        WITH wanted AS (
          SELECT w.id FROM sb.webhooks w WHERE w.tenant_id = $1 AND w.did = $2 AND w.active AND w.id <> $7
            AND EXISTS (SELECT 1 FROM unnest(w.events) AS p(pattern) WHERE p.pattern = $4
              OR (right(p.pattern, 2) = '.*' AND starts_with($4, left(p.pattern, -1))))),
        event AS (
          INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
          SELECT $3, (now() AT TIME ZONE 'UTC')::date, $1, $2, 0, $4, $5, $6 WHERE EXISTS (SELECT 1 FROM wanted)
          RETURNING event_id, day)
        INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
        SELECT event.day, wanted.id, $1, $2, event.event_id, event.day, $4, 0 FROM event, wanted
        """)

    static let insertAudit = Statement(
        "outbox.insert_audit",
        """
        INSERT INTO sb.audit_log (tenant_id, device_id, actor, action, target, result)
        VALUES ($1, $2, 'gateway', $3, $4, 'ok')
        """)

    /// The devices behind `$1` with active webhooks, one after the other, and how many rows wait for these, counted up to `$2`.
    /// Ends when about `$3` rows were counted; a device costs as much as a hundred rows, whatever it has. Whose and which
    /// device it is stands in lines with more than `$4` rows alone. The first line is `$1` itself.
    static let backlogs = Statement(
        "outbox.backlogs",
        """
        WITH RECURSIVE walk AS (
          SELECT $1::bigint AS did, 0::bigint AS waiting, 0::bigint AS spent
          UNION ALL
          SELECT n.did, c.waiting, w.spent + c.waiting + 100
          FROM walk w
          CROSS JOIN LATERAL (
            SELECT x.did FROM sb.webhooks x WHERE x.active AND x.did > w.did ORDER BY x.did LIMIT 1) n
          CROSS JOIN LATERAL (SELECT count(*) AS waiting FROM (
            SELECT 1 FROM sb.webhooks x JOIN sb.webhook_deliveries d ON d.webhook_id = x.id
            WHERE x.did = n.did AND x.active AND d.state = 'pending' AND NOT d.is_test
            UNION ALL
            SELECT 1 FROM sb.webhooks x JOIN sb.webhook_deliveries d ON d.webhook_id = x.id
            WHERE x.did = n.did AND x.active AND d.state = 'retrying' AND NOT d.is_test
            LIMIT $2) counted) c
          WHERE w.spent < $3)
        SELECT w.did, w.waiting, w.spent, d.tenant_id, d.device_id
        FROM walk w LEFT JOIN sb.devices d ON d.did = w.did AND w.waiting > $4
        ORDER BY w.spent
        """)

    /// Cancels `$3` rows of a device that wait for active webhooks whose lanes nobody holds: of the kinds `$4` first, then
    /// the oldest.
    static let cancelOldest = Statement(
        "outbox.cancel_oldest",
        """
        WITH free AS MATERIALIZED (
          SELECT id FROM sb.webhooks
          WHERE tenant_id = $1 AND did = $2 AND active AND coalesce(claimed_until, '-infinity') <= now()),
        waiting AS (
          SELECT x.id, x.day, x.event_type, x.seq FROM free JOIN sb.webhook_deliveries x ON x.webhook_id = free.id
          WHERE x.state = 'pending' AND NOT x.is_test
          UNION ALL
          SELECT x.id, x.day, x.event_type, x.seq FROM free JOIN sb.webhook_deliveries x ON x.webhook_id = free.id
          WHERE x.state = 'retrying' AND NOT x.is_test),
        doomed AS (
          SELECT id, day FROM waiting ORDER BY (event_type = ANY ($4::text[])) DESC, seq LIMIT $3)
        UPDATE sb.webhook_deliveries d SET state = 'cancelled', next_attempt_at = NULL, updated_at = now(),
          last_error = 'too many undelivered events'
        FROM doomed WHERE d.id = doomed.id AND d.day = doomed.day AND d.state IN ('pending', 'retrying')
        """)

    /// Gives up rows older than `$1` seconds that no attempt gave up, 5000 at a time: of webhooks that are switched off,
    /// rest, or are gone. Only partitions of days that are over so long can hold any; the others are not looked at.
    static let expire = Statement(
        "outbox.expire",
        """
        WITH waiting AS (
          SELECT id, day, webhook_id, created_at FROM sb.webhook_deliveries
          WHERE state = 'pending' AND NOT is_test AND day <= (now() - $1 * interval '1 second')::date + 1
          UNION ALL
          SELECT id, day, webhook_id, created_at FROM sb.webhook_deliveries
          WHERE state = 'retrying' AND NOT is_test AND day <= (now() - $1 * interval '1 second')::date + 1),
        old AS (
          SELECT x.id, x.day FROM waiting x LEFT JOIN sb.webhooks w ON w.id = x.webhook_id
          WHERE x.created_at < now() - $1 * interval '1 second' AND coalesce(w.claimed_until, '-infinity') <= now()
          LIMIT 5000),
        dead AS (
          UPDATE sb.webhook_deliveries d SET state = 'dead', next_attempt_at = NULL, updated_at = now(),
            last_error = coalesce(d.last_error, 'too old')
          FROM old WHERE d.id = old.id AND d.day = old.day AND d.state IN ('pending', 'retrying')
          RETURNING d.webhook_id, d.tenant_id),
        counted AS (
          INSERT INTO sb.webhook_hourly AS h (webhook_id, tenant_id, hour, success, failed, dead)
          SELECT webhook_id, tenant_id, date_trunc('hour', now()), 0, 0, count(*) FROM dead GROUP BY webhook_id, tenant_id
          ON CONFLICT (webhook_id, hour) DO UPDATE SET dead = h.dead + excluded.dead)
        SELECT count(*) FROM dead
        """)
}

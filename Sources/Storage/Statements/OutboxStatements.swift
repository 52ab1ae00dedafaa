import Database

/// The dispatcher's side of the outbox (14-storage, section 8). A lane is all that waits for one webhook: a node claims
/// the lane, sends a run of its rows, and writes their outcomes while it gives the lane back.
enum OutboxStatements {
    /// Takes the free lanes among `$2` for `$3` milliseconds under the token `$1`. Two nodes never hold one lane.
    static let claimLanes = Statement(
        "outbox.claim_lanes",
        """
        WITH free AS MATERIALIZED (
          SELECT id FROM sb.webhooks WHERE id = ANY ($2::bigint[]) AND active
            AND coalesce(circuit_until, '-infinity') <= now() AND coalesce(claimed_until, '-infinity') <= now()
          FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE sb.webhooks w SET claimed_by = $1, claimed_until = now() + $3 * interval '1 millisecond'
        FROM free WHERE w.id = free.id
        """)

    /// The rows to send of the lanes claimed under `$1` among `$2`: what is due again and what was never tried, in
    /// order, at most `$3` rows and about `$4` bytes of each lane, one row where the last five attempts failed. A lane
    /// without rows has one line of NULLs. Runs after the claim in the same transaction: its snapshot holds all that
    /// the lane's holder before wrote.
    static let runs = Statement(
        "outbox.runs",
        """
        SELECT w.id AS webhook_id, w.tenant_id, w.did, w.url, w.secret_enc,
          CASE WHEN w.prev_secret_until > now() THEN w.prev_secret_enc END AS prev_secret_enc, w.headers_enc, w.ordering,
          w.content, w.consecutive_failures, r.id, r.day, r.event_id, r.event_type, r.attempt, r.age, r.failing_for,
          r.priority, r.body
        FROM sb.webhooks w LEFT JOIN LATERAL (
          SELECT q.* FROM (
            SELECT u.*, e.body, row_number() OVER run AS place,
              sum(coalesce(octet_length(e.body), 0)) OVER run AS bytes
            FROM (
              (SELECT d.id, d.day::text AS day, d.event_id, d.event_day, d.event_type, d.attempt_count + 1 AS attempt,
                extract(epoch FROM now() - d.created_at)::float8 AS age,
                extract(epoch FROM now() - d.first_failed_at)::float8 AS failing_for, d.priority, d.seq
              FROM sb.webhook_deliveries d
              WHERE d.webhook_id = w.id AND d.state = 'retrying' AND NOT d.is_test AND d.next_attempt_at <= now()
              ORDER BY d.next_attempt_at LIMIT $3)
              UNION ALL
              (SELECT d.id, d.day::text, d.event_id, d.event_day, d.event_type, d.attempt_count + 1,
                extract(epoch FROM now() - d.created_at)::float8, NULL::float8, d.priority, d.seq
              FROM sb.webhook_deliveries d
              WHERE d.webhook_id = w.id AND d.state = 'pending' AND NOT d.is_test
              ORDER BY d.priority, d.seq, d.id LIMIT $3)
            ) u LEFT JOIN sb.webhook_events e ON e.event_id = u.event_id AND e.day = u.event_day
            WINDOW run AS (ORDER BY u.priority, u.seq, u.id)
          ) q
          WHERE q.place = 1 OR (q.bytes <= $4 AND q.place <= CASE WHEN w.consecutive_failures >= 5 THEN 1 ELSE $3 END)
        ) r ON true
        WHERE w.id = ANY ($2::bigint[]) AND w.claimed_by = $1
        ORDER BY w.id, r.place
        """)

    /// Writes outcomes. Arrays of one element per row `$1`…`$10`: id, day, state, attempt, status, milliseconds, error,
    /// wait until the next attempt (ms), head of the answer, whether the attempt has a line of its own. `$11` node.
    /// A row that was settled meanwhile stays as it is. The rows are joined once, by index: a second join of what the
    /// update returns would compare every row of a batch with every other.
    static let finishRows = Statement(
        "outbox.finish_rows",
        """
        WITH r AS MATERIALIZED (
          SELECT u.id, u.day::date AS day, u.state, u.attempt, u.code, u.ms, u.error, u.wait, u.head, u.is_listed
          FROM unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::text[], $8::bigint[],
            $9::bytea[], $10::boolean[]) AS u(id, day, state, attempt, code, ms, error, wait, head, is_listed)),
        done AS (
          UPDATE sb.webhook_deliveries d SET state = r.state, attempt_count = r.attempt, response_code = r.code,
            duration_ms = r.ms, last_error = r.error, next_attempt_at = now() + r.wait * interval '1 millisecond',
            first_failed_at = CASE WHEN r.state = 'success' THEN d.first_failed_at
              ELSE coalesce(d.first_failed_at, now()) END,
            updated_at = now()
          FROM r WHERE d.id = r.id AND d.day = r.day AND d.state <> ALL ('{success,failed,dead,cancelled}'::text[])
          RETURNING d.id, d.day, d.webhook_id, d.tenant_id, d.state, r.attempt, r.code, r.ms, r.error, r.head,
            r.is_listed),
        listed AS (
          INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at, duration_ms, response_code,
            error, response_head)
          SELECT id, day, attempt, $11, now() - ms * interval '1 millisecond', ms, code, error, head
          FROM done WHERE is_listed ON CONFLICT DO NOTHING)
        INSERT INTO sb.webhook_hourly AS h (webhook_id, tenant_id, hour, success, failed, dead)
        SELECT webhook_id, tenant_id, date_trunc('hour', now()), count(*) FILTER (WHERE state = 'success'),
          count(*) FILTER (WHERE state <> 'success'), count(*) FILTER (WHERE state IN ('dead', 'failed'))
        FROM done GROUP BY webhook_id, tenant_id ORDER BY webhook_id
        ON CONFLICT (webhook_id, hour) DO UPDATE SET success = h.success + excluded.success,
          failed = h.failed + excluded.failed, dead = h.dead + excluded.dead
        """)

    /// Gives lanes back with what their runs came to: webhook, token of the claim, failures in a row now (NULL: nothing
    /// was sent), whether anything arrived, and how long the lane rests (ms).
    static let finishLanes = Statement(
        "outbox.finish_lanes",
        """
        UPDATE sb.webhooks w SET
          claimed_until = CASE WHEN w.claimed_by = l.claim THEN NULL ELSE w.claimed_until END,
          claimed_by = CASE WHEN w.claimed_by = l.claim THEN NULL ELSE w.claimed_by END,
          last_success_at = CASE WHEN l.arrived THEN now() ELSE w.last_success_at END,
          fail_since = CASE WHEN l.failures IS NULL THEN w.fail_since WHEN l.failures = 0 THEN NULL
            WHEN l.arrived THEN now() ELSE coalesce(w.fail_since, now()) END,
          consecutive_failures = coalesce(l.failures, w.consecutive_failures),
          circuit_until = CASE WHEN l.failures IS NULL THEN w.circuit_until
            ELSE now() + l.rest * interval '1 millisecond' END
        FROM (SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::int[], $4::boolean[], $5::bigint[])
          AS u(webhook_id, claim, failures, arrived, rest) ORDER BY webhook_id) l
        WHERE w.id = l.webhook_id
        """)

    /// Webhooks with rows that could be sent now. Walks from webhook to webhook through the indexes, so that the cost
    /// grows with the webhooks that have work, not with their rows.
    static let ready = Statement(
        "outbox.ready",
        """
        WITH RECURSIVE pending AS (
          (SELECT webhook_id AS id FROM sb.webhook_deliveries WHERE state = 'pending' AND NOT is_test
            ORDER BY webhook_id LIMIT 1)
          UNION ALL
          SELECT (SELECT d.webhook_id FROM sb.webhook_deliveries d
            WHERE d.state = 'pending' AND NOT d.is_test AND d.webhook_id > p.id ORDER BY d.webhook_id LIMIT 1)
          FROM pending p WHERE p.id IS NOT NULL),
        retrying AS (
          (SELECT webhook_id AS id FROM sb.webhook_deliveries WHERE state = 'retrying' AND NOT is_test
            ORDER BY webhook_id LIMIT 1)
          UNION ALL
          SELECT (SELECT d.webhook_id FROM sb.webhook_deliveries d
            WHERE d.state = 'retrying' AND NOT d.is_test AND d.webhook_id > r.id ORDER BY d.webhook_id LIMIT 1)
          FROM retrying r WHERE r.id IS NOT NULL),
        work AS (
          SELECT id FROM pending WHERE id IS NOT NULL
          UNION
          SELECT r.id FROM retrying r WHERE EXISTS (SELECT 1 FROM sb.webhook_deliveries d
            WHERE d.webhook_id = r.id AND d.state = 'retrying' AND NOT d.is_test AND d.next_attempt_at <= now()))
        SELECT w.id, w.tenant_id FROM work JOIN sb.webhooks w USING (id)
        WHERE w.active AND coalesce(w.circuit_until, '-infinity') <= now()
          AND coalesce(w.claimed_until, '-infinity') <= now()
        ORDER BY w.id
        """)

    /// Gives the lanes of these claims back, at shutdown.
    static let release = Statement(
        "outbox.release",
        "UPDATE sb.webhooks SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = ANY ($1::uuid[])")

    /// One row when there is another live node, else none.
    static let announce = Statement(
        "outbox.announce",
        """
        SELECT pg_notify('sb_outbox', $1)
        WHERE (SELECT count(*) FROM sb.nodes WHERE heartbeat_at > now() - interval '15 seconds') > 1
        """)

    // MARK: Upkeep

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

    /// Devices with more than `$1` undelivered rows, and how many.
    static let crowded = Statement(
        "outbox.crowded",
        """
        SELECT c.tenant_id, c.did, d.device_id, c.rows FROM (
          SELECT tenant_id, did, count(*) AS rows FROM sb.webhook_deliveries
          WHERE state IN ('pending', 'retrying') AND NOT is_test GROUP BY tenant_id, did HAVING count(*) > $1) c
        JOIN sb.devices d USING (did)
        """)

    /// Cancels `$3` rows of a device that no lane holds: of the kinds `$4` first, then the oldest.
    static let cancelOldest = Statement(
        "outbox.cancel_oldest",
        """
        WITH doomed AS (
          SELECT x.id, x.day FROM sb.webhook_deliveries x JOIN sb.webhooks w ON w.id = x.webhook_id
          WHERE x.tenant_id = $1 AND x.did = $2 AND x.state IN ('pending', 'retrying') AND NOT x.is_test
            AND coalesce(w.claimed_until, '-infinity') <= now()
          ORDER BY (x.event_type = ANY ($4::text[])) DESC, x.seq LIMIT $3)
        UPDATE sb.webhook_deliveries d SET state = 'cancelled', next_attempt_at = NULL, updated_at = now(),
          last_error = 'too many undelivered events'
        FROM doomed WHERE d.id = doomed.id AND d.day = doomed.day AND d.state IN ('pending', 'retrying')
        """)

    /// Gives up rows older than `$1` seconds that no attempt gave up, 5000 at a time: of webhooks that are switched off,
    /// or rest.
    static let expire = Statement(
        "outbox.expire",
        """
        WITH old AS (
          SELECT x.id, x.day FROM sb.webhook_deliveries x JOIN sb.webhooks w ON w.id = x.webhook_id
          WHERE x.state IN ('pending', 'retrying') AND NOT x.is_test AND x.created_at < now() - $1 * interval '1 second'
            AND coalesce(w.claimed_until, '-infinity') <= now()
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

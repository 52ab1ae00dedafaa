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

    /// The recursive table `<state>(id)`: the webhooks with rows in that state, found from one to the next through its index,
    /// so that the cost grows with them and not with their rows. Ends with a NULL.
    static func lanes(_ state: String) -> String {
        """
        \(state) AS (
          (SELECT webhook_id AS id FROM sb.webhook_deliveries WHERE state = '\(state)' AND NOT is_test
            ORDER BY webhook_id LIMIT 1)
          UNION ALL
          SELECT (SELECT d.webhook_id FROM sb.webhook_deliveries d
            WHERE d.state = '\(state)' AND NOT d.is_test AND d.webhook_id > w.id ORDER BY d.webhook_id LIMIT 1)
          FROM \(state) w WHERE w.id IS NOT NULL)
        """
    }

    /// Webhooks with rows that could be sent now.
    static let ready = Statement(
        "outbox.ready",
        """
        WITH RECURSIVE \(lanes("pending")), \(lanes("retrying")),
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

    /// One row when there is another live node, else none.
    static let announce = Statement(
        "outbox.announce",
        """
        SELECT pg_notify('sb_outbox', $1)
        WHERE (SELECT count(*) FROM sb.nodes WHERE heartbeat_at > now() - interval '15 seconds') > 1
        """)
}

import Database

/// The frame of a group-commit batch: position, fence, device rows (16-performance-durability, section 5.3).
enum CommitStatements {
    static let begin = Statement("commit.begin", "BEGIN")
    static let commit = Statement("commit.commit", "COMMIT")

    /// Takes a position, also the first one, or the first after the row of a quiet queue was removed. Divides by zero when
    /// it is taken already, by this batch or to make it void.
    static let position = Statement(
        "commit.position",
        """
        WITH taken AS (
          INSERT INTO sb.commit_positions AS p (queue, batch) VALUES ($1, $2)
          ON CONFLICT (queue) DO UPDATE SET batch = excluded.batch, at = now() WHERE p.batch < excluded.batch
          RETURNING batch)
        SELECT 1 / (SELECT count(*) FROM taken)
        """)

    /// Makes batch `$2` void unless it was applied: an applied one leaves its own position, a void one the next. The row
    /// lock makes this wait for an attempt that is still at work.
    static let void = Statement(
        "commit.void",
        """
        INSERT INTO sb.commit_positions AS p (queue, batch) VALUES ($1, $2::bigint + 1)
        ON CONFLICT (queue) DO UPDATE SET batch = excluded.batch, at = now() WHERE p.batch < excluded.batch - 1
        """)

    static let currentPosition = Statement(
        "commit.current_position", "SELECT batch FROM sb.commit_positions WHERE queue = $1")

    /// Divides by zero unless every device's lease is still held under the epoch given. `$3` node, `$4` number of devices.
    /// Each lease is looked up by its device: see `LeaseStatements.isHeld`.
    static let fence = Statement(
        "commit.fence",
        """
        SELECT 1 / (count(*) = $4)::int FROM (
          SELECT l.did FROM unnest($1::bigint[], $2::bigint[]) AS f(did, epoch)
          JOIN sb.device_leases l ON l.did = f.did AND l.epoch = f.epoch
          WHERE \(LeaseStatements.isHeld("$3")) ORDER BY l.did FOR KEY SHARE OF l) AS owned
        """)

    /// Divides by zero when somebody listens to one of these devices, whose events the batch leaves out.
    static let silence = Statement(
        "commit.silence",
        """
        SELECT 1 / (NOT EXISTS (SELECT 1 FROM sb.webhooks w WHERE w.did = ANY ($1)
            AND \(WebhookPredicate.listening))
          AND NOT EXISTS (SELECT 1 FROM sb.devices d WHERE d.did = ANY ($1) AND d.streamed_until > now()))::int
        """)

    /// Which of the devices pass the fence.
    static let owned = Statement(
        "commit.owned",
        """
        SELECT l.did FROM unnest($1::bigint[], $2::bigint[]) AS f(did, epoch)
        JOIN sb.device_leases l ON l.did = f.did AND l.epoch = f.epoch WHERE \(LeaseStatements.isHeld("$3"))
        """)

    /// What a batch needs to know of its devices.
    static let devices = Statement(
        "commit.devices",
        """
        SELECT d.did, d.device_id, d.tenant_id, d.event_seq, coalesce(d.streamed_until > now(), false) OR EXISTS (
          SELECT 1 FROM sb.webhooks w WHERE w.did = d.did
            AND \(WebhookPredicate.listening)) AS has_listeners
        FROM sb.devices d WHERE d.did = ANY ($1)
        """)

    // MARK: Device rows

    static let updateDevices = Statement(
        "commit.update_devices",
        """
        UPDATE sb.devices d SET status = coalesce(u.status, d.status), desired = coalesce(u.desired, d.desired),
          held_reason = CASE WHEN u.sets_reason THEN u.reason ELSE d.held_reason END,
          end_code = CASE WHEN u.sets_reason THEN u.code ELSE d.end_code END,
          end_text = CASE WHEN u.sets_reason THEN u.text ELSE d.end_text END,
          held_until = CASE WHEN u.sets_until THEN u.until ELSE d.held_until END,
          jid = coalesce(u.jid, d.jid), lid = coalesce(u.lid, d.lid), push_name = coalesce(u.push_name, d.push_name),
          platform = coalesce(u.platform, d.platform), business_name = coalesce(u.business_name, d.business_name),
          last_active_at = greatest(u.active_at, d.last_active_at), updated_at = now()
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::boolean[], $7::timestamptz[],
          $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::int[], $15::text[])
          AS u(did, status, desired, sets_reason, reason, sets_until, until, jid, lid, push_name, platform, business_name,
            active_at, code, text)
        WHERE d.did = u.did
        """)

    /// In the order of devices, for the sake of `LeaseStatements.renew`.
    static let updateLiveStates = Statement(
        "commit.update_live_states",
        """
        WITH u AS (
          SELECT l.did, u.state, u.error
          FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS u(did, epoch, state, error)
          JOIN sb.device_leases l ON l.did = u.did AND l.epoch = u.epoch
          ORDER BY l.did FOR NO KEY UPDATE OF l)
        UPDATE sb.device_leases l SET live_state = coalesce(u.state, l.live_state),
          live_error = coalesce(u.error, l.live_error)
        FROM u WHERE l.did = u.did
        """)

    static let raiseEventSequences = Statement(
        "commit.raise_event_seq",
        """
        UPDATE sb.devices d SET event_seq = u.bound FROM unnest($1::bigint[], $2::bigint[]) AS u(did, bound)
        WHERE d.did = u.did AND d.event_seq < u.bound
        """)

    // MARK: Outbox

    /// Stores the events that are new and that an active webhook wants, or one that was switched off for failing (for
    /// replays), or a stream of the device, and a delivery per wanting webhook. Tells whose lanes have new rows and which
    /// devices have new events. `$9`: the event goes only to webhooks that name it. `$10`…`$14`: a message, and whose it
    /// is said to be (`AuthorshipClaim`); the event is dropped when the stored message is somebody else's.
    static let events = Statement(
        "commit.events",
        """
        WITH e AS (
          SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bytea[],
            $8::timestamptz[], $9::boolean[], $10::text[], $11::text[], $12::boolean[], $13::text[], $14::text[])
            AS e(did, tenant_id, event_id, seq, type, dedupe_key, body, at, opt_in, of_chat, of_message, of_mine, author,
              author_alt)
          WHERE e.of_message IS NULL OR (
            SELECT bool_or(m.from_me = e.of_mine AND (e.author IS NULL OR m.sender IN (e.author, e.author_alt)
              OR coalesce(m.sender_alt IN (e.author, e.author_alt), false)))
            FROM sb.messages m WHERE m.did = e.did AND m.message_id = e.of_message AND (m.chat = e.of_chat) IS TRUE) IS NOT FALSE),
        wanted AS (
          SELECT e.*, w.id AS webhook_id, w.active FROM e JOIN sb.webhooks w ON w.did = e.did
            AND \(WebhookPredicate.listening)
            AND (CASE WHEN w.events = '{}' THEN NOT e.opt_in
              ELSE EXISTS (SELECT 1 FROM unnest(w.events) AS p(pattern) WHERE p.pattern = e.type
                OR (right(p.pattern, 2) = '.*' AND starts_with(e.type, left(p.pattern, -1)))) END)),
        kept AS (
          SELECT did, dedupe_key FROM wanted
          UNION
          SELECT e.did, e.dedupe_key FROM e JOIN sb.devices d ON d.did = e.did AND d.streamed_until > now()),
        fresh AS (
          INSERT INTO sb.webhook_dedupe (did, dedupe_key) SELECT did, dedupe_key FROM kept
          ON CONFLICT DO NOTHING RETURNING did, dedupe_key),
        stored AS (
          INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body, created_at)
          SELECT e.event_id, current_date, e.tenant_id, e.did, e.seq, e.type, e.dedupe_key, e.body, e.at
          FROM e JOIN fresh USING (did, dedupe_key)),
        delivered AS (
          INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq)
          SELECT current_date, w.webhook_id, w.tenant_id, w.did, w.event_id, current_date, w.type, w.seq
          FROM wanted w JOIN fresh USING (did, dedupe_key) WHERE w.active ORDER BY w.seq)
        SELECT DISTINCT e.did, w.webhook_id, e.tenant_id FROM e JOIN fresh USING (did, dedupe_key)
          LEFT JOIN wanted w ON w.event_id = e.event_id AND w.active
        """)
}

import Database

/// Subscriptions (14-storage, section 3.5). Every statement names its tenant and device.
enum WebhookStatements {
    private static let columns = """
        id, tenant_id, did, url, secret_enc, CASE WHEN prev_secret_until > now() THEN prev_secret_enc END AS prev_secret_enc,
        CASE WHEN prev_secret_until > now() THEN prev_secret_until END AS prev_secret_until, events, active, disabled_reason,
        ordering, content, headers_enc, description, consecutive_failures, disabled_at, fail_since, last_success_at,
        created_at, updated_at
        """

    // MARK: Subscriptions

    /// Newest first, at most `$3`, from below the row `$5` at the time `$4` on.
    static let list = Statement(
        "webhooks.list",
        """
        SELECT \(columns) FROM sb.webhooks WHERE tenant_id = $1 AND did = $2 AND surface = 'A'
          AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5::bigint))
        ORDER BY created_at DESC, id DESC LIMIT $3
        """)

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

    /// What waits for a webhook that is gone. Its log is shown to nobody any more and goes with its partitions: millions of rows
    /// may be in it.
    static let cancelPending = Statement(
        "webhooks.cancel_pending",
        """
        UPDATE sb.webhook_deliveries SET state = 'cancelled', next_attempt_at = NULL, updated_at = now()
        WHERE tenant_id = $1 AND did = $2 AND webhook_id = $3 AND state = 'pending' AND NOT is_test
        """)

    /// The same of what was to be tried again.
    static let cancelRetrying = Statement(
        "webhooks.cancel_retrying",
        """
        UPDATE sb.webhook_deliveries SET state = 'cancelled', next_attempt_at = NULL, updated_at = now()
        WHERE tenant_id = $1 AND did = $2 AND webhook_id = $3 AND state = 'retrying' AND NOT is_test
        """)

    /// Erases secrets whose grace is over.
    static let eraseOldSecrets = Statement(
        "webhooks.erase_old_secrets",
        "UPDATE sb.webhooks SET prev_secret_enc = NULL, prev_secret_until = NULL WHERE prev_secret_until <= now()")

    // MARK: For the operator

    /// Webhooks of all tenants: `$1` those switched off, else those that fail; newest trouble first.
    static let troubled = Statement(
        "webhooks.troubled",
        """
        SELECT w.id, w.tenant_id, d.device_id, w.url, w.active, w.disabled_reason, w.disabled_at, w.fail_since,
          w.consecutive_failures, w.last_success_at
        FROM sb.webhooks w JOIN sb.devices d ON d.did = w.did
        WHERE ($1 AND NOT w.active AND w.disabled_reason <> 'manual') OR (w.active AND w.fail_since IS NOT NULL)
        ORDER BY coalesce(w.disabled_at, w.fail_since) DESC LIMIT $2
        """)
}

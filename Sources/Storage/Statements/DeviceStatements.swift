import Database

/// Devices: their rows, tokens and what deleting one takes (14-storage, sections 3.2 and 9).
enum DeviceStatements {
    private static let columns = """
        d.did, d.device_id, d.tenant_id, d.external_id, d.device_name, d.token_version, d.status, d.desired, d.held_reason,
        d.held_until, d.end_code, d.end_text, d.jid, d.lid, d.push_name, d.platform, d.business_name, d.proxy_url_enc IS NOT NULL AS has_proxy,
        d.passive, d.force_active_receipts, d.presence_wish, d.settings, d.created_at, d.updated_at, d.last_active_at
        """
    private static let overview = """
        SELECT \(columns), t.customer_name,
          CASE WHEN l.expires_at > now() THEN l.node_id END AS live_node,
          CASE WHEN l.expires_at > now() THEN l.live_state ELSE 'none' END AS live_state,
          coalesce(l.live_error, '') AS live_error
        FROM sb.devices d JOIN sb.tenants t ON t.id = d.tenant_id LEFT JOIN sb.device_leases l ON l.did = d.did
        """

    static let count = Statement("devices.count", "SELECT count(*) FROM sb.devices WHERE tenant_id = $1")

    static let insert = Statement(
        "devices.insert",
        """
        WITH d AS (
          INSERT INTO sb.devices (device_id, tenant_id, external_id, device_name, secret_hash)
          VALUES ($1, $2, $3, $4, $5) RETURNING *),
        lease AS (INSERT INTO sb.device_leases (did) SELECT did FROM d)
        SELECT \(columns) FROM d
        """)

    /// What the first request with a key made, within a day.
    static let creation = Statement(
        "devices.creation",
        """
        SELECT c.request_hash, c.secret_enc, \(columns) FROM sb.device_creations c JOIN sb.devices d USING (did)
        WHERE c.tenant_id = $1 AND c.key = $2 AND c.created_at > now() - interval '24 hours'
        """)

    static let keepCreation = Statement(
        "devices.keep_creation",
        """
        INSERT INTO sb.device_creations (tenant_id, key, request_hash, did, secret_enc) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, key) DO UPDATE SET request_hash = excluded.request_hash, did = excluded.did,
          secret_enc = excluded.secret_enc, created_at = now()
        """)

    static let byDeviceID = Statement(
        "devices.by_device_id", "SELECT \(columns) FROM sb.devices d WHERE d.device_id = $1")

    static let byNumber = Statement(
        "devices.by_number", "SELECT \(columns) FROM sb.devices d WHERE d.tenant_id = $1 AND d.did = $2")

    static let ofTenant = Statement(
        "devices.of_tenant",
        "SELECT \(columns) FROM sb.devices d WHERE d.tenant_id = $1 ORDER BY d.created_at DESC, d.did DESC")

    static let idsOfTenant = Statement(
        "devices.ids_of_tenant", "SELECT did, device_id FROM sb.devices WHERE tenant_id = $1 ORDER BY did FOR UPDATE")

    static let overviews = Statement(
        "devices.overviews",
        """
        \(overview)
        WHERE ($1::text IS NULL OR d.status = $1) AND ($2::bigint IS NULL OR d.tenant_id = $2)
          AND ($3::text IS NULL OR strpos(lower(concat_ws(
            ' ', d.device_name, d.jid, t.customer_name, d.device_id, d.external_id)), lower($3)) > 0)
          AND ($5::timestamptz IS NULL OR (d.created_at, d.did) < ($5, $6::bigint))
        ORDER BY d.created_at DESC, d.did DESC LIMIT $4
        """)

    /// Devices whose owner says that they are logged in.
    static let online = Statement(
        "devices.online",
        "SELECT count(*) FROM sb.device_leases WHERE live_state = 'logged_in' AND expires_at > now()")

    static let overviewByDeviceID = Statement("devices.overview", "\(overview) WHERE d.device_id = $1")

    // MARK: Credentials

    static let credentials = Statement(
        "devices.credentials",
        """
        SELECT d.did, d.tenant_id, d.secret_hash, d.token_version, t.is_active, d.jid
        FROM sb.devices d JOIN sb.tenants t ON t.id = d.tenant_id WHERE d.device_id = $1
        """)

    /// Raises the token versions of the devices `$1`, records that in the feed and announces it. Rows are locked in the order
    /// in which other transactions of several devices lock them.
    static let raiseTokenVersions = Statement(
        "devices.raise_token_versions",
        """
        WITH locked AS (
          SELECT did FROM sb.devices WHERE device_id = ANY($1) ORDER BY did FOR NO KEY UPDATE),
        raised AS (
          UPDATE sb.devices d SET token_version = token_version + 1, last_active_at = now(), updated_at = now()
          FROM locked l WHERE d.did = l.did RETURNING d.device_id, d.tenant_id, d.token_version, d.jid),
        change AS (
          INSERT INTO sb.auth_changes (kind, tenant_id, device_id, token_version, is_active)
          SELECT 'device', tenant_id, device_id, token_version, true FROM raised RETURNING id),
        told AS (SELECT pg_notify('sb_auth', json_build_object('id', max(id))::text) FROM change HAVING count(*) > 0)
        SELECT r.device_id, r.token_version, r.jid FROM raised r CROSS JOIN told
        """)

    // MARK: Settings

    static let proxy = Statement(
        "devices.proxy", "SELECT proxy_url_enc FROM sb.devices WHERE tenant_id = $1 AND did = $2")

    static let setProxy = Statement(
        "devices.set_proxy",
        "UPDATE sb.devices SET proxy_url_enc = $3, updated_at = now() WHERE tenant_id = $1 AND did = $2")

    /// Ends a hold; why a device was logged out stays until it is linked again.
    static let setWish = Statement(
        "devices.set_wish",
        """
        UPDATE sb.devices SET desired = $3, updated_at = now(), held_until = NULL,
          held_reason = CASE WHEN status = 'logged_out' THEN held_reason END,
          end_code = CASE WHEN status = 'logged_out' THEN end_code END,
          end_text = CASE WHEN status = 'logged_out' THEN end_text END
        WHERE tenant_id = $1 AND did = $2
        """)

    static let setPassive = Statement(
        "devices.set_passive",
        "UPDATE sb.devices SET passive = $3, updated_at = now() WHERE tenant_id = $1 AND did = $2")

    static let setForceActiveReceipts = Statement(
        "devices.set_force_active_receipts",
        "UPDATE sb.devices SET force_active_receipts = $3, updated_at = now() WHERE tenant_id = $1 AND did = $2")

    static let setPush = Statement(
        "devices.set_push",
        """
        UPDATE sb.devices SET push_platform = $3, push_token_enc = $4, push_registered_at = now(), updated_at = now()
        WHERE tenant_id = $1 AND did = $2
        """)
    static let clearPush = Statement(
        "devices.clear_push",
        """
        UPDATE sb.devices SET push_platform = NULL, push_token_enc = NULL, push_registered_at = NULL, updated_at = now()
        WHERE tenant_id = $1 AND did = $2
        """)

    // MARK: Deletion

    static let lock = Statement(
        "devices.lock", "SELECT did, tenant_id FROM sb.devices WHERE device_id = $1 FOR UPDATE")

    static let tombstone = Statement(
        "devices.tombstone",
        """
        INSERT INTO sb.device_tombstones (device_id, did, tenant_id) VALUES ($1, $2, $3)
        ON CONFLICT (device_id) DO NOTHING
        """)

    /// The outbox has no foreign keys, so that its partitions drop cheaply: its rows go by name.
    static let deleteAttempts = Statement(
        "devices.delete_attempts",
        """
        DELETE FROM sb.webhook_attempts a USING sb.webhook_deliveries d
        WHERE d.did = $1 AND a.delivery_id = d.id AND a.day = d.day
        """)
    static let deleteDeliveries = Statement(
        "devices.delete_deliveries", "DELETE FROM sb.webhook_deliveries WHERE did = $1")
    static let deleteEvents = Statement("devices.delete_events", "DELETE FROM sb.webhook_events WHERE did = $1")
    static let deleteDedupe = Statement("devices.delete_dedupe", "DELETE FROM sb.webhook_dedupe WHERE did = $1")
    static let deleteHourly = Statement(
        "devices.delete_hourly",
        "DELETE FROM sb.webhook_hourly h USING sb.webhooks w WHERE w.did = $1 AND h.webhook_id = w.id")
    static let deleteWebhooks = Statement("devices.delete_webhooks", "DELETE FROM sb.webhooks WHERE did = $1")
    static let delete = Statement("devices.delete", "DELETE FROM sb.devices WHERE did = $1 AND tenant_id = $2")
    static let announceLease = Statement(
        "leases.announce", "SELECT pg_notify('sb_lease', json_build_object('did', $1::bigint)::text)")
}

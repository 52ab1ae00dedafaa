import Database

/// Tenants, their keys and the feed of authentication changes (14-storage, section 3.2).
enum TenantStatements {
    private static let columns = """
        t.id, t.customer_name, t.customer_email, t.customer_phone, t.max_devices, t.rate_limit_per_hour, t.is_active,
        t.settings, t.created_at, t.updated_at, coalesce(k.key_prefix, '') AS key_prefix,
        coalesce(k.key_suffix, '') AS key_suffix, d.device_count
        """
    private static let joins = """
        LEFT JOIN LATERAL (
          SELECT key_prefix, key_suffix FROM sb.api_keys
          WHERE tenant_id = t.id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
          ORDER BY id DESC LIMIT 1) k ON true
        CROSS JOIN LATERAL (SELECT count(*) AS device_count FROM sb.devices WHERE tenant_id = t.id) d
        """

    static let insert = Statement(
        "tenants.insert",
        """
        INSERT INTO sb.tenants (customer_name, customer_email, customer_phone, max_devices, rate_limit_per_hour)
        VALUES ($1, $2, $3, $4, $5) RETURNING id
        """)

    static let byID = Statement("tenants.by_id", "SELECT \(columns) FROM sb.tenants t \(joins) WHERE t.id = $1")

    static let list = Statement(
        "tenants.list",
        """
        SELECT \(columns) FROM sb.tenants t \(joins)
        WHERE ($1::text IS NULL OR strpos(lower(concat_ws(
            ' ', t.customer_name, t.customer_email, t.id, k.key_prefix || '...' || k.key_suffix)), lower($1)) > 0)
          AND ($3::timestamptz IS NULL OR (t.created_at, t.id) < ($3, $4::bigint))
        ORDER BY t.created_at DESC, t.id DESC LIMIT $2
        """)

    /// NULL leaves a column as it is. Tells whether the tenant was switched on or off.
    static let update = Statement(
        "tenants.update",
        """
        WITH old AS (SELECT id, is_active FROM sb.tenants WHERE id = $1 FOR NO KEY UPDATE)
        UPDATE sb.tenants t SET customer_name = coalesce($2, customer_name), customer_email = coalesce($3, customer_email),
          customer_phone = coalesce($4, customer_phone), max_devices = coalesce($5, max_devices),
          rate_limit_per_hour = coalesce($6, rate_limit_per_hour), is_active = coalesce($7, t.is_active), updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.is_active
        """)

    static let lock = Statement(
        "tenants.lock", "SELECT max_devices, is_active FROM sb.tenants WHERE id = $1 FOR NO KEY UPDATE")

    static let delete = Statement("tenants.delete", "DELETE FROM sb.tenants WHERE id = $1")

    // MARK: Keys

    static let insertKey = Statement(
        "api_keys.insert",
        "INSERT INTO sb.api_keys (tenant_id, key_hash, key_prefix, key_suffix) VALUES ($1, $2, $3, $4)")

    /// Ends the tenant's other keys after `$3` seconds of grace.
    static let retireKeys = Statement(
        "api_keys.retire",
        """
        UPDATE sb.api_keys SET expires_at = least(coalesce(expires_at, 'infinity'), now() + make_interval(secs => $3))
        WHERE tenant_id = $1 AND key_hash <> $2 AND revoked_at IS NULL
        """)

    private static let keyColumns = """
        SELECT k.key_hash, k.tenant_id, t.is_active, t.max_devices, t.rate_limit_per_hour, k.expires_at
        FROM sb.api_keys k JOIN sb.tenants t ON t.id = k.tenant_id
        WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
        """
    static let keyByHash = Statement("api_keys.by_hash", "\(keyColumns) AND k.key_hash = $1")
    static let validKeys = Statement("api_keys.valid", keyColumns)

    // MARK: Statistics

    static let statistics = Statement(
        "system.statistics",
        """
        SELECT t.tenants, t.active_tenants, d.*, w.webhooks, w.active_webhooks, l.leases FROM
          (SELECT count(*) AS tenants, count(*) FILTER (WHERE is_active) AS active_tenants FROM sb.tenants) t,
          (SELECT count(*) AS devices, count(*) FILTER (WHERE status = 'active') AS active_devices,
            count(*) FILTER (WHERE status = 'disconnected') AS disconnected_devices,
            count(*) FILTER (WHERE status = 'pending') AS pending_devices,
            count(*) FILTER (WHERE status = 'logged_out') AS logged_out_devices FROM sb.devices) d,
          (SELECT count(*) AS webhooks, count(*) FILTER (WHERE active) AS active_webhooks FROM sb.webhooks) w,
          (SELECT count(*) AS leases FROM sb.device_leases WHERE expires_at > now()) l
        """)
}

/// The replayable feed behind `NOTIFY sb_auth` (14-storage, section 7.5).
enum AuthFeedStatements {
    /// Records a change and announces it; both take effect with the transaction.
    static let record = Statement(
        "auth.record",
        """
        WITH change AS (
          INSERT INTO sb.auth_changes (kind, tenant_id, device_id, token_version, is_active)
          VALUES ($1, $2, $3, $4, $5) RETURNING id)
        SELECT pg_notify('sb_auth', json_build_object('id', id)::text) FROM change
        """)

    static let lastID = Statement("auth.last_id", "SELECT coalesce(max(id), 0) FROM sb.auth_changes")

    static let devices = Statement(
        "auth.devices", "SELECT device_id, did, tenant_id, token_version FROM sb.devices")

    private static let tenantColumns = """
        t.id, t.is_active, t.max_devices, t.rate_limit_per_hour, k.key_hashes, k.key_expiries
        """
    private static let keys = """
        SELECT coalesce(array_agg(key_hash ORDER BY id), '{}') AS key_hashes,
          coalesce(array_agg(expires_at ORDER BY id), '{}') AS key_expiries
        FROM sb.api_keys WHERE tenant_id = t.id AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        """

    static let tenants = Statement(
        "auth.tenants", "SELECT \(tenantColumns) FROM sb.tenants t CROSS JOIN LATERAL (\(keys)) k")

    /// The devices that entries above `$1` are about, as they are now; NULLs for one that is gone.
    static let changedDevices = Statement(
        "auth.changed_devices",
        """
        SELECT c.device_id, d.did, d.tenant_id, d.token_version FROM
          (SELECT DISTINCT device_id FROM sb.auth_changes WHERE id > $1 AND device_id IS NOT NULL) c
          LEFT JOIN sb.devices d USING (device_id)
        """)

    /// The tenants that entries above `$1` are about, as they are now; NULLs for one that is gone.
    static let changedTenants = Statement(
        "auth.changed_tenants",
        """
        SELECT c.tenant_id AS changed, \(tenantColumns) FROM
          (SELECT DISTINCT tenant_id FROM sb.auth_changes WHERE id > $1) c
          LEFT JOIN sb.tenants t ON t.id = c.tenant_id LEFT JOIN LATERAL (\(keys)) k ON true
        """)
}

import Database

/// Nodes and the leases of devices (14-storage, section 7). Times are the database's alone.
enum LeaseStatements {
    static let registerNode = Statement(
        "nodes.register",
        """
        INSERT INTO sb.nodes (node_id, name, advertise_url, version, max_devices) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (node_id) DO UPDATE SET name = excluded.name, advertise_url = excluded.advertise_url,
          version = excluded.version, max_devices = excluded.max_devices, started_at = now(), heartbeat_at = now(),
          draining = false
        """)

    static let heartbeat = Statement(
        "nodes.heartbeat", "UPDATE sb.nodes SET heartbeat_at = now() WHERE node_id = $1")

    static let drain = Statement("nodes.drain", "UPDATE sb.nodes SET draining = true WHERE node_id = $1")

    static let removeNode = Statement("nodes.remove", "DELETE FROM sb.nodes WHERE node_id = $1")

    static let reapNodes = Statement(
        "nodes.reap",
        """
        DELETE FROM sb.nodes n WHERE n.heartbeat_at < now() - interval '1 hour'
          AND NOT EXISTS (SELECT 1 FROM sb.device_leases l WHERE l.node_id = n.node_id AND l.expires_at > now())
        """)

    /// Devices that should run, live nodes, and how many of those devices this node holds: one that only waits for its
    /// login, or was logged out, is no load.
    static let share = Statement(
        "leases.share",
        """
        SELECT (SELECT count(*) FROM sb.devices WHERE desired = 'run' AND jid IS NOT NULL),
          (SELECT count(*) FROM sb.nodes WHERE NOT draining AND heartbeat_at > now() - make_interval(secs => $2)),
          (SELECT count(*) FROM sb.device_leases l JOIN sb.devices d USING (did)
           WHERE l.node_id = $1 AND l.expires_at > now() AND d.desired = 'run' AND d.jid IS NOT NULL)
        """)

    /// Most recently active devices first. `takeover` says how they came from another node, and is null for those that did
    /// not.
    static let claim = Statement(
        "leases.claim",
        """
        WITH c AS (
          SELECT l.did, CASE WHEN l.node_id = $1 THEN NULL WHEN l.prefer_node IS NOT NULL THEN 'handed_over'
            WHEN l.expires_at > '-infinity' THEN 'expired' WHEN l.node_id IS NOT NULL THEN 'released' END AS takeover
          FROM sb.device_leases l JOIN sb.devices d USING (did)
          WHERE l.expires_at < now() AND d.desired = 'run' AND d.jid IS NOT NULL
            AND (l.prefer_node IS NULL OR l.prefer_node = $1 OR l.expires_at < now() - interval '10 seconds')
          ORDER BY d.last_active_at DESC NULLS LAST, l.did LIMIT $2
          FOR UPDATE OF l SKIP LOCKED)
        UPDATE sb.device_leases l SET node_id = $1, epoch = l.epoch + 1, expires_at = now() + make_interval(secs => $3),
          acquired_at = now(), live_state = 'loading', prefer_node = NULL
        FROM c, sb.devices d WHERE l.did = c.did AND d.did = c.did
        RETURNING l.did, l.epoch, d.device_id, d.tenant_id, c.takeover
        """)

    /// One device on demand, paired or not, whatever it wishes. Not while a commit of the owner before is open, whose fence
    /// holds the row: what it writes must be there when the new owner reads.
    static let claimOne = Statement(
        "leases.claim_one",
        """
        WITH c AS (
          SELECT l.did, CASE WHEN l.node_id = $1 THEN NULL WHEN l.prefer_node IS NOT NULL THEN 'handed_over'
            WHEN l.expires_at > '-infinity' THEN 'expired' WHEN l.node_id IS NOT NULL THEN 'released' END AS takeover
          FROM sb.device_leases l WHERE l.did = $2 AND (l.expires_at < now() OR l.node_id = $1)
          FOR UPDATE SKIP LOCKED)
        UPDATE sb.device_leases l SET node_id = $1, epoch = l.epoch + 1, expires_at = now() + make_interval(secs => $3),
          acquired_at = now(), live_state = 'loading', prefer_node = NULL
        FROM c, sb.devices d WHERE l.did = c.did AND d.did = c.did
        RETURNING l.did, l.epoch, d.device_id, d.tenant_id, c.takeover
        """)

    /// That a lease is the node's, in words that no index answers. Times of leases are always newer than what PostgreSQL's
    /// statistics know, so it takes those after now for hardly any, and would read all of a node's for each device that it
    /// looks for: 3 ms a commit and 3 s a renewal with 2,600. By the device's key it is one row each.
    static func isHeld(_ node: String) -> String {
        "(l.node_id = \(node)) IS TRUE AND (l.expires_at > now()) IS TRUE"
    }

    /// Locks in the order of devices, as `CommitStatements.updateLiveStates` does: of two statements over many rows none
    /// waits for the other while that waits for it.
    static let renew = Statement(
        "leases.renew",
        """
        WITH own AS (
          SELECT l.did FROM unnest($3::bigint[], $4::bigint[]) AS held (did, epoch)
          JOIN sb.device_leases l ON l.did = held.did AND l.epoch = held.epoch
          WHERE \(isHeld("$1")) ORDER BY l.did FOR NO KEY UPDATE OF l)
        UPDATE sb.device_leases l SET expires_at = now() + make_interval(secs => $2)
        FROM own WHERE l.did = own.did RETURNING l.did
        """)

    /// Leases of these epochs only: the same node may have claimed the device anew.
    static let release = Statement(
        "leases.release",
        """
        UPDATE sb.device_leases l SET expires_at = '-infinity', live_state = 'none'
        FROM unnest($2::bigint[], $3::bigint[]) AS held (did, epoch)
        WHERE (l.node_id = $1) IS TRUE AND l.did = held.did AND l.epoch = held.epoch
        """)

    /// Which of the devices were deleted.
    static let deleted = Statement("leases.deleted", "SELECT did FROM sb.device_tombstones WHERE did = ANY($1)")

    /// What a former life of this node held, so that a restart need not wait for it to run out.
    static let releaseAll = Statement(
        "leases.release_all",
        "UPDATE sb.device_leases SET expires_at = '-infinity', live_state = 'none' WHERE node_id = $1")

    static let notify = Statement("leases.notify", "SELECT pg_notify('sb_lease', $1)")

    static let owner = Statement(
        "leases.owner",
        """
        SELECT l.node_id, n.advertise_url,
          CASE WHEN l.expires_at > now() THEN extract(epoch FROM l.expires_at - now()) ELSE 0 END::float8 AS expires_in
        FROM sb.devices d JOIN sb.device_leases l USING (did)
          LEFT JOIN sb.nodes n ON n.node_id = l.node_id AND l.expires_at > now()
        WHERE d.did = $1
        """)

    /// Lets devices run whose ban is over, or that were refused for an older version than `$2`: those that nobody holds, or
    /// this node.
    static let liftHolds = Statement(
        "leases.lift_holds",
        """
        UPDATE sb.devices d SET desired = 'run', held_reason = NULL, held_until = NULL, end_code = NULL, end_text = NULL,
          updated_at = now()
        FROM sb.device_leases l
        WHERE d.desired = 'held' AND l.did = d.did AND (l.expires_at < now() OR l.node_id = $1)
          AND (d.held_until <= now() OR CASE WHEN d.held_reason = 'client_outdated'
            THEN string_to_array(coalesce(d.end_text, '0'), '.')::bigint[] < $2::bigint[] ELSE false END)
        RETURNING d.did
        """)

    static let outdated = Statement(
        "leases.outdated",
        "SELECT 1 FROM sb.devices WHERE desired = 'held' AND held_reason = 'client_outdated' LIMIT 1")

    static let waiting = Statement(
        "leases.waiting",
        """
        SELECT count(*) FROM sb.device_leases l JOIN sb.devices d USING (did)
        WHERE l.expires_at < now() AND d.desired = 'run' AND d.jid IS NOT NULL
        """)

    static let runOut = Statement(
        "leases.run_out",
        """
        SELECT 1 FROM sb.device_leases WHERE expires_at < now() AND expires_at > now() - interval '1 minute' LIMIT 1
        """)

    /// Expires now and not long ago, as a release does: for ten seconds only the preferred node may claim.
    static let handOver = Statement(
        "leases.hand_over",
        """
        UPDATE sb.device_leases l SET expires_at = now(), live_state = 'none', prefer_node = (
          SELECT n.node_id FROM sb.nodes n
          WHERE NOT n.draining AND n.heartbeat_at > now() - interval '15 seconds' AND n.node_id <> $1
          ORDER BY (SELECT count(*) FROM sb.device_leases h WHERE h.node_id = n.node_id AND h.expires_at > now())
          LIMIT 1)
        FROM unnest($2::bigint[], $3::bigint[]) AS held (did, epoch)
        WHERE (l.node_id = $1) IS TRUE AND l.did = held.did AND l.epoch = held.epoch
        """)
}

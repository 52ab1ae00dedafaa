import Database

/// What batches write of users and groups (14-storage, sections 3.3 and 3.4).
enum UserCommitStatements {
    /// Frees the pairs that new ones replace: by LID, and by number when it moves to another LID.
    static let displaceLIDs = Statement(
        "commit.displace_lids",
        """
        WITH u AS (SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(did, lid, pn)),
        displaced AS (
          SELECT u.did, u.lid FROM u WHERE u.pn IS NULL
          UNION SELECT m.did, m.lid FROM u JOIN sb.lid_map m ON m.did = u.did AND m.pn = u.pn WHERE m.lid <> u.lid)
        DELETE FROM sb.lid_map m USING displaced d WHERE m.did = d.did AND m.lid = d.lid
        """)

    static let upsertLIDs = Statement(
        "commit.upsert_lids",
        """
        INSERT INTO sb.lid_map AS m (did, lid, pn) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
        ON CONFLICT (did, lid) DO UPDATE SET pn = excluded.pn, learned_at = now() WHERE m.pn <> excluded.pn
        """)

    /// Device lists come as array texts: an array of arrays cannot be unnested row by row.
    static let upsertUserDevices = Statement(
        "commit.upsert_user_devices",
        """
        INSERT INTO sb.user_devices (did, user_id, devices, hosted, hash, raw_id, key_index, ts, fetched_at)
        SELECT u.did, u.user_id, u.devices::int[], u.hosted::int[], u.hash, u.raw_id, u.key_index, u.ts, u.fetched_at
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::int[], $8::bigint[],
          $9::timestamptz[]) AS u(did, user_id, devices, hosted, hash, raw_id, key_index, ts, fetched_at)
        ON CONFLICT (did, user_id) DO UPDATE SET devices = excluded.devices, hosted = excluded.hosted,
          hash = excluded.hash, raw_id = excluded.raw_id, key_index = excluded.key_index, ts = excluded.ts,
          fetched_at = excluded.fetched_at
        """)

    static let deleteUserDevices = Statement(
        "commit.delete_user_devices",
        """
        DELETE FROM sb.user_devices d USING unnest($1::bigint[], $2::text[]) AS u(did, user_id)
        WHERE d.did = u.did AND d.user_id = u.user_id
        """)

    static let upsertPrivacyTokens = Statement(
        "commit.upsert_privacy_tokens",
        """
        INSERT INTO sb.privacy_tokens AS p (did, user_id, token, ts, sender_ts)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[])
        ON CONFLICT (did, user_id) DO UPDATE SET
          token = CASE WHEN excluded.ts >= p.ts THEN excluded.token ELSE p.token END, ts = greatest(p.ts, excluded.ts),
          sender_ts = coalesce(excluded.sender_ts, p.sender_ts)
        """)

    static let upsertContacts = Statement(
        "commit.upsert_contacts",
        """
        INSERT INTO sb.contacts AS c (did, tenant_id, jid, push_name, business_name)
        SELECT u.did, u.tenant_id, u.jid, coalesce(u.push_name, ''), coalesce(u.business_name, '')
        FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
          AS u(did, tenant_id, jid, push_name, business_name)
        ON CONFLICT (did, jid) DO UPDATE SET
          push_name = CASE WHEN excluded.push_name = '' THEN c.push_name ELSE excluded.push_name END,
          business_name = CASE WHEN excluded.business_name = '' THEN c.business_name ELSE excluded.business_name END,
          updated_at = now()
        """)

    static let upsertGroups = Statement(
        "commit.upsert_groups",
        """
        INSERT INTO sb.group_cache (did, group_jid, info, fetched_at)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::jsonb[], $4::timestamptz[])
        ON CONFLICT (did, group_jid) DO UPDATE SET info = excluded.info, fetched_at = excluded.fetched_at
        """)

    static let deleteGroups = Statement(
        "commit.delete_groups",
        """
        DELETE FROM sb.group_cache g USING unnest($1::bigint[], $2::text[]) AS u(did, group_jid)
        WHERE g.did = u.did AND g.group_jid = u.group_jid
        """)
}

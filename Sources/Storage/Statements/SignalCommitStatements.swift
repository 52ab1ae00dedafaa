import Database

/// What batches write of Signal state (14-storage, section 3.3). An image applies only where the stored `rev` is lower.
enum SignalCommitStatements {
    // MARK: Credentials

    static let storeCredentials = Statement(
        "commit.store_credentials",
        """
        INSERT INTO sb.wa_credentials (did, registration_id, noise_key_enc, identity_key_enc, identity_pub, signed_prekey_id,
          signed_prekey_enc, signed_prekey_sig, signed_prekey_at, prev_signed_prekey_id, prev_signed_prekey_enc,
          prev_signed_prekey_sig, prev_signed_prekey_at, adv_secret_enc, adv_details, adv_account_sig, adv_account_sig_key,
          adv_device_sig, jid, lid, next_prekey_id, lid_migration_ts, nct_salt, server_static, routing_info, paired_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
          $24, $25, $26)
        ON CONFLICT (did) DO UPDATE SET registration_id = excluded.registration_id,
          noise_key_enc = excluded.noise_key_enc, identity_key_enc = excluded.identity_key_enc,
          identity_pub = excluded.identity_pub, signed_prekey_id = excluded.signed_prekey_id,
          signed_prekey_enc = excluded.signed_prekey_enc, signed_prekey_sig = excluded.signed_prekey_sig,
          signed_prekey_at = excluded.signed_prekey_at, prev_signed_prekey_id = excluded.prev_signed_prekey_id,
          prev_signed_prekey_enc = excluded.prev_signed_prekey_enc,
          prev_signed_prekey_sig = excluded.prev_signed_prekey_sig, prev_signed_prekey_at = excluded.prev_signed_prekey_at,
          adv_secret_enc = excluded.adv_secret_enc, adv_details = excluded.adv_details,
          adv_account_sig = excluded.adv_account_sig, adv_account_sig_key = excluded.adv_account_sig_key,
          adv_device_sig = excluded.adv_device_sig, jid = excluded.jid, lid = excluded.lid,
          next_prekey_id = excluded.next_prekey_id, lid_migration_ts = excluded.lid_migration_ts,
          nct_salt = excluded.nct_salt, server_static = excluded.server_static, routing_info = excluded.routing_info,
          paired_at = excluded.paired_at
        """)

    static let raiseNextPreKeyID = Statement(
        "commit.next_prekey_id",
        """
        UPDATE sb.wa_credentials c SET next_prekey_id = u.next FROM unnest($1::bigint[], $2::int[]) AS u(did, next)
        WHERE c.did = u.did
        """)

    /// Logged out: credentials and all that Signal and the session kept (02-pairing-login, section 18.3). Of own sends the
    /// reason of their failure stays, without what they said.
    static let erase: [Statement] =
        [
            Statement(
                "commit.erase_fail_messages",
                """
                UPDATE sb.messages m SET status = 9 FROM sb.retry_buffer r
                WHERE r.did = $1 AND r.send_by IS NOT NULL AND m.did = r.did AND m.message_id = r.message_id
                  AND m.chat = r.chat AND m.from_me AND m.status = 0
                """),
            Statement(
                "commit.erase_fail_keys",
                """
                UPDATE sb.idempotency_keys i SET failure = 'loggedOut' FROM sb.retry_buffer r
                WHERE r.did = $1 AND r.send_by IS NOT NULL AND i.did = r.did AND i.message_id = r.message_id
                  AND i.chat = r.chat AND i.state = 'running'
                """),
            Statement(
                "commit.erase_fail_sends",
                """
                UPDATE sb.retry_buffer SET send_by = NULL, failure = 'loggedOut', failure_code = NULL
                WHERE did = $1 AND send_by IS NOT NULL
                """),
            Statement("commit.erase_sends", "DELETE FROM sb.retry_buffer WHERE did = $1 AND failure IS NULL"),
            Statement("commit.erase_plaintexts", "UPDATE sb.retry_buffer SET plaintext = '' WHERE did = $1"),
        ] + erasedTables.map { Statement("commit.erase_\($0)", "DELETE FROM sb.\($0) WHERE did = $1") }

    private static let erasedTables = [
        "wa_credentials", "signal_identities", "signal_sessions", "signal_session_archive", "signal_sender_keys",
        "signal_sender_key_shared", "signal_prekeys", "app_state_keys", "app_state_versions", "lid_map", "user_devices",
        "privacy_tokens", "message_secrets", "inbound_buffer", "group_cache", "device_jobs",
    ]

    /// What belongs to a number, removed when `$2` is another number than the device had.
    static let eraseOtherNumber: [Statement] = [
        "messages", "message_receipts", "message_reactions", "polls", "chats", "contacts", "message_secrets",
        "retry_buffer", "group_cache", "user_devices",
    ].map { table in
        Statement(
            "commit.renumber_\(table)",
            """
            DELETE FROM sb.\(table) x USING sb.devices d WHERE x.did = $1 AND d.did = $1 AND d.jid IS NOT NULL
              AND split_part(split_part(d.jid, '@', 1), ':', 1) <> split_part(split_part($2, '@', 1), ':', 1)
            """)
    }

    // MARK: Sessions

    static let wipeArchives = Statement(
        "commit.wipe_archives",
        """
        DELETE FROM sb.signal_session_archive a
        USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS u(did, address, rev)
        WHERE a.did = u.did AND a.address = u.address AND a.rev < u.rev
        """)

    static let deleteSessions = Statement(
        "commit.delete_sessions",
        """
        DELETE FROM sb.signal_sessions s USING unnest($1::bigint[], $2::text[], $3::bigint[]) AS u(did, address, rev)
        WHERE s.did = u.did AND s.address = u.address AND s.rev < u.rev
        """)

    static let upsertSessions = Statement(
        "commit.upsert_sessions",
        """
        INSERT INTO sb.signal_sessions AS s (did, address, rev, record)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[])
        ON CONFLICT (did, address) DO UPDATE SET record = excluded.record, rev = excluded.rev, updated_at = now()
        WHERE s.rev < excluded.rev
        """)

    /// `$6` counts up with age within one image, so that the order survives.
    static let upsertArchives = Statement(
        "commit.upsert_archives",
        """
        INSERT INTO sb.signal_session_archive AS a (did, address, base_key, rev, record, archived_at)
        SELECT u.did, u.address, u.base_key, u.rev, u.record, now() - u.age * interval '1 microsecond'
        FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[], $5::bytea[], $6::int[])
          AS u(did, address, base_key, rev, record, age)
        ON CONFLICT (did, address, base_key) DO UPDATE SET record = excluded.record, rev = excluded.rev,
          archived_at = excluded.archived_at WHERE a.rev < excluded.rev
        """)

    static let dropArchives = Statement(
        "commit.drop_archives",
        """
        DELETE FROM sb.signal_session_archive a
        USING unnest($1::bigint[], $2::text[], $3::bytea[], $4::bigint[]) AS u(did, address, base_key, rev)
        WHERE a.did = u.did AND a.address = u.address AND a.base_key = u.base_key AND a.rev < u.rev
        """)

    // MARK: Sender keys

    static let upsertSenderKeys = Statement(
        "commit.upsert_sender_keys",
        """
        INSERT INTO sb.signal_sender_keys AS k (did, group_id, sender, rev, record)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bytea[])
        ON CONFLICT (did, group_id, sender) DO UPDATE SET record = excluded.record, rev = excluded.rev, updated_at = now()
        WHERE k.rev < excluded.rev
        """)

    static let deleteSenderKeys = Statement(
        "commit.delete_sender_keys",
        """
        DELETE FROM sb.signal_sender_keys k
        USING unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS u(did, group_id, sender, rev)
        WHERE k.did = u.did AND k.group_id = u.group_id AND k.sender = u.sender AND k.rev < u.rev
        """)

    /// NULL in `$2` or `$3` stands for every group, every address.
    static let removeMarks = Statement(
        "commit.remove_sender_key_marks",
        """
        DELETE FROM sb.signal_sender_key_shared m
        USING unnest($1::bigint[], $2::text[], $3::text[]) AS u(did, group_id, address)
        WHERE m.did = u.did AND (u.group_id IS NULL OR m.group_id = u.group_id)
          AND (u.address IS NULL OR m.address = u.address)
        """)

    static let upsertMarks = Statement(
        "commit.upsert_sender_key_marks",
        """
        INSERT INTO sb.signal_sender_key_shared (did, group_id, address, key_id)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[])
        ON CONFLICT (did, group_id, address) DO UPDATE SET key_id = excluded.key_id
        """)

    // MARK: Identities, prekeys, app-state keys

    static let upsertIdentities = Statement(
        "commit.upsert_identities",
        """
        INSERT INTO sb.signal_identities AS i (did, address, identity)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
        ON CONFLICT (did, address) DO UPDATE SET identity = excluded.identity, changed_at = now()
        WHERE i.identity <> excluded.identity
        """)

    static let deleteIdentities = Statement(
        "commit.delete_identities",
        """
        DELETE FROM sb.signal_identities i USING unnest($1::bigint[], $2::text[]) AS u(did, address)
        WHERE i.did = u.did AND i.address = u.address
        """)

    static let insertPreKeys = Statement(
        "commit.insert_prekeys",
        """
        INSERT INTO sb.signal_prekeys (did, key_id, key_enc, uploaded)
        SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[], $4::boolean[])
        ON CONFLICT (did, key_id) DO UPDATE SET key_enc = excluded.key_enc, uploaded = excluded.uploaded, created_at = now()
        """)

    /// By their ids, not by the index of those that are not uploaded: PostgreSQL takes these for few.
    static let markPreKeysUploaded = Statement(
        "commit.mark_prekeys_uploaded",
        """
        UPDATE sb.signal_prekeys k SET uploaded = true FROM unnest($1::bigint[], $2::int[]) AS u(did, key_id)
        WHERE k.did = u.did AND k.key_id = u.key_id AND k.uploaded IS NOT TRUE
        """)

    static let deletePreKeys = Statement(
        "commit.delete_prekeys",
        """
        DELETE FROM sb.signal_prekeys k USING unnest($1::bigint[], $2::int[]) AS u(did, key_id)
        WHERE k.did = u.did AND k.key_id = u.key_id
        """)

    static let upsertAppStateKeys = Statement(
        "commit.upsert_app_state_keys",
        """
        INSERT INTO sb.app_state_keys AS k (did, key_id, key_data, fingerprint, key_ts)
        SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bigint[])
        ON CONFLICT (did, key_id) DO UPDATE SET key_data = excluded.key_data, fingerprint = excluded.fingerprint,
          key_ts = excluded.key_ts WHERE k.key_ts <= excluded.key_ts
        """)
}

import Database

/// What sessions read (14-storage, sections 3.3 and 3.4). Every statement names its device.
enum LoadStatements {
    // MARK: Credentials and Signal state

    static let credentials = Statement(
        "load.credentials",
        """
        SELECT registration_id, noise_key_enc, identity_key_enc, identity_pub, signed_prekey_id, signed_prekey_enc,
          signed_prekey_sig, signed_prekey_at, prev_signed_prekey_id, prev_signed_prekey_enc, prev_signed_prekey_sig,
          prev_signed_prekey_at, adv_secret_enc, adv_details, adv_account_sig, adv_account_sig_key, adv_device_sig, jid,
          lid, next_prekey_id, lid_migration_ts, nct_salt, server_static, routing_info, paired_at
        FROM sb.wa_credentials WHERE did = $1
        """)

    static let sessions = Statement(
        "load.sessions",
        "SELECT address, rev, record, updated_at FROM sb.signal_sessions WHERE did = $1 AND address = ANY ($2)")

    static let archives = Statement(
        "load.archives",
        """
        SELECT address, base_key, record, archived_at FROM sb.signal_session_archive WHERE did = $1 AND address = ANY ($2)
        ORDER BY archived_at DESC, rev DESC
        """)

    /// `$2` and `$3` enclose all addresses of a user: `user:` and the next text after every `user:…`.
    static let addresses = Statement(
        "load.addresses",
        """
        SELECT address FROM sb.signal_sessions WHERE did = $1 AND address >= $2 AND address < $3
        UNION SELECT address FROM sb.signal_identities WHERE did = $1 AND address >= $2 AND address < $3 ORDER BY address
        """)

    static let usersWithSessions = Statement(
        "load.users_with_sessions",
        """
        SELECT u.name FROM unnest($2::text[]) AS u(name) WHERE EXISTS (SELECT 1 FROM sb.signal_sessions s
          WHERE s.did = $1 AND s.address >= u.name || ':' AND s.address < u.name || ';')
        """)

    static let identities = Statement(
        "load.identities", "SELECT address, identity FROM sb.signal_identities WHERE did = $1 AND address = ANY ($2)")

    static let senderKey = Statement(
        "load.sender_key",
        "SELECT rev, record, updated_at FROM sb.signal_sender_keys WHERE did = $1 AND group_id = $2 AND sender = $3")

    static let senderKeys = Statement(
        "load.sender_keys",
        "SELECT group_id, rev, record, updated_at FROM sb.signal_sender_keys WHERE did = $1 AND sender = $2")

    static let senderKeyMarks = Statement(
        "load.sender_key_marks",
        "SELECT address, key_id FROM sb.signal_sender_key_shared WHERE did = $1 AND group_id = $2")

    static let groupsSharing = Statement(
        "load.groups_sharing",
        "SELECT DISTINCT group_id FROM sb.signal_sender_key_shared WHERE did = $1 AND address = ANY($2)")

    static let preKey = Statement(
        "load.prekey", "SELECT key_enc FROM sb.signal_prekeys WHERE did = $1 AND key_id = $2")

    static let preKeys = Statement(
        "load.prekeys", "SELECT key_id, key_enc FROM sb.signal_prekeys WHERE did = $1 AND key_id = ANY($2)")

    static let preKeysToUpload = Statement(
        "load.prekeys_to_upload",
        """
        SELECT k.key_id, k.key_enc FROM sb.signal_prekeys k WHERE k.did = $1 AND NOT k.uploaded AND NOT EXISTS (
          SELECT 1 FROM sb.signal_quarantine q WHERE q.did = k.did AND q.kind = 'prekey' AND q.name = k.key_id::text)
        ORDER BY k.key_id LIMIT $2
        """)

    static let uploadedPreKeyCount = Statement(
        "load.uploaded_prekey_count", "SELECT count(*) FROM sb.signal_prekeys WHERE did = $1 AND uploaded")

    static let quarantine = Statement(
        "load.quarantine",
        """
        INSERT INTO sb.signal_quarantine (did, kind, name, record, reason) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (did, kind, name) DO UPDATE SET record = excluded.record, reason = excluded.reason, at = now()
        """)

    // MARK: Users and groups

    static let lids = Statement("load.lids", "SELECT pn, lid FROM sb.lid_map WHERE did = $1 AND pn = ANY ($2)")
    static let pns = Statement("load.pns", "SELECT lid, pn FROM sb.lid_map WHERE did = $1 AND lid = ANY ($2)")

    static let userDevices = Statement(
        "load.user_devices",
        """
        SELECT user_id, devices, hosted, hash, raw_id, key_index, ts, fetched_at FROM sb.user_devices
        WHERE did = $1 AND user_id = ANY ($2)
        """)

    static let privacyToken = Statement(
        "load.privacy_token", "SELECT token, ts, sender_ts FROM sb.privacy_tokens WHERE did = $1 AND user_id = $2")

    static let contact = Statement(
        "load.contact", "SELECT push_name, business_name FROM sb.contacts WHERE did = $1 AND jid = $2")

    static let group = Statement(
        "load.group", "SELECT info, fetched_at FROM sb.group_cache WHERE did = $1 AND group_jid = $2")

    // MARK: Messages

    static let isHandled = Statement(
        "load.is_handled", "SELECT 1 FROM sb.inbound_buffer WHERE did = $1 AND ciphertext_hash = $2")

    static let message = Statement(
        "load.message",
        """
        SELECT chat, message_id, from_me, ts, sender, sender_alt, push_name, server_id, type, body, content, media,
          quoted_id, status, origin
        FROM sb.messages WHERE did = $1 AND message_id = $3 AND chat = $2 ORDER BY ts LIMIT 1
        """)

    static let messageSecret = Statement(
        "load.message_secret",
        "SELECT secret FROM sb.message_secrets WHERE did = $1 AND chat = $2 AND sender = $3 AND message_id = $4")

    static let retry = Statement(
        "load.retry",
        """
        SELECT chat, message_id, format, plaintext, send_by, inserted_at, NULL::text AS idempotency_key
        FROM sb.retry_buffer WHERE did = $1 AND chat = ANY ($2) AND message_id = $3 AND plaintext <> ''
        ORDER BY array_position($2, chat) LIMIT 1
        """)

    static let unsettledSends = Statement(
        "load.unsettled_sends",
        """
        SELECT r.chat, r.message_id, r.format, r.plaintext, r.send_by, r.inserted_at, i.key AS idempotency_key
        FROM sb.retry_buffer r LEFT JOIN sb.idempotency_keys i
          ON i.did = r.did AND i.message_id = r.message_id AND i.chat = r.chat AND i.state = 'running'
        WHERE r.did = $1 AND r.send_by IS NOT NULL ORDER BY r.inserted_at LIMIT $2
        """)

    static let ephemeralSeconds = Statement(
        "load.ephemeral_seconds", "SELECT ephemeral_seconds FROM sb.chats WHERE did = $1 AND chat = $2")
}

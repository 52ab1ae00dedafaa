import Database

/// What batches write of messages and chats (14-storage, section 3.4).
///
/// A message is looked up by the index of its id. In `(m.chat = u.chat) IS TRUE` no index sees the chat: the one of its pages
/// would be read from end to end for an id, where statistics do not know of the chat's messages yet.
enum MessageCommitStatements {
    static let insertHandled = Statement(
        "commit.insert_handled",
        """
        INSERT INTO sb.inbound_buffer (did, ciphertext_hash, server_ts)
        SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) ON CONFLICT DO NOTHING
        """)

    /// Makes room for messages whose placeholder is stored.
    static let deletePlaceholders = Statement(
        "commit.delete_placeholders",
        """
        DELETE FROM sb.messages m
        USING unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[]) AS u(did, chat, message_id, from_me)
        WHERE m.did = u.did AND m.message_id = u.message_id AND (m.chat = u.chat) IS TRUE AND m.from_me = u.from_me
          AND m.type = 'undecryptable'
        """)

    /// An own message that failed and is sent again under its id is pending again, with what it says now.
    static let reviveMessages = Statement(
        "commit.revive_messages",
        """
        UPDATE sb.messages m SET status = 0, type = u.type, body = u.body, content = u.content, quoted_id = u.quoted_id,
          edited_at = NULL, deleted_at = NULL
        FROM (SELECT *, true AS from_me FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[],
          $6::bytea[], $7::text[]) AS u(did, chat, message_id, type, body, content, quoted_id) OFFSET 0) u
        WHERE m.did = u.did AND m.message_id = u.message_id AND (m.chat = u.chat) IS TRUE AND m.from_me = u.from_me
          AND m.status = 9
        """)

    /// A message that is stored already, under whatever time, stays as it is. Those of one batch are stored in its order,
    /// which `arrival` keeps.
    static let insertMessages = Statement(
        "commit.insert_messages",
        """
        INSERT INTO sb.messages (did, tenant_id, chat, message_id, from_me, ts, sender, sender_alt, push_name, server_id,
          type, body, content, media, quoted_id, status, origin)
        SELECT u.did, u.tenant_id, u.chat, u.message_id, u.from_me, u.ts, u.sender, u.sender_alt, u.push_name, u.server_id,
          u.type, u.body, u.content, u.media, u.quoted_id, u.status, u.origin
        FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::boolean[], $6::timestamptz[],
          $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[], $13::bytea[], $14::jsonb[],
          $15::text[], $16::smallint[], $17::smallint[]) WITH ORDINALITY
          AS u(did, tenant_id, chat, message_id, from_me, ts, sender, sender_alt, push_name, server_id, type, body, content,
            media, quoted_id, status, origin, place)
        WHERE NOT EXISTS (SELECT 1 FROM sb.messages m WHERE m.did = u.did AND m.message_id = u.message_id
          AND (m.chat = u.chat) IS TRUE AND m.from_me = u.from_me)
        ORDER BY u.place ON CONFLICT DO NOTHING
        """)

    /// A status only rises; `failed` (9) replaces `pending` (0) alone. Where an author is named, the stored sender must be
    /// that person, by either address. A row that stays as it is is not written: of a thousand members' receipts the first
    /// changes something.
    static let updateMessages = Statement(
        "commit.update_messages",
        """
        UPDATE sb.messages m SET
          status = \(raisedStatus),
          ts = coalesce(u.ts, m.ts), server_id = coalesce(u.server_id, m.server_id),
          body = CASE WHEN u.deleted_at IS NOT NULL THEN NULL WHEN u.edited_at IS NOT NULL THEN u.body ELSE m.body END,
          content = CASE WHEN u.deleted_at IS NOT NULL THEN NULL WHEN u.edited_at IS NOT NULL THEN u.content
            ELSE m.content END,
          media = CASE WHEN u.deleted_at IS NOT NULL THEN NULL ELSE m.media END,
          edited_at = coalesce(u.edited_at, m.edited_at), deleted_at = coalesce(u.deleted_at, m.deleted_at)
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::smallint[], $6::timestamptz[], $7::bigint[],
          $8::timestamptz[], $9::timestamptz[], $10::text[], $11::bytea[], $12::text[], $13::text[])
          AS u(did, chat, message_id, from_me, status, ts, server_id, deleted_at, edited_at, body, content, author,
            author_alt)
        WHERE m.did = u.did AND m.message_id = u.message_id AND (m.chat = u.chat) IS TRUE AND m.from_me = u.from_me
          AND (u.author IS NULL OR m.sender IN (u.author, u.author_alt) OR m.sender_alt IN (u.author, u.author_alt))
          AND (u.ts IS NOT NULL OR u.server_id IS NOT NULL OR u.deleted_at IS NOT NULL OR u.edited_at IS NOT NULL
            OR m.status <> \(raisedStatus))
        """)

    private static let raisedStatus = """
        CASE WHEN u.status IS NULL OR m.status = 9 OR (u.status = 9 AND m.status <> 0) THEN m.status
            ELSE greatest(m.status, u.status) END
        """

    static let upsertReceipts = Statement(
        "commit.upsert_receipts",
        """
        INSERT INTO sb.message_receipts AS r (did, chat, message_id, recipient, delivered_at, read_at, played_at)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
          $7::timestamptz[])
        ON CONFLICT (did, message_id, chat, recipient) DO UPDATE SET
          delivered_at = coalesce(r.delivered_at, excluded.delivered_at), read_at = coalesce(r.read_at, excluded.read_at),
          played_at = coalesce(r.played_at, excluded.played_at)
        """)

    static let insertSecrets = Statement(
        "commit.insert_message_secrets",
        """
        INSERT INTO sb.message_secrets (did, chat, sender, message_id, secret)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[]) ON CONFLICT DO NOTHING
        """)

    static let upsertRetries = Statement(
        "commit.upsert_retries",
        """
        INSERT INTO sb.retry_buffer (did, chat, message_id, format, plaintext, send_by, inserted_at)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::timestamptz[],
          $7::timestamptz[])
        ON CONFLICT (did, chat, message_id) DO UPDATE SET format = excluded.format, plaintext = excluded.plaintext,
          send_by = excluded.send_by, inserted_at = excluded.inserted_at, failure = NULL, failure_code = NULL
        """)

    static let settleSends = Statement(
        "commit.settle_sends",
        """
        UPDATE sb.retry_buffer r SET send_by = NULL
        FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(did, chat, message_id)
        WHERE r.did = u.did AND r.chat = u.chat AND r.message_id = u.message_id AND r.send_by IS NOT NULL
        """)

    static let noteFailures = Statement(
        "commit.note_failures",
        """
        UPDATE sb.retry_buffer r SET failure = u.failure, failure_code = u.code
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[]) AS u(did, chat, message_id, failure, code)
        WHERE r.did = u.did AND r.chat = u.chat AND r.message_id = u.message_id
        """)

    static let markChatsRead = Statement(
        "commit.mark_chats_read",
        """
        UPDATE sb.chats c SET unread_count = 0, marked_unread = false
        FROM unnest($1::bigint[], $2::text[]) AS u(did, chat) WHERE c.did = u.did AND c.chat = u.chat
        """)

    static let upsertChats = Statement(
        "commit.upsert_chats",
        """
        INSERT INTO sb.chats AS c (did, tenant_id, chat, kind, name, last_message_id, last_message_at, unread_count,
          ephemeral_seconds, ephemeral_set_at)
        SELECT u.did, u.tenant_id, u.chat, u.kind, coalesce(u.name, ''), u.last_id, u.last_at, u.unread,
          coalesce(u.ephemeral, 0), u.ephemeral_at
        FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
          $8::int[], $9::int[], $10::timestamptz[])
          AS u(did, tenant_id, chat, kind, name, last_id, last_at, unread, ephemeral, ephemeral_at)
        ON CONFLICT (did, chat) DO UPDATE SET
          name = CASE WHEN excluded.name = '' THEN c.name ELSE excluded.name END,
          last_message_id = CASE WHEN excluded.last_message_at >= coalesce(c.last_message_at, '-infinity')
            THEN excluded.last_message_id ELSE c.last_message_id END,
          last_message_at = greatest(c.last_message_at, excluded.last_message_at),
          unread_count = c.unread_count + excluded.unread_count,
          ephemeral_seconds = CASE WHEN excluded.ephemeral_set_at IS NULL THEN c.ephemeral_seconds
            ELSE excluded.ephemeral_seconds END,
          ephemeral_set_at = coalesce(excluded.ephemeral_set_at, c.ephemeral_set_at), updated_at = now()
        """)

    static let beginIdempotency = Statement(
        "commit.begin_idempotency",
        """
        INSERT INTO sb.idempotency_keys AS i (did, key, request_hash, state, chat, message_id)
        SELECT u.did, u.key, u.hash, 'running', u.chat, u.message_id
        FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[], $5::text[]) AS u(did, key, hash, chat, message_id)
        ON CONFLICT (did, key) DO UPDATE SET request_hash = excluded.request_hash, state = 'running', status = NULL,
          body = NULL, chat = excluded.chat, message_id = excluded.message_id, sent_at = NULL, server_id = NULL,
          failure = NULL, failure_code = NULL, created_at = now()
        WHERE i.created_at <= now() - interval '24 hours'
        """)

    static let abandonIdempotency = Statement(
        "commit.abandon_idempotency",
        """
        DELETE FROM sb.idempotency_keys i USING unnest($1::bigint[], $2::text[]) AS u(did, key)
        WHERE i.did = u.did AND i.key = u.key AND i.state = 'running'
        """)

    static let noteFates = Statement(
        "commit.note_fates",
        """
        UPDATE sb.idempotency_keys i SET sent_at = u.sent_at, server_id = u.server_id, failure = u.failure,
          failure_code = u.code
        FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::int[])
          AS u(did, key, sent_at, server_id, failure, code)
        WHERE i.did = u.did AND i.key = u.key AND i.state = 'running'
        """)

    static let finishIdempotency = Statement(
        "commit.finish_idempotency",
        """
        UPDATE sb.idempotency_keys i SET state = 'done', status = u.code, body = u.body
        FROM unnest($1::bigint[], $2::text[], $3::int[], $4::bytea[]) AS u(did, key, code, body)
        WHERE i.did = u.did AND i.key = u.key
        """)

    static let insertJobs = Statement(
        "commit.insert_jobs",
        """
        INSERT INTO sb.device_jobs (did, kind, key, payload, created_at)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[]) ON CONFLICT DO NOTHING
        """)
}

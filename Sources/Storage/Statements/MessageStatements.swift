import Database

/// Messages as the API reads them (14-storage, section 3.4).
enum MessageStatements {
    private static let columns = """
        m.chat, m.message_id, m.from_me, m.ts, m.sender, m.sender_alt, m.push_name, m.server_id, m.type, m.body, m.content,
        m.media, m.quoted_id, m.status, m.origin, m.edited_at, m.deleted_at, m.starred, m.stored_at
        """

    /// `$3` before and `$4` after are message ids; messages of one second stand in the order of their storing.
    private static let conditions = """
        FROM sb.messages m
        WHERE m.did = $1 AND m.chat = ANY ($2)
          AND ($3::text IS NULL OR (m.ts, m.arrival, m.message_id) < (SELECT b.ts, b.arrival, b.message_id
            FROM sb.messages b WHERE b.did = $1 AND b.message_id = $3 AND b.chat = ANY ($2) ORDER BY b.ts LIMIT 1))
          AND ($4::text IS NULL OR (m.ts, m.arrival, m.message_id) > (SELECT a.ts, a.arrival, a.message_id
            FROM sb.messages a WHERE a.did = $1 AND a.message_id = $4 AND a.chat = ANY ($2) ORDER BY a.ts LIMIT 1))
          AND ($5::timestamptz IS NULL OR m.ts >= $5) AND ($6::timestamptz IS NULL OR m.ts <= $6)
          AND ($7::text IS NULL OR m.type = $7)
        """

    static let pageBackward = Statement(
        "messages.page_backward",
        "SELECT \(columns) \(conditions) ORDER BY m.ts DESC, m.arrival DESC, m.message_id DESC LIMIT $8")

    static let pageForward = Statement(
        "messages.page_forward",
        "SELECT \(columns) \(conditions) ORDER BY m.ts, m.arrival, m.message_id LIMIT $8")

    /// Which of the ids in `$3` are messages of the chat.
    static let known = Statement(
        "messages.known",
        "SELECT DISTINCT message_id FROM sb.messages WHERE did = $1 AND chat = ANY ($2) AND message_id = ANY ($3)")

    static let byID = Statement(
        "messages.by_id",
        """
        SELECT \(columns) FROM sb.messages m
        WHERE m.did = $1 AND m.message_id = $2 AND ($3::text[] IS NULL OR m.chat = ANY ($3))
        ORDER BY m.from_me DESC, m.ts DESC LIMIT 1
        """)

    static let reactions = Statement(
        "messages.reactions",
        """
        SELECT chat, message_id, reactor, emoji, ts FROM sb.message_reactions
        WHERE did = $1 AND message_id = ANY ($2) ORDER BY ts
        """)

    static let deleteReactions = Statement(
        "messages.delete_reactions", "DELETE FROM sb.message_reactions WHERE did = $1 AND chat = ANY ($2)")
    static let deleteReceipts = Statement(
        "messages.delete_receipts", "DELETE FROM sb.message_receipts WHERE did = $1 AND chat = ANY ($2)")
    static let deleteMessages = Statement(
        "messages.delete_messages", "DELETE FROM sb.messages WHERE did = $1 AND chat = ANY ($2)")
    static let deleteChats = Statement(
        "messages.delete_chats", "DELETE FROM sb.chats WHERE did = $1 AND chat = ANY ($2)")
}

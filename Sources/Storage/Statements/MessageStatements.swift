import Database

/// Messages as the API reads them (14-storage, section 3.4).
enum MessageStatements {
    private static let columns = """
        m.chat, m.message_id, m.from_me, m.ts, m.sender, m.sender_alt, m.push_name, m.server_id, m.type, m.body, m.content,
        m.media, m.quoted_id, m.status, m.origin, m.edited_at, m.deleted_at, m.starred, m.stored_at
        """

    /// A page of each of the chat's names, and of these one page. `$3` before and `$4` after are message ids; messages of one
    /// second stand in the order of their storing.
    ///
    /// Each name's page is a walk along its part of the index `messages_page` from where the page begins, however many
    /// messages there are: `chat = ANY (…)` would read and sort them all, and under row-level security a bound within
    /// `coalesce` or `OR` is no bound of the index (`MessagePlanTests`).
    private static func page(_ direction: String) -> String {
        func order(_ table: String) -> String {
            "\(table).ts \(direction), \(table).arrival \(direction), \(table).message_id \(direction)"
        }
        return """
            WITH before AS (
              SELECT m.ts, m.arrival, m.message_id FROM sb.messages m
              WHERE m.did = $1 AND m.message_id = $3::text AND m.chat = ANY ($2::text[]) ORDER BY m.ts LIMIT 1),
            after AS (
              SELECT m.ts, m.arrival, m.message_id FROM sb.messages m
              WHERE m.did = $1 AND m.message_id = $4::text AND m.chat = ANY ($2::text[]) ORDER BY m.ts LIMIT 1)
            SELECT \(columns)
            FROM (SELECT DISTINCT unnest($2::text[]) AS name) names CROSS JOIN LATERAL (
              SELECT x.* FROM sb.messages x
              WHERE x.did = $1 AND x.chat = names.name
                AND (x.ts, x.arrival, x.message_id) < (
                  CASE WHEN $3::text IS NULL THEN 'infinity' ELSE (SELECT ts FROM before) END,
                  CASE WHEN $3::text IS NULL THEN 0 ELSE (SELECT arrival FROM before) END,
                  CASE WHEN $3::text IS NULL THEN '' ELSE (SELECT message_id FROM before) END)
                AND (x.ts, x.arrival, x.message_id) > (
                  CASE WHEN $4::text IS NULL THEN '-infinity' ELSE (SELECT ts FROM after) END,
                  CASE WHEN $4::text IS NULL THEN 0 ELSE (SELECT arrival FROM after) END,
                  CASE WHEN $4::text IS NULL THEN '' ELSE (SELECT message_id FROM after) END)
                AND x.ts >= CASE WHEN $5::timestamptz IS NULL THEN '-infinity' ELSE $5::timestamptz END
                AND x.ts <= CASE WHEN $6::timestamptz IS NULL THEN 'infinity' ELSE $6::timestamptz END
                AND ($7::text IS NULL OR x.type = $7::text)
              ORDER BY \(order("x")) LIMIT $8) m
            ORDER BY \(order("m")) LIMIT $8
            """
    }

    static let pageBackward = Statement("messages.page_backward", page("DESC"))

    static let pageForward = Statement("messages.page_forward", page("ASC"))

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

import Database
import Messaging

/// A chat as it is listed.
package struct StoredChat: Sendable, Equatable {
    package let chat: String
    package let kind: ChatUpdate.Kind
    package let name: String
    package let unreadCount: Int
    package let isMarkedUnread: Bool
    package let isArchived: Bool
    package let mutedUntil: Timestamp?
    package let pinnedAt: Timestamp?
    package let ephemeralSeconds: Int
    package let lastMessageID: String?
    package let lastMessageAt: Timestamp?
}

package struct ChatRepository: Sendable {
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    /// Chats with the newest message first.
    package func chats(_ scope: DeviceScope, limit: Int = 100, offset: Int = 0) async throws -> [StoredChat] {
        try await database.query(
            .device(scope), Self.recent,
            [.int(scope.did), SQLValue(min(1000, max(1, limit))), SQLValue(max(0, offset))]
        ).map { row in
            StoredChat(
                chat: try row["chat"], kind: ChatUpdate.Kind(rawValue: try row["kind"]) ?? .user, name: try row["name"],
                unreadCount: try row["unread_count"], isMarkedUnread: try row["marked_unread"],
                isArchived: try row["archived"], mutedUntil: try row["muted_until"], pinnedAt: try row["pinned_at"],
                ephemeralSeconds: try row["ephemeral_seconds"], lastMessageID: try row["last_message_id"],
                lastMessageAt: try row["last_message_at"])
        }
    }

    static let recent = Statement(
        "chats.recent",
        """
        SELECT chat, kind, name, unread_count, marked_unread, archived, muted_until, pinned_at, ephemeral_seconds,
          last_message_id, last_message_at
        FROM sb.chats WHERE did = $1 ORDER BY last_message_at DESC NULLS LAST, chat LIMIT $2 OFFSET $3
        """)
}

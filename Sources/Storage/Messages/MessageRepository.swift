import Database
import Messaging

/// A stored message with what hangs on it, as `GET /chats/{jid}/messages` shows it.
package struct StoredMessage: Sendable, Equatable {
    package struct Reaction: Sendable, Equatable {
        package let emoji: String
        package let from: String
        package let at: Timestamp
    }

    package let row: MessageRow
    package let editedAt: Timestamp?
    package let deletedAt: Timestamp?
    package let isStarred: Bool
    package let storedAt: Timestamp
    package let reactions: [Reaction]
}

/// Which messages of a chat to read.
package struct MessageQuery: Sendable, Equatable {
    package enum Order: String, Sendable { case newestFirst, oldestFirst }

    /// The names the chat is known by (a person may be stored by LID and by number).
    package var chats: [String]
    /// Only messages before this message (id), or after that one.
    package var before: String?
    package var after: String?
    package var since: Timestamp?
    package var until: Timestamp?
    package var type: String?
    package var order: Order
    /// 1…200.
    package var limit: Int

    package init(
        chats: [String], before: String? = nil, after: String? = nil, since: Timestamp? = nil, until: Timestamp? = nil,
        type: String? = nil, order: Order = .newestFirst, limit: Int = 50
    ) {
        self.chats = chats
        self.before = before
        self.after = after
        self.since = since
        self.until = until
        self.type = type
        self.order = order
        self.limit = min(200, max(1, limit))
    }
}

/// Messages as they are read by the API: by any node, without the device's session.
package struct MessageRepository: Sendable {
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    /// Messages of a chat. An unknown id in `before` or `after` gives no messages.
    package func messages(_ scope: DeviceScope, _ query: MessageQuery) async throws -> [StoredMessage] {
        let statement = query.order == .newestFirst ? MessageStatements.pageBackward : MessageStatements.pageForward
        let rows = try await database.query(
            .device(scope), statement,
            [
                .int(scope.did), .texts(query.chats), SQLValue(query.before), SQLValue(query.after),
                SQLValue(query.since), SQLValue(query.until), SQLValue(query.type), SQLValue(query.limit),
            ])
        return try await withReactions(scope, rows)
    }

    /// Which of `ids` are messages of a chat.
    package func known(_ scope: DeviceScope, ids: [String], chats: [String]) async throws -> Set<String> {
        let rows = try await database.query(
            .device(scope), MessageStatements.known, [.int(scope.did), .texts(chats), .texts(ids)])
        return Set(try rows.map { try $0["message_id"] as String })
    }

    /// A message by its id, under any of the chat's names or in any chat when `chats` is nil. An own message comes first
    /// where both directions have the id.
    package func message(_ scope: DeviceScope, id: String, chats: [String]? = nil) async throws -> StoredMessage? {
        let rows = try await database.query(
            .device(scope), MessageStatements.byID,
            [.int(scope.did), .text(id), chats.map { .texts($0) } ?? .null])
        return try await withReactions(scope, rows).first
    }

    /// The newest message of a chat.
    package func newest(_ scope: DeviceScope, chats: [String]) async throws -> StoredMessage? {
        try await messages(scope, MessageQuery(chats: chats, limit: 1)).first
    }

    /// Removes a chat with its messages from the store. Returns how many messages went.
    package func deleteChat(_ scope: DeviceScope, chats: [String]) async throws -> Int {
        let names = SQLValue.texts(chats)
        let results = try await database.pipeline(
            .device(scope),
            [
                MessageStatements.deleteReactions(.int(scope.did), names),
                MessageStatements.deleteReceipts(.int(scope.did), names),
                MessageStatements.deleteMessages(.int(scope.did), names),
                MessageStatements.deleteChats(.int(scope.did), names),
            ])
        return results.count == 4 ? results[2].affectedRows : 0
    }

    private func withReactions(_ scope: DeviceScope, _ rows: [Row]) async throws -> [StoredMessage] {
        if rows.isEmpty { return [] }
        let ids: [String] = try rows.map { try $0["message_id"] }
        var reactions: [String: [StoredMessage.Reaction]] = [:]
        for row in try await database.query(
            .device(scope), MessageStatements.reactions, [.int(scope.did), .texts(ids)])
        {
            let key = "\(try row["chat"] as String) \(try row["message_id"] as String)"
            reactions[key, default: []].append(
                StoredMessage.Reaction(emoji: try row["emoji"], from: try row["reactor"], at: try row["ts"]))
        }
        return try rows.map { row in
            let message = try MessageRow(row)
            return StoredMessage(
                row: message, editedAt: try row["edited_at"], deletedAt: try row["deleted_at"],
                isStarred: try row["starred"], storedAt: try row["stored_at"],
                reactions: reactions["\(message.chat) \(message.messageID)"] ?? [])
        }
    }
}

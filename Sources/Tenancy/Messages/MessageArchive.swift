import Messaging
import Storage

/// A stored message with its sender's other address.
package struct ArchivedMessage: Sendable {
    package let message: StoredMessage
    /// LID of a phone number or phone number of a LID, when the device learnt it.
    package let senderAlternative: String?
}

/// A page was asked for before or after a message that the chat does not have.
package struct UnknownCursor: Error {
    /// `before` or `after`.
    package let field: String
}

/// The stored messages of devices, as their customers read them. Needs no connection to WhatsApp.
package struct MessageArchive: Sendable {
    private let messages: MessageRepository
    private let addresses: AddressRepository

    package init(_ database: StorageDatabase) {
        messages = MessageRepository(database)
        addresses = AddressRepository(database)
    }

    /// A page of the chat `chat`, which is stored under its phone number or its LID.
    ///
    /// - Parameter query: Its `chats` are filled in here.
    /// - Throws: `UnknownCursor` when `before` or `after` names no stored message of the chat.
    package func page(_ scope: DeviceScope, chat: String, _ query: MessageQuery) async throws -> [ArchivedMessage] {
        var query = query
        let names = try await addresses.alternatives(scope, of: [chat])
        query.chats = [chat] + names.values
        let cursors = [("before", query.before), ("after", query.after)].compactMap { field, id in
            id.map { (field, $0) }
        }
        if !cursors.isEmpty {
            let known = try await messages.known(scope, ids: cursors.map(\.1), chats: query.chats)
            for (field, id) in cursors where !known.contains(id) { throw UnknownCursor(field: field) }
        }
        let found = try await messages.messages(scope, query)
        let senders = Set(found.filter { $0.row.senderAlternative == nil }.map(\.row.sender))
        let alternatives = try await addresses.alternatives(scope, of: senders)
        return found.map {
            ArchivedMessage(message: $0, senderAlternative: $0.row.senderAlternative ?? alternatives[$0.row.sender])
        }
    }

    /// A message by its id, an own one where both directions have it, with its chat as callers know it.
    package func message(_ scope: DeviceScope, id: String) async throws -> (message: ArchivedMessage, chat: String)? {
        guard let found = try await messages.message(scope, id: id) else { return nil }
        let row = found.row
        let names = try await addresses.alternatives(scope, of: [row.chat, row.sender])
        return (
            ArchivedMessage(message: found, senderAlternative: row.senderAlternative ?? names[row.sender]),
            Self.shown(row.chat, names)
        )
    }

    /// What callers know a stored chat by: the number of a LID, where it is known.
    package func shown(_ scope: DeviceScope, chat: String) async throws -> String {
        Self.shown(chat, try await addresses.alternatives(scope, of: [chat]))
    }

    private static func shown(_ chat: String, _ names: [String: String]) -> String {
        chat.hasSuffix("@lid") ? names[chat] ?? chat : chat
    }
}

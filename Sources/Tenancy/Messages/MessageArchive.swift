import Messaging
import Storage

/// A stored message with its sender's other address.
package struct ArchivedMessage: Sendable {
    package let message: StoredMessage
    /// LID of a phone number or phone number of a LID, when the device learnt it.
    package let senderAlternative: String?
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
    package func page(_ scope: DeviceScope, chat: String, _ query: MessageQuery) async throws -> [ArchivedMessage] {
        var query = query
        let names = try await addresses.alternatives(scope, of: [chat])
        query.chats = [chat] + names.values
        let found = try await messages.messages(scope, query)
        let senders = Set(found.filter { $0.row.senderAlternative == nil }.map(\.row.sender))
        let alternatives = try await addresses.alternatives(scope, of: senders)
        return found.map {
            ArchivedMessage(message: $0, senderAlternative: $0.row.senderAlternative ?? alternatives[$0.row.sender])
        }
    }
}

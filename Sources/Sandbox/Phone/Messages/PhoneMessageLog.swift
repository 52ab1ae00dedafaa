import Cryptography
import Foundation
import OrderedCollections
import Transport

/// The messages a phone has seen, newest last: source of its chat view, of resends and of history for new companions.
package struct PhoneMessageLog: Sendable {
    /// Names a message: ids are unique only per chat and sender.
    private struct Key: Hashable {
        let chat: JID
        let id: String
        let sender: JID
    }

    /// Messages kept, or up to a tenth more; the oldest go first.
    package static let capacity = 20_000

    private var messages: OrderedDictionary<Int, PhoneMessage> = [:]
    private var sequences: [Key: Int] = [:]
    package private(set) var lastSequence = 0

    package init() {}

    package var count: Int { messages.count }
    /// Oldest first.
    package var all: some BidirectionalCollection<PhoneMessage> { messages.values }

    private static func key(_ message: PhoneMessage) -> Key {
        Key(chat: message.chat, id: message.id, sender: message.sender.bare)
    }

    /// Takes a message in and returns it with its number, or nil when the same one is known already.
    package mutating func append(_ message: PhoneMessage) -> PhoneMessage? {
        guard sequences[Self.key(message)] == nil else { return nil }
        var message = message
        message.sequence = lastSequence + 1
        restore(message)
        return message
    }

    /// Puts back a message that carries its number.
    package mutating func restore(_ message: PhoneMessage) {
        messages[message.sequence] = message
        sequences[Self.key(message)] = message.sequence
        lastSequence = max(lastSequence, message.sequence)
    }

    /// The oldest messages, removed, when there are a tenth more than the capacity: each removal at the front moves all others,
    /// so they go together.
    package mutating func dropOverflow() -> [PhoneMessage] {
        guard messages.count > Self.capacity + Self.capacity / 10 else { return [] }
        let dropped = Array(messages.values.prefix(messages.count - Self.capacity))
        messages.removeFirst(dropped.count)
        for message in dropped { sequences[Self.key(message)] = nil }
        return dropped
    }

    /// The message `id` of `chat`; `sender` (any device of it) decides where ids collide.
    package func message(_ id: String, in chat: JID, sender: JID? = nil) -> PhoneMessage? {
        if let sender {
            return sequences[Key(chat: chat, id: id, sender: sender.bare)].flatMap { messages[$0] }
        }
        return messages.values.last { $0.id == id && $0.chat == chat }
    }

    /// Changes a message in place and returns it; nil when it is unknown.
    package mutating func update(
        _ id: String, in chat: JID, sender: JID? = nil, _ change: (inout PhoneMessage) -> Void
    ) -> PhoneMessage? {
        guard var message = message(id, in: chat, sender: sender) else { return nil }
        change(&message)
        messages[message.sequence] = message
        return message
    }
}

extension PhoneMessageLog {
    /// The newest message with this id that `account` (bare LID) sent, in whatever chat.
    package func sent(_ id: String, by account: JID) -> PhoneMessage? {
        all.last { $0.id == id && $0.sender.bare == account }
    }

    /// Messages of one chat, or of all when nil, known after number `since`, oldest first.
    package func messages(
        in chat: JID? = nil, since: Int = 0, direction: PhoneMessage.Direction? = nil, limit: Int = .max
    ) -> [PhoneMessage] {
        let matching = all.filter {
            $0.sequence > since && (chat == nil || $0.chat == chat) && (direction == nil || $0.direction == direction)
        }
        return Array(matching.suffix(limit))
    }
}

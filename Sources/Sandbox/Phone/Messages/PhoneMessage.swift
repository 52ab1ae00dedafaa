import Cryptography
import Transport

/// A message as a phone remembers it: what it received, and what any device of its account sent.
package struct PhoneMessage: Sendable, Equatable, Codable {
    package enum Direction: String, Sendable, Codable { case incoming = "in", outgoing = "out" }

    /// How far a sent message got; only ever moves forward.
    package enum Status: Int, Sendable, Codable, Comparable {
        case sent, delivered, read, played

        package static func < (a: Status, b: Status) -> Bool { a.rawValue < b.rawValue }

        package var word: String {
            switch self {
            case .sent: "sent"
            case .delivered: "delivered"
            case .read: "read"
            case .played: "played"
            }
        }
    }

    /// 1, 2, 3 … in the order in which the phone came to know its messages.
    package var sequence: Int
    package var id: String
    /// A bare LID, a group or `status@broadcast`.
    package var chat: JID
    /// Sending device, in LID space.
    package var sender: JID
    package var direction: Direction
    /// Server time, Unix seconds.
    package var time: Int64
    package var pushName: String?
    /// The serialized E2E `Message`.
    package var content: Bytes
    package var status = Status.sent
    package var isRevoked = false
    /// Content after the latest edit.
    package var edited: Bytes?
    /// Bare LID → emoji.
    package var reactions: [String: String] = [:]

    package init(
        sequence: Int, id: String, chat: JID, sender: JID, direction: Direction, time: Int64, pushName: String?,
        content: MessageContent
    ) {
        self.sequence = sequence
        self.id = id
        self.chat = chat
        self.sender = sender
        self.direction = direction
        self.time = time
        self.pushName = pushName
        self.content = content.bytes
    }

    package var message: MessageContent { MessageContent(content) }
}

import Database
import Messaging

/// Where an accepted message stands.
package struct SendStatus: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Not acknowledged yet; given up at this time.
        case queued(until: Timestamp)
        case sent, delivered, read, played
        /// Given up, or its time passed while nobody ran the device.
        case failed(SendFate.Reason, code: Int?)
    }

    package let messageID: String
    /// Canonical chat.
    package let chat: String
    package let acceptedAt: Timestamp
    package let state: State
}

/// The fate of own sends, queued ones among them (12-device-scoping-api, section 6.4). Known for the seven days that their
/// retry plaintext is kept. Reads run as the session engine: what API transactions run as has no right to the plaintexts.
package struct SendRepository: Sendable {
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    /// Nil for an id that this device sent no message under.
    package func status(_ scope: DeviceScope, messageID: String) async throws -> SendStatus? {
        try await database.query(.engine(did: scope.did), Self.find, [.int(scope.did), .text(messageID)]).first.map(
            Self.status)
    }

    /// What waits to be sent, oldest first.
    package func queued(_ scope: DeviceScope, limit: Int = 1000) async throws -> [SendStatus] {
        try await database.query(.engine(did: scope.did), Self.waiting, [.int(scope.did), SQLValue(limit)]).map(
            Self.status)
    }

    private static func status(_ row: Row) throws -> SendStatus {
        let status: Int? = try row["status"]
        let state: SendStatus.State
        if let until: Timestamp = try row["send_by"] {
            state = try row["overdue"] ? .failed(.expired, code: nil) : .queued(until: until)
        } else if let failure: String = try row["failure"] {
            state = .failed(SendFate.Reason(rawValue: failure) ?? .unreachable, code: try row["failure_code"])
        } else {
            state =
                switch status.flatMap({ MessageStatus(rawValue: Int16(clamping: $0)) }) {
                case .delivered: .delivered
                case .read: .read
                case .played: .played
                case .failed: .failed(.unreachable, code: nil)
                // Its row may not be kept (`MESSAGE_STORE_ENABLED=false`).
                case .sent, .pending, nil: .sent
                }
        }
        return SendStatus(
            messageID: try row["message_id"], chat: try row["chat"], acceptedAt: try row["inserted_at"], state: state)
    }

    static let find = Statement(
        "sends.find",
        """
        SELECT r.chat, r.message_id, r.send_by, r.inserted_at, r.failure, r.failure_code,
          coalesce(r.send_by < now() - interval '1 minute', false) AS overdue, (
          SELECT m.status::int FROM sb.messages m
          WHERE m.did = r.did AND m.chat = r.chat AND m.message_id = r.message_id AND m.from_me LIMIT 1) AS status
        FROM sb.retry_buffer r WHERE r.did = $1 AND r.message_id = $2 ORDER BY r.inserted_at DESC LIMIT 1
        """)

    static let waiting = Statement(
        "sends.waiting",
        """
        SELECT chat, message_id, send_by, inserted_at, failure, failure_code,
          coalesce(send_by < now() - interval '1 minute', false) AS overdue, NULL::int AS status FROM sb.retry_buffer
        WHERE did = $1 AND send_by IS NOT NULL ORDER BY inserted_at LIMIT $2
        """)
}

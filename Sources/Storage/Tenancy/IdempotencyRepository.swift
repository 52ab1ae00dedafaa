import Database
import Messaging

/// What is known of an `Idempotency-Key` of a device.
package enum IdempotencyState: Sendable, Equatable {
    /// The first request is still at work, or its process died. Then `send` says what is known of its message.
    case running(requestHash: [UInt8], since: Timestamp, send: IdempotentSend?)
    case done(requestHash: [UInt8], answer: StoredAnswer)
}

/// The message that a request with a key became.
package struct IdempotentSend: Sendable, Equatable {
    package let messageID: String
    package let chat: String
    /// Nil while it is not decided.
    package let fate: SendFate?
}

/// Idempotency keys outside the send path; sends write theirs with the intent (`ChangeSet.idempotency`).
package struct IdempotencyRepository: Sendable {
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) { self.database = database }

    package func state(_ scope: DeviceScope, key: String) async throws -> IdempotencyState? {
        try await database.query(.device(scope), IdempotencyStatements.find, [.int(scope.did), .text(key)]).first
            .map(Self.state)
    }

    /// Takes the key for a request. Nil when it is new and now running; else what is known of it.
    package func begin(_ scope: DeviceScope, key: String, requestHash: [UInt8]) async throws -> IdempotencyState? {
        let results = try await database.pipeline(
            .device(scope),
            [
                IdempotencyStatements.begin(.int(scope.did), .text(key), .bytes(requestHash)),
                IdempotencyStatements.find(.int(scope.did), .text(key)),
            ])
        if results.first?.affectedRows == 1 { return nil }
        return try results.last?.rows.first.map(Self.state)
    }

    package func finish(_ scope: DeviceScope, key: String, answer: StoredAnswer) async throws {
        try await database.execute(
            .device(scope), IdempotencyStatements.finish,
            [.int(scope.did), .text(key), SQLValue(answer.code), .bytes(answer.body)])
    }

    /// Gives the key back after a failure that had no effect.
    package func abandon(_ scope: DeviceScope, key: String) async throws {
        try await database.execute(.device(scope), IdempotencyStatements.abandon, [.int(scope.did), .text(key)])
    }

    private static func state(_ row: Row) throws -> IdempotencyState {
        let hash: [UInt8] = try row["request_hash"]
        if try row["state"] == "done" {
            return .done(
                requestHash: hash, answer: StoredAnswer(code: try row["status"] ?? 200, body: try row["body"] ?? []))
        }
        return .running(requestHash: hash, since: try row["created_at"], send: try send(row))
    }

    private static func send(_ row: Row) throws -> IdempotentSend? {
        guard let id: String = try row["message_id"], let chat: String = try row["chat"] else { return nil }
        var fate: SendFate?
        if let at: Timestamp = try row["sent_at"] {
            fate = .sent(at: at, serverID: try row["server_id"])
        } else if let text: String = try row["failure"] {
            fate = .failed(reason: SendFate.Reason(rawValue: text) ?? .unreachable, code: try row["failure_code"])
        }
        return IdempotentSend(messageID: id, chat: chat, fate: fate)
    }
}

enum IdempotencyStatements {
    static let find = Statement(
        "idempotency.find",
        """
        SELECT request_hash, state, status, body, created_at, message_id, chat, sent_at, server_id, failure, failure_code
        FROM sb.idempotency_keys
        WHERE did = $1 AND key = $2 AND created_at > now() - interval '24 hours'
        """)
    static let begin = Statement(
        "idempotency.begin",
        """
        INSERT INTO sb.idempotency_keys AS i (did, key, request_hash, state) VALUES ($1, $2, $3, 'running')
        ON CONFLICT (did, key) DO UPDATE SET request_hash = excluded.request_hash, state = 'running', status = NULL,
          body = NULL, chat = NULL, message_id = NULL, sent_at = NULL, server_id = NULL, failure = NULL,
          failure_code = NULL, created_at = now() WHERE i.created_at <= now() - interval '24 hours'
        """)
    static let finish = Statement(
        "idempotency.finish",
        "UPDATE sb.idempotency_keys SET state = 'done', status = $3, body = $4 WHERE did = $1 AND key = $2")
    static let abandon = Statement(
        "idempotency.abandon", "DELETE FROM sb.idempotency_keys WHERE did = $1 AND key = $2 AND state = 'running'")
}

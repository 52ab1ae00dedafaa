import Database
import Foundation

/// Seals what must be readable again (13-configuration, section 15). `context` names the row, so that a sealed value
/// moved to another row does not open.
package protocol SecretSealing: Sendable {
    func seal(_ plaintext: [UInt8], context: String) throws -> [UInt8]
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8]
}

/// Subscriptions and the delivery side of the outbox.
package struct WebhookRepository: Sendable {
    let pool: ConnectionPool
    private let sealing: any SecretSealing

    package init(pool: ConnectionPool, sealing: any SecretSealing) {
        self.pool = pool
        self.sealing = sealing
    }

    // MARK: Subscriptions

    package func list(tenant: Int64, did: Int64) async throws -> [WebhookRecord] {
        try await pool.query(WebhookStatements.list, [.int(tenant), .int(did)]).map(record)
    }

    package func find(_ id: Int64, tenant: Int64, did: Int64) async throws -> WebhookRecord? {
        try await pool.query(WebhookStatements.find, [.int(tenant), .int(did), .int(id)]).first.map(record)
    }

    /// - Returns: nil when the device has `limit` webhooks already, counted under a lock on the device.
    package func insert(
        _ new: WebhookChange, secret: String, tenant: Int64, did: Int64, limit: Int
    ) async throws -> WebhookRecord? {
        try await pool.withTransaction { transaction in
            _ = try await transaction.query(WebhookStatements.lockDevice, [.int(tenant), .int(did)])
            let count: Int64 =
                try await transaction.query(WebhookStatements.count, [.int(tenant), .int(did)]).first?.get(0) ?? 0
            guard count < Int64(limit) else { return nil }
            let id: Int64 = try await transaction.query(WebhookStatements.nextID).first?.get(0) ?? 0
            let rows = try await transaction.query(
                WebhookStatements.insert,
                [
                    .int(id), .int(tenant), .int(did), SQLValue(new.url ?? ""),
                    .bytes(try sealed(secret, id, "secret")),
                    .texts(new.events ?? []), SQLValue((new.ordering ?? .device).rawValue),
                    SQLValue(new.includesContent ?? true), SQLValue(try sealedHeaders(new.headers, id)),
                    SQLValue(new.description ?? ""),
                ])
            return try rows.first.map(record)
        }
    }

    /// - Returns: nil when there is no such webhook of this device.
    package func update(_ id: Int64, _ change: WebhookChange, tenant: Int64, did: Int64) async throws -> WebhookRecord?
    {
        try await pool.query(
            WebhookStatements.update,
            [
                .int(tenant), .int(did), .int(id), SQLValue(change.url), change.events.map { .texts($0) } ?? .null,
                SQLValue(change.isActive), SQLValue(change.ordering?.rawValue), SQLValue(change.includesContent),
                SQLValue(try sealedHeaders(change.headers, id)), SQLValue(change.description),
            ]
        ).first.map(record)
    }

    /// The old secret goes on signing for `grace` seconds.
    package func rotateSecret(
        _ id: Int64, to secret: String, grace: Int64, tenant: Int64, did: Int64
    ) async throws -> WebhookRecord? {
        try await pool.query(
            WebhookStatements.rotateSecret,
            [.int(tenant), .int(did), .int(id), .bytes(try sealed(secret, id, "secret")), .int(grace)]
        ).first.map(record)
    }

    /// Deletes the webhook with its log and what was still to be delivered. False when there is none.
    package func delete(_ id: Int64, tenant: Int64, did: Int64) async throws -> Bool {
        try await pool.withTransaction { transaction in
            let parameters: [SQLValue] = [.int(tenant), .int(did), .int(id)]
            guard try await transaction.execute(WebhookStatements.delete, parameters) > 0 else { return false }
            _ = try await transaction.execute(WebhookStatements.deleteDeliveries, parameters)
            return true
        }
    }

    // MARK: Hints

    /// Channel on which nodes tell each other that deliveries are due.
    package static let channel = "sb_outbox"

    /// Tells the other nodes, if there are any.
    package func announceDeliveries() async throws {
        _ = try await pool.query(WebhookStatements.announce)
    }

    // MARK: Log and statistics

    package func logs(
        _ id: Int64, tenant: Int64, did: Int64, state: String?, event: String?, since: Date?, limit: Int, offset: Int
    ) async throws -> [DeliveryLogEntry] {
        let rows = try await pool.query(
            WebhookStatements.logs,
            [
                .int(tenant), .int(did), .int(id), SQLValue(state), SQLValue(event), SQLValue(since), SQLValue(limit),
                SQLValue(offset),
            ])
        return try rows.map { row in
            DeliveryLogEntry(
                id: try row["id"], webhookID: try row["webhook_id"], eventID: try row["event_id"],
                eventType: try row["event_type"], state: try row["state"], attemptCount: try row["attempt_count"],
                lastError: try row["last_error"], responseCode: try row["response_code"],
                durationMilliseconds: try row["duration_ms"], nextAttemptAt: try row["next_attempt_at"],
                isTest: try row["is_test"], createdAt: try row["created_at"], updatedAt: try row["updated_at"])
        }
    }

    /// Totals over all tenants, for the operator.
    package func statistics() async throws -> WebhookStatistics {
        guard let row = try await pool.query(WebhookStatements.statistics).first else {
            throw DatabaseError.decoding(column: "statistics", reason: "no row")
        }
        return WebhookStatistics(
            webhooks: try row[0], activeWebhooks: try row[1], succeeded: try row[2], failedAttempts: try row[3],
            dead: try row[4], pending: try row[5], oldestPendingAge: try row[6], succeededLastDay: try row[7],
            deadLastDay: try row[8])
    }

    // MARK: Outbox

    /// Stores a `test.ping` event and claims its delivery for `node` in one statement.
    package func insertTest(
        _ webhook: WebhookRecord, eventID: String, body: [UInt8], node: UUID
    ) async throws -> ClaimedDelivery {
        let rows = try await pool.query(
            WebhookStatements.insertTestEvent,
            [
                .int(webhook.tenantID), .int(webhook.did), .int(webhook.id), SQLValue(eventID), .bytes(body),
                .uuid(node),
            ])
        guard let row = rows.first else { throw DatabaseError.decoding(column: "id", reason: "no row") }
        return ClaimedDelivery(
            id: try row["id"], day: try row["day"], webhookID: webhook.id, tenantID: webhook.tenantID, did: webhook.did,
            eventID: eventID, eventType: "test.ping", attempt: 1, age: 0, body: body, url: webhook.url,
            secrets: [webhook.secret], headers: webhook.headers, consecutiveFailures: 0, isReplay: false)
    }

    /// Claims due rows of at most `webhooks` webhooks for `node`; each is locked for `lock` milliseconds.
    package func claim(
        node: UUID, webhooks: Int, lock: Int64, excludingTenants: [Int64]
    ) async throws -> [ClaimedDelivery] {
        let rows = try await pool.query(
            WebhookStatements.claim, [.uuid(node), .int(lock), SQLValue(webhooks), .ints(excludingTenants)])
        return try rows.map { row in
            let webhookID: Int64 = try row["webhook_id"]
            let current: [UInt8] = try row["secret_enc"]
            let previous: [UInt8]? = try row["prev_secret_enc"]
            let headers: [UInt8]? = try row["headers_enc"]
            let priority: Int = try row["priority"]
            return ClaimedDelivery(
                id: try row["id"], day: try row["day"], webhookID: webhookID, tenantID: try row["tenant_id"],
                did: try row["did"], eventID: try row["event_id"], eventType: try row["event_type"],
                attempt: try row["attempt_count"], age: try row["age"], body: try row["body"], url: try row["url"],
                secrets: try ([current] + (previous.map { [$0] } ?? [])).map { try opened($0, webhookID, "secret") },
                headers: try openedHeaders(headers, webhookID), consecutiveFailures: try row["consecutive_failures"],
                isReplay: priority > 0)
        }
    }

    /// Writes an attempt's outcome, unless another node took the row over meanwhile.
    package func finish(_ delivery: ClaimedDelivery, node: UUID, _ result: DeliveryResult) async throws {
        _ = try await pool.execute(
            WebhookStatements.finish,
            [
                .int(delivery.id), SQLValue(delivery.day), .uuid(node), SQLValue(result.state.rawValue),
                SQLValue(result.responseCode), SQLValue(result.durationMilliseconds),
                SQLValue(result.error.map { String($0.prefix(1024)) }), SQLValue(result.retryAfterMilliseconds),
                SQLValue(result.responseHead), SQLValue(result.circuitPause), SQLValue(result.disableReason != nil),
                SQLValue(result.disableReason),
            ])
    }

    /// Gives rows that `node` claimed and did not finish back, at shutdown.
    package func release(node: UUID) async throws {
        _ = try await pool.execute(WebhookStatements.release, [.uuid(node)])
    }

    /// Switches off webhooks that had failures and no success for `seconds`.
    /// - Returns: their ids.
    package func disableFailing(after seconds: Int64) async throws -> [Int64] {
        try await pool.query(WebhookStatements.disableFailing, [.int(seconds)]).map { try $0["id"] }
    }

    // MARK: Sealing

    private func sealed(_ text: String, _ id: Int64, _ part: String) throws -> [UInt8] {
        try sealing.seal([UInt8](text.utf8), context: "webhook/\(id)/\(part)")
    }

    private func opened(_ sealed: [UInt8], _ id: Int64, _ part: String) throws -> String {
        String(decoding: try sealing.open(sealed, context: "webhook/\(id)/\(part)"), as: UTF8.self)
    }

    private func sealedHeaders(_ headers: [String: String]?, _ id: Int64) throws -> [UInt8]? {
        guard let headers else { return nil }
        let json = try JSONEncoder().encode(headers)
        return try sealing.seal([UInt8](json), context: "webhook/\(id)/headers")
    }

    private func openedHeaders(_ sealed: [UInt8]?, _ id: Int64) throws -> [String: String] {
        guard let sealed else { return [:] }
        let json = try sealing.open(sealed, context: "webhook/\(id)/headers")
        return try JSONDecoder().decode([String: String].self, from: Data(json))
    }

    private func record(_ row: Row) throws -> WebhookRecord {
        let id: Int64 = try row["id"]
        let ordering: String = try row["ordering"]
        return WebhookRecord(
            id: id, tenantID: try row["tenant_id"], did: try row["did"], url: try row["url"],
            secret: try opened(try row["secret_enc"], id, "secret"), events: try row["events"],
            isActive: try row["active"], disabledReason: try row["disabled_reason"],
            ordering: WebhookRecord.Ordering(rawValue: ordering) ?? .device, includesContent: try row["content"],
            headers: try openedHeaders(try row["headers_enc"], id), description: try row["description"],
            consecutiveFailures: try row["consecutive_failures"], createdAt: try row["created_at"],
            updatedAt: try row["updated_at"])
    }
}

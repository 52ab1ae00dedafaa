import Database
import Foundation

/// Seals what must be readable again (13-configuration, section 15). `context` names the row, so that a sealed value
/// moved to another row does not open.
package protocol SecretSealing: Sendable {
    func seal(_ plaintext: [UInt8], context: String) throws -> [UInt8]
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8]
}

/// Subscriptions, their delivery log and replays. What belongs to a device runs as its tenant, behind row-level security.
package struct WebhookRepository: Sendable {
    let database: StorageDatabase
    let seals: WebhookSeals

    package init(_ database: StorageDatabase, sealing: any SecretSealing) {
        self.database = database
        seals = WebhookSeals(sealing: sealing)
    }

    /// Runs a statement for one device of one tenant.
    func query(
        _ tenant: Int64, _ did: Int64, _ statement: Statement, _ parameters: [SQLValue]
    ) async throws -> [Row] {
        try await database.query(.device(DeviceScope(tenantID: tenant, did: did)), statement, parameters)
    }

    // MARK: Subscriptions

    /// Newest first, from behind `before` on.
    package func list(
        tenant: Int64, did: Int64, limit: Int, before: ListPosition? = nil
    ) async throws -> [WebhookRecord] {
        try await query(
            tenant, did, WebhookStatements.list,
            [.int(tenant), .int(did), SQLValue(limit), SQLValue(before?.time), SQLValue(before?.id)]
        ).map(record)
    }

    package func find(_ id: Int64, tenant: Int64, did: Int64) async throws -> WebhookRecord? {
        try await query(tenant, did, WebhookStatements.find, [.int(tenant), .int(did), .int(id)]).first.map(record)
    }

    /// - Returns: nil when the device has `limit` webhooks already, counted under a lock on the device.
    package func insert(
        _ new: WebhookChange, secret: String, tenant: Int64, did: Int64, limit: Int
    ) async throws -> WebhookRecord? {
        try await database.withTransaction(.device(DeviceScope(tenantID: tenant, did: did))) { transaction in
            _ = try await transaction.query(WebhookStatements.lockDevice, [.int(tenant), .int(did)])
            let count: Int64 =
                try await transaction.query(WebhookStatements.count, [.int(tenant), .int(did)]).first?.get(0) ?? 0
            guard count < Int64(limit) else { return nil }
            let id: Int64 = try await transaction.query(WebhookStatements.nextID).first?.get(0) ?? 0
            let rows = try await transaction.query(
                WebhookStatements.insert,
                [
                    .int(id), .int(tenant), .int(did), SQLValue(new.url ?? ""),
                    .bytes(try seals.sealSecret(secret, of: id)),
                    .texts(new.events ?? []), SQLValue((new.ordering ?? .device).rawValue),
                    SQLValue(new.includesContent ?? true), SQLValue(try seals.sealHeaders(new.headers, of: id)),
                    SQLValue(new.description ?? ""),
                ])
            return try rows.first.map(record)
        }
    }

    /// - Returns: nil when there is no such webhook of this device.
    package func update(_ id: Int64, _ change: WebhookChange, tenant: Int64, did: Int64) async throws -> WebhookRecord?
    {
        try await query(
            tenant, did, WebhookStatements.update,
            [
                .int(tenant), .int(did), .int(id), SQLValue(change.url), change.events.map { .texts($0) } ?? .null,
                SQLValue(change.isActive), SQLValue(change.ordering?.rawValue), SQLValue(change.includesContent),
                SQLValue(try seals.sealHeaders(change.headers, of: id)), SQLValue(change.description),
            ]
        ).first.map(record)
    }

    /// The old secret goes on signing for `grace` seconds.
    package func rotateSecret(
        _ id: Int64, to secret: String, grace: Int64, tenant: Int64, did: Int64
    ) async throws -> WebhookRecord? {
        try await query(
            tenant, did, WebhookStatements.rotateSecret,
            [.int(tenant), .int(did), .int(id), .bytes(try seals.sealSecret(secret, of: id)), .int(grace)]
        ).first.map(record)
    }

    /// Deletes the webhook; nobody sees its log any more, and what was still to be delivered is cancelled. False when there is
    /// none.
    package func delete(_ id: Int64, tenant: Int64, did: Int64) async throws -> Bool {
        try await database.withTransaction(.device(DeviceScope(tenantID: tenant, did: did))) { transaction in
            let parameters: [SQLValue] = [.int(tenant), .int(did), .int(id)]
            guard try await transaction.execute(WebhookStatements.delete, parameters) > 0 else { return false }
            for statement in [WebhookStatements.cancelPending, WebhookStatements.cancelRetrying] {
                _ = try await transaction.execute(statement, parameters)
            }
            return true
        }
    }

    // MARK: Rows

    private func record(_ row: Row) throws -> WebhookRecord {
        let id: Int64 = try row["id"]
        let ordering: String = try row["ordering"]
        let previous: [UInt8]? = try row["prev_secret_enc"]
        return WebhookRecord(
            id: id, tenantID: try row["tenant_id"], did: try row["did"], url: try row["url"],
            secret: try seals.openSecret(try row["secret_enc"], of: id),
            previousSecret: try previous.map { try seals.openSecret($0, of: id) },
            previousSecretUntil: try row["prev_secret_until"], events: try row["events"],
            isActive: try row["active"], disabledReason: try row["disabled_reason"], disabledAt: try row["disabled_at"],
            ordering: WebhookRecord.Ordering(rawValue: ordering) ?? .device, includesContent: try row["content"],
            headers: try seals.openHeaders(try row["headers_enc"], of: id), description: try row["description"],
            consecutiveFailures: try row["consecutive_failures"], failingSince: try row["fail_since"],
            lastSuccessAt: try row["last_success_at"], createdAt: try row["created_at"],
            updatedAt: try row["updated_at"])
    }
}

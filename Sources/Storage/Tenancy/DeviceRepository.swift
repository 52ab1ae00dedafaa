import Database
import Foundation
import Messaging

/// Devices: creation within the quota, tokens, settings, deletion. Every call names the tenant and device it works on,
/// except the operator's lists.
package struct DeviceRepository: Sendable {
    private let database: StorageDatabase
    /// For what no single tenant asks for. Requests of tenants and devices run in their scope, behind row-level security.
    private var pool: ConnectionPool { database.system }

    package init(_ database: StorageDatabase) { self.database = database }

    // MARK: Creation

    /// Makes a device with its lease row. The tenant's row is locked while its devices are counted, so that parallel calls
    /// never overshoot `max_devices`. Throws ``DeviceCreationError``.
    ///
    /// - Parameter secretHash: SHA-256 of the device secret.
    package func create(
        _ tenant: TenantScope, deviceID: UUID, name: String, externalID: String? = nil, secretHash: [UInt8]
    ) async throws -> DeviceRecord {
        try await create(
            tenant, deviceID: deviceID, name: name, externalID: externalID, secretHash: secretHash, repetition: nil
        ).record
    }

    /// As above, once per idempotency key within a day. Throws ``DeviceCreationError``, `keyReused` among them.
    ///
    /// - Returns: the device, and its sealed secret when an earlier request with the key made it.
    package func create(
        _ tenant: TenantScope, deviceID: UUID, name: String, externalID: String?, secretHash: [UInt8],
        repetition: CreationKey?
    ) async throws -> (record: DeviceRecord, sealedSecret: [UInt8]?) {
        do {
            return try await pool.withTransaction { transaction in
                guard
                    let limits = try await transaction.query(TenantStatements.lock, [.int(tenant.tenantID)]).first
                else { throw DeviceCreationError.unknownTenant }
                guard try limits["is_active"] == true else { throw DeviceCreationError.tenantInactive }
                if let repetition,
                    let row = try await transaction.query(
                        DeviceStatements.creation, [.int(tenant.tenantID), .text(repetition.key)]
                    ).first
                {
                    guard try row["request_hash"] == repetition.requestHash else {
                        throw DeviceCreationError.keyReused
                    }
                    return (try DeviceRecord(row), try row["secret_enc"])
                }
                let count: Int =
                    try await transaction.query(DeviceStatements.count, [.int(tenant.tenantID)]).first?[0] ?? 0
                guard count < (try limits["max_devices"] as Int) else { throw DeviceCreationError.limitReached }
                let results = try await transaction.pipeline([
                    DeviceStatements.insert(
                        .uuid(deviceID), .int(tenant.tenantID), SQLValue(externalID), .text(name), .bytes(secretHash)),
                    AuthFeedStatements.record("device", .int(tenant.tenantID), .uuid(deviceID), 1, true),
                ])
                guard let row = results.first?.rows.first else { throw StorageError.missingRow("devices.insert") }
                let record = try DeviceRecord(row)
                if let repetition {
                    _ = try await transaction.query(
                        DeviceStatements.keepCreation,
                        [
                            .int(tenant.tenantID), .text(repetition.key), .bytes(repetition.requestHash),
                            .int(record.did), .bytes(try repetition.seal(record.did)),
                        ])
                }
                return (record, nil)
            }
        } catch let error as DatabaseError where error.constraint == "devices_tenant_id_external_id_key" {
            throw DeviceCreationError.externalIDTaken
        }
    }

    // MARK: Reading

    package func device(_ deviceID: UUID) async throws -> DeviceRecord? {
        try await pool.query(DeviceStatements.byDeviceID, [.uuid(deviceID)]).first.map(DeviceRecord.init)
    }

    package func device(_ scope: DeviceScope) async throws -> DeviceRecord? {
        try await database.query(
            .device(scope), DeviceStatements.byNumber, [.int(scope.tenantID), .int(scope.did)]
        ).first.map(DeviceRecord.init)
    }

    /// All devices of a tenant, newest first.
    package func devices(_ tenant: TenantScope) async throws -> [DeviceRecord] {
        try await database.query(.tenant(tenant), DeviceStatements.ofTenant, [.int(tenant.tenantID)])
            .map(DeviceRecord.init)
    }

    /// Devices with customer and live state, newest first: the operator's lists.
    package func overviews(_ filter: DeviceFilter = DeviceFilter()) async throws -> [DeviceOverview] {
        try await pool.query(
            DeviceStatements.overviews,
            [
                SQLValue(filter.status?.rawValue), SQLValue(filter.tenantID), SQLValue(filter.text),
                SQLValue(filter.limit), SQLValue(filter.before?.time), SQLValue(filter.before?.id),
            ]
        ).map(DeviceOverview.init)
    }

    package func overview(_ deviceID: UUID) async throws -> DeviceOverview? {
        try await pool.query(DeviceStatements.overviewByDeviceID, [.uuid(deviceID)]).first.map(DeviceOverview.init)
    }

    /// How many devices are logged in, as their owners published.
    package func onlineCount() async throws -> Int {
        try await pool.query(DeviceStatements.online).first?[0] ?? 0
    }

    // MARK: Tokens

    package func credentials(_ deviceID: UUID) async throws -> DeviceCredentialRecord? {
        try await pool.query(DeviceStatements.credentials, [.uuid(deviceID)]).first.map { row in
            DeviceCredentialRecord(
                did: try row["did"], tenantID: try row["tenant_id"], secretHash: try row["secret_hash"],
                tokenVersion: try row["token_version"], tenantIsActive: try row["is_active"], jid: try row["jid"])
        }
    }

    /// Invalidates every token of a device, on every node. Returns the new version and the JID to put into the next token;
    /// nil when there is no such device.
    package func raiseTokenVersion(_ deviceID: UUID) async throws -> (version: Int, jid: String?)? {
        try await database.tokenRaises.submit(deviceID).map { ($0.version, $0.jid) }
    }

    /// The new versions of the devices there are. Callers go through ``StorageDatabase/tokenRaises``.
    static func raiseTokenVersions(
        _ devices: [UUID], pool: ConnectionPool
    ) async throws -> [UUID: RaisedToken?] {
        let rows = try await pool.query(DeviceStatements.raiseTokenVersions, [.uuids(devices)])
        return try Dictionary(
            uniqueKeysWithValues: rows.map { row in
                (try row["device_id"], RaisedToken(version: try row["token_version"], jid: try row["jid"]))
            })
    }

    // MARK: Settings

    /// The sealed proxy URL; nil when the device has none of its own.
    package func sealedProxy(_ scope: DeviceScope) async throws -> [UInt8]? {
        try await database.query(.device(scope), DeviceStatements.proxy, [.int(scope.tenantID), .int(scope.did)])
            .first?[0]
    }

    /// Sets or clears the sealed proxy URL. False when there is no such device.
    package func setProxy(_ scope: DeviceScope, sealed: [UInt8]?) async throws -> Bool {
        try await change(DeviceStatements.setProxy, scope, [SQLValue(sealed)])
    }

    /// Says whether the cluster should run the device, and tells every node.
    package func setWish(_ scope: DeviceScope, _ wish: DeviceWish) async throws -> Bool {
        let results = try await database.pipeline(
            .device(scope),
            [
                DeviceStatements.setWish(.int(scope.tenantID), .int(scope.did), .text(wish.rawValue)),
                DeviceStatements.announceLease(.int(scope.did)),
            ])
        return results.first?.affectedRows == 1
    }

    package func setPassive(_ scope: DeviceScope, _ passive: Bool) async throws -> Bool {
        try await change(DeviceStatements.setPassive, scope, [.bool(passive)])
    }

    package func setForceActiveReceipts(_ scope: DeviceScope, _ force: Bool) async throws -> Bool {
        try await change(DeviceStatements.setForceActiveReceipts, scope, [.bool(force)])
    }

    package func setPush(_ scope: DeviceScope, platform: String, sealedToken: [UInt8]?) async throws -> Bool {
        try await change(DeviceStatements.setPush, scope, [.text(platform), SQLValue(sealedToken)])
    }

    package func clearPush(_ scope: DeviceScope) async throws -> Bool {
        try await change(DeviceStatements.clearPush, scope, [])
    }

    private func change(_ statement: Statement, _ scope: DeviceScope, _ values: [SQLValue]) async throws -> Bool {
        try await database.execute(.device(scope), statement, [.int(scope.tenantID), .int(scope.did)] + values) == 1
    }

    // MARK: Deletion

    /// Deletes a device and everything of it in one transaction, and tells every node: its tokens are void, and whoever
    /// runs it can write no more. False when there is no such device.
    package func delete(_ deviceID: UUID) async throws -> Bool {
        // A commit of its session may hold what the deletion needs, and the other way round: one of the two runs again.
        try await pool.withTransaction(retries: 3) { transaction in
            guard let row = try await transaction.query(DeviceStatements.lock, [.uuid(deviceID)]).first else {
                return false
            }
            try await Self.delete(
                did: try row["did"], deviceID: deviceID, tenantID: try row["tenant_id"], in: transaction)
            return true
        }
    }

    static func delete(did: Int64, deviceID: UUID, tenantID: Int64, in transaction: Transaction) async throws {
        _ = try await transaction.pipeline([
            DeviceStatements.tombstone(.uuid(deviceID), .int(did), .int(tenantID)),
            AuthFeedStatements.record("device_deleted", .int(tenantID), .uuid(deviceID), nil, false),
            DeviceStatements.announceLease(.int(did)),
            DeviceStatements.deleteAttempts(.int(did)),
            DeviceStatements.deleteDeliveries(.int(did)),
            DeviceStatements.deleteEvents(.int(did)),
            DeviceStatements.deleteDedupe(.int(did)),
            DeviceStatements.deleteHourly(.int(did)),
            DeviceStatements.deleteWebhooks(.int(did)),
            DeviceStatements.delete(.int(did), .int(tenantID)),
        ])
    }
}

/// What a raise of a token version gave.
package struct RaisedToken: Sendable {
    let version: Int
    let jid: String?
}

import Database
import Messaging

/// Tenants and their API keys. Part of the system module: the operator sees all tenants.
package struct TenantRepository: Sendable {
    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Makes a tenant with its first key.
    package func create(_ new: NewTenant, key: APIKeyDigest) async throws -> Tenant {
        try await pool.withTransaction { transaction in
            let inserted = try await transaction.query(
                TenantStatements.insert,
                [
                    .text(new.customerName), .text(new.customerEmail), .text(new.customerPhone),
                    SQLValue(new.maxDevices), SQLValue(new.rateLimitPerHour),
                ])
            guard let row = inserted.first else { throw StorageError.missingRow("tenants.insert") }
            let id: Int64 = try row["id"]
            _ = try await transaction.pipeline([
                TenantStatements.insertKey(.int(id), .bytes(key.hash), .text(key.prefix), .text(key.suffix)),
                AuthFeedStatements.record("api_key", .int(id), nil, nil, true),
            ])
            guard let tenant = try await transaction.query(TenantStatements.byID, [.int(id)]).first else {
                throw StorageError.missingRow("tenants.by_id")
            }
            return try Tenant(tenant)
        }
    }

    package func tenant(_ id: Int64) async throws -> Tenant? {
        try await pool.query(TenantStatements.byID, [.int(id)]).first.map(Tenant.init)
    }

    /// A page of the tenants, newest first.
    ///
    /// - Parameter text: Part of the name, the e-mail address, the masked key or the id, in any case; nil: all tenants.
    package func list(matching text: String?, limit: Int, before: ListPosition?) async throws -> [Tenant] {
        try await pool.query(
            TenantStatements.list,
            [SQLValue(text), SQLValue(limit), SQLValue(before?.time), SQLValue(before?.id)]
        ).map(Tenant.init)
    }

    /// Changes a tenant and tells every node. Nil when there is no such tenant.
    package func update(_ id: Int64, _ change: TenantChange) async throws -> Tenant? {
        try await pool.withTransaction { transaction in
            let updated = try await transaction.query(
                TenantStatements.update,
                [
                    .int(id), SQLValue(change.customerName), SQLValue(change.customerEmail),
                    SQLValue(change.customerPhone), SQLValue(change.maxDevices), SQLValue(change.rateLimitPerHour),
                    SQLValue(change.isActive),
                ])
            guard let row = updated.first else { return nil }
            let isActive: Bool = try row["is_active"]
            let results = try await transaction.pipeline([
                AuthFeedStatements.record("tenant", .int(id), nil, nil, .bool(isActive)),
                TenantStatements.byID(.int(id)),
            ])
            return try results.last?.rows.first.map(Tenant.init)
        }
    }

    /// Adds a key and lets the others run out after `grace`. False when there is no such tenant.
    package func rotateKey(_ id: Int64, to key: APIKeyDigest, grace: Duration) async throws -> Bool {
        try await pool.withTransaction { transaction in
            guard let tenant = try await transaction.query(TenantStatements.lock, [.int(id)]).first else {
                return false
            }
            let isActive: Bool = try tenant["is_active"]
            _ = try await transaction.pipeline([
                TenantStatements.insertKey(.int(id), .bytes(key.hash), .text(key.prefix), .text(key.suffix)),
                TenantStatements.retireKeys(.int(id), .bytes(key.hash), .seconds(grace)),
                AuthFeedStatements.record("api_key", .int(id), nil, nil, .bool(isActive)),
            ])
            return true
        }
    }

    /// Deletes a tenant with all its devices and everything of theirs, and tells every node. Returns the number of devices
    /// deleted; nil when there is no such tenant.
    package func delete(_ id: Int64) async throws -> Int? {
        try await pool.withTransaction(retries: 3) { transaction in
            guard try await !transaction.query(TenantStatements.lock, [.int(id)]).isEmpty else { return nil }
            let devices = try await transaction.query(DeviceStatements.idsOfTenant, [.int(id)])
            for row in devices {
                try await DeviceRepository.delete(
                    did: try row["did"], deviceID: try row["device_id"], tenantID: id, in: transaction)
            }
            _ = try await transaction.pipeline([
                TenantStatements.delete(.int(id)),
                AuthFeedStatements.record("tenant_deleted", .int(id), nil, nil, false),
            ])
            return devices.count
        }
    }

    // MARK: Keys

    /// The valid key with this hash. Compare the hashes again in constant time before trusting it.
    package func key(hash: [UInt8]) async throws -> APIKeyRecord? {
        try await pool.query(TenantStatements.keyByHash, [.bytes(hash)]).first.map(APIKeyRecord.init)
    }

    /// Every valid key, for the table in memory.
    package func validKeys() async throws -> [APIKeyRecord] {
        try await pool.query(TenantStatements.validKeys).map(APIKeyRecord.init)
    }

    package func statistics() async throws -> SystemStatistics {
        guard let row = try await pool.query(TenantStatements.statistics).first else {
            throw StorageError.missingRow("system.statistics")
        }
        return SystemStatistics(
            tenants: try row["tenants"], activeTenants: try row["active_tenants"], devices: try row["devices"],
            activeDevices: try row["active_devices"], disconnectedDevices: try row["disconnected_devices"],
            pendingDevices: try row["pending_devices"], loggedOutDevices: try row["logged_out_devices"],
            webhooks: try row["webhooks"], activeWebhooks: try row["active_webhooks"], leases: try row["leases"])
    }
}

/// A row that must be there was not.
package enum StorageError: Error, Sendable, Equatable {
    case missingRow(String)
}

extension Tenant {
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"], customerName: try row["customer_name"], customerEmail: try row["customer_email"],
            customerPhone: try row["customer_phone"], maxDevices: try row["max_devices"],
            rateLimitPerHour: try row["rate_limit_per_hour"], isActive: try row["is_active"],
            settings: try row["settings"], createdAt: try row["created_at"], updatedAt: try row["updated_at"],
            keyPrefix: try row["key_prefix"], keySuffix: try row["key_suffix"], deviceCount: try row["device_count"])
    }
}

extension APIKeyRecord {
    fileprivate init(_ row: Row) throws {
        self.init(
            hash: try row["key_hash"], tenantID: try row["tenant_id"], isActive: try row["is_active"],
            maxDevices: try row["max_devices"], rateLimitPerHour: try row["rate_limit_per_hour"],
            expiresAt: try row["expires_at"])
    }
}

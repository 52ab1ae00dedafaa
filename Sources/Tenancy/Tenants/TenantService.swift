import AdminAuth
import Foundation
import Storage

/// Customers and their API keys, as the operator manages them (10-rest-api, section 8).
package struct TenantService: Sendable {
    private let tenants: TenantRepository
    private let devices: DeviceRepository
    private let directory: AuthDirectory
    private let hasher: CredentialHasher
    private let sessions: any SessionDirectory
    private let audit: AuditLog

    package init(
        database: StorageDatabase, directory: AuthDirectory, hasher: CredentialHasher, sessions: any SessionDirectory,
        audit: AuditLog
    ) {
        tenants = TenantRepository(database)
        devices = DeviceRepository(database)
        self.directory = directory
        self.hasher = hasher
        self.sessions = sessions
        self.audit = audit
    }

    /// Makes a tenant. The key is in the result and nowhere else.
    package func create(_ new: NewTenant, from origin: AuditOrigin) async throws -> (tenant: Tenant, key: APIKey) {
        let key = APIKey.generate()
        let digest = self.digest(of: key)
        let tenant = try await tenants.create(new, key: digest)
        directory.store(
            KnownTenant(
                id: tenant.id, isActive: tenant.isActive, requestsPerHour: tenant.rateLimitPerHour,
                keys: [KnownTenant.Key(hash: digest.hash)]))
        await audit.record("api_key.create", by: "admin", from: origin, tenantID: tenant.id)
        return (tenant, key)
    }

    /// A page of the tenants, newest first; `text` is part of a name, an e-mail address, a masked key or an id.
    package func list(matching text: String?, limit: Int, before: ListPosition?) async throws -> [Tenant] {
        try await tenants.list(matching: text, limit: limit, before: before)
    }

    package func find(_ id: Int64) async throws -> Tenant {
        guard let tenant = try await tenants.tenant(id) else { throw TenancyError.tenantNotFound }
        return tenant
    }

    package func update(_ id: Int64, _ change: TenantChange, from origin: AuditOrigin) async throws -> Tenant {
        guard let tenant = try await tenants.update(id, change) else { throw TenancyError.tenantNotFound }
        try await refresh(tenant)
        await audit.record("api_key.update", by: "admin", from: origin, tenantID: id)
        return tenant
    }

    /// Replaces the key; the old ones stay valid for `grace`.
    package func rotateKey(_ id: Int64, grace: Duration, from origin: AuditOrigin) async throws -> APIKey {
        let key = APIKey.generate()
        guard try await tenants.rotateKey(id, to: digest(of: key), grace: grace) else {
            throw TenancyError.tenantNotFound
        }
        try await refresh(try await find(id))
        await audit.record("api_key.rotate", by: "admin", from: origin, tenantID: id)
        return key
    }

    /// Deletes a tenant with all its devices. Returns how many those were.
    package func delete(_ id: Int64, from origin: AuditOrigin) async throws -> Int {
        let owned = try await devices.devices(TenantScope(tenantID: id))
        guard let count = try await tenants.delete(id) else { throw TenancyError.tenantNotFound }
        directory.remove(tenant: id)
        await audit.record("api_key.delete", by: "admin", from: origin, tenantID: id)
        for device in owned { DeviceFarewell.begin(did: device.did, sessions) }
        return count
    }

    package func devices(of id: Int64) async throws -> [DeviceRecord] {
        _ = try await find(id)
        return try await devices.devices(TenantScope(tenantID: id))
    }

    /// Devices with the state their owner published, newest first.
    package func overviews(of id: Int64, limit: Int, before: ListPosition?) async throws -> [DeviceOverview] {
        _ = try await find(id)
        return try await devices.overviews(DeviceFilter(tenantID: id, limit: limit, before: before))
    }

    package func statistics() async throws -> SystemStatistics { try await tenants.statistics() }

    private func digest(of key: APIKey) -> APIKeyDigest {
        APIKeyDigest(hash: hasher.hash(apiKey: key.text), prefix: key.head, suffix: key.tail)
    }

    /// Brings this node's table up to date at once; the others follow by notification.
    private func refresh(_ tenant: Tenant) async throws {
        let keys = try await tenants.validKeys().filter { $0.tenantID == tenant.id }
        directory.store(
            KnownTenant(
                id: tenant.id, isActive: tenant.isActive, requestsPerHour: tenant.rateLimitPerHour,
                keys: keys.map { KnownTenant.Key(hash: $0.hash, expiresAt: $0.expiresAt.map(Date.init)) }))
    }
}

import Foundation
import NIOConcurrencyHelpers

/// A device as authentication knows it.
package struct KnownDevice: Sendable, Hashable {
    package var deviceID: UUID
    package var did: Int64
    package var tenantID: Int64
    package var tokenVersion: Int

    package init(deviceID: UUID, did: Int64, tenantID: Int64, tokenVersion: Int) {
        self.deviceID = deviceID
        self.did = did
        self.tenantID = tenantID
        self.tokenVersion = tokenVersion
    }
}

/// A tenant as authentication knows it, with all its keys.
package struct KnownTenant: Sendable, Equatable {
    package struct Key: Sendable, Equatable {
        /// 32 bytes.
        package var hash: [UInt8]
        /// Set on a key that is being replaced.
        package var expiresAt: Date?

        package init(hash: [UInt8], expiresAt: Date? = nil) {
            self.hash = hash
            self.expiresAt = expiresAt
        }
    }

    package var id: Int64
    package var isActive: Bool
    /// 0 is unlimited.
    package var requestsPerHour: Int
    package var keys: [Key]

    package init(id: Int64, isActive: Bool, requestsPerHour: Int, keys: [Key]) {
        self.id = id
        self.isActive = isActive
        self.requestsPerHour = requestsPerHour
        self.keys = keys
    }
}

/// Everything a request needs to be authenticated, in memory: devices with their token versions, tenants and key hashes
/// (10-rest-api, section 3.4). Filled by ``AuthFeed``; reads take a lock for some tens of nanoseconds and no statement.
package final class AuthDirectory: Sendable {
    private struct Tables {
        var devices: [UUID: KnownDevice] = [:]
        var tenants: [Int64: KnownTenant] = [:]
        var keys: [[UInt8]: (tenantID: Int64, expiresAt: Date?)] = [:]
    }

    private let tables = NIOLockedValueBox(Tables())

    package init() {}

    package func device(_ id: UUID) -> (device: KnownDevice, tenant: KnownTenant?)? {
        tables.withLockedValue { tables in
            tables.devices[id].map { ($0, tables.tenants[$0.tenantID]) }
        }
    }

    /// The tenant that a key hash belongs to; nil for unknown and expired keys.
    package func tenant(keyHash: [UInt8], now: Date) -> KnownTenant? {
        tables.withLockedValue { tables in
            guard let key = tables.keys[keyHash] else { return nil }
            if let expiry = key.expiresAt, expiry <= now { return nil }
            return tables.tenants[key.tenantID]
        }
    }

    package var counts: (devices: Int, tenants: Int) {
        tables.withLockedValue { ($0.devices.count, $0.tenants.count) }
    }

    // MARK: Changes

    /// Replaces everything.
    package func load(devices: [KnownDevice], tenants: [KnownTenant]) {
        var loaded = Tables()
        loaded.devices.reserveCapacity(devices.count)
        for device in devices { loaded.devices[device.deviceID] = device }
        for tenant in tenants { Self.store(tenant, in: &loaded) }
        tables.withLockedValue { $0 = loaded }
    }

    /// Adds or changes a device. A token version never goes down: changes may arrive in any order.
    package func store(_ device: KnownDevice) {
        tables.withLockedValue { tables in
            var device = device
            if let known = tables.devices[device.deviceID] {
                device.tokenVersion = max(device.tokenVersion, known.tokenVersion)
            }
            tables.devices[device.deviceID] = device
        }
    }

    package func remove(device id: UUID) {
        tables.withLockedValue { $0.devices[id] = nil }
    }

    package func store(_ tenant: KnownTenant) {
        tables.withLockedValue { Self.store(tenant, in: &$0) }
    }

    /// Removes a tenant with its keys and devices.
    package func remove(tenant id: Int64) {
        tables.withLockedValue { tables in
            Self.dropKeys(of: id, in: &tables)
            tables.tenants[id] = nil
            tables.devices = tables.devices.filter { $0.value.tenantID != id }
        }
    }

    private static func store(_ tenant: KnownTenant, in tables: inout Tables) {
        dropKeys(of: tenant.id, in: &tables)
        tables.tenants[tenant.id] = tenant
        for key in tenant.keys { tables.keys[key.hash] = (tenant.id, key.expiresAt) }
    }

    private static func dropKeys(of tenant: Int64, in tables: inout Tables) {
        for key in tables.tenants[tenant]?.keys ?? [] where tables.keys[key.hash]?.tenantID == tenant {
            tables.keys[key.hash] = nil
        }
    }
}

import Database
import Foundation
import Messaging

/// What authentication keeps in memory of one device.
package struct FeedDevice: Sendable, Hashable {
    package let deviceID: UUID
    package let did: Int64
    package let tenantID: Int64
    package let tokenVersion: Int
}

/// What authentication keeps in memory of one tenant, with its keys that are valid now.
package struct FeedTenant: Sendable, Hashable {
    package struct Key: Sendable, Hashable {
        /// 32 bytes.
        package let hash: [UInt8]
        /// Set on a key that is being replaced.
        package let expiresAt: Timestamp?
    }

    package let id: Int64
    package let isActive: Bool
    package let maxDevices: Int
    /// 0 is unlimited.
    package let rateLimitPerHour: Int
    package let keys: [Key]
}

/// What feed entries are about, as it is now: order and repetition do not matter.
package enum FeedEntry: Sendable, Hashable {
    case device(FeedDevice)
    case deviceGone(UUID)
    case tenant(FeedTenant)
    case tenantGone(Int64)
}

/// The tables that authentication keeps in memory, and the feed that keeps them right (14-storage, section 7.5).
package struct AuthFeedRepository: Sendable {
    /// Channel on which changes are announced; the payload is `{"id":n}`.
    package static let channel = "sb_auth"

    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Every device and tenant, and the newest entry that they certainly contain.
    package func snapshot() async throws -> (devices: [FeedDevice], tenants: [FeedTenant], lastID: Int64) {
        // The position first: what changes while the rest is read stands in the feed behind it.
        let results = try await pool.pipeline([
            AuthFeedStatements.lastID(), AuthFeedStatements.devices(), AuthFeedStatements.tenants(),
        ])
        guard results.count == 3 else { throw StorageError.missingRow("auth.snapshot") }
        return (
            try results[1].rows.map(Self.device), try results[2].rows.map(Self.tenant),
            try results[0].rows.first?[0] ?? 0
        )
    }

    /// What entries above `id` are about, and the newest entry seen. Entries become visible out of order: pass an `id` well
    /// below the last one.
    package func entries(after id: Int64) async throws -> (entries: [FeedEntry], lastID: Int64) {
        let results = try await pool.pipeline([
            AuthFeedStatements.lastID(), AuthFeedStatements.changedDevices(.int(id)),
            AuthFeedStatements.changedTenants(.int(id)),
        ])
        guard results.count == 3 else { throw StorageError.missingRow("auth.changes") }
        var entries: [FeedEntry] = []
        for row in results[2].rows {
            let present: Int64? = try row["id"]
            entries.append(present == nil ? .tenantGone(try row["changed"]) : .tenant(try Self.tenant(row)))
        }
        for row in results[1].rows {
            let did: Int64? = try row["did"]
            entries.append(did == nil ? .deviceGone(try row["device_id"]) : .device(try Self.device(row)))
        }
        return (entries, max(id, try results[0].rows.first?[0] ?? 0))
    }

    private static func device(_ row: Row) throws -> FeedDevice {
        FeedDevice(
            deviceID: try row["device_id"], did: try row["did"], tenantID: try row["tenant_id"],
            tokenVersion: try row["token_version"])
    }

    private static func tenant(_ row: Row) throws -> FeedTenant {
        let hashes: [[UInt8]] = try row["key_hashes"]
        let expiries: [Timestamp?] = try row["key_expiries"]
        return FeedTenant(
            id: try row["id"], isActive: try row["is_active"], maxDevices: try row["max_devices"],
            rateLimitPerHour: try row["rate_limit_per_hour"],
            keys: zip(hashes, expiries).map { FeedTenant.Key(hash: $0, expiresAt: $1) })
    }
}

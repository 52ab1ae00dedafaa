import Database
import Foundation

/// What token checks need of one device.
package struct AuthDevice: Sendable, Equatable {
    package let deviceID: UUID
    package let did: Int64
    package let tenantID: Int64
    package let tokenVersion: Int
    package let tenantIsActive: Bool
}

/// One entry of the feed. Apply idempotently: entries come more than once, and a token version only rises.
package enum AuthChange: Sendable, Equatable {
    /// `did` is nil when the device was deleted meanwhile.
    case device(deviceID: UUID, did: Int64?, tenantID: Int64, tokenVersion: Int)
    case deviceDeleted(deviceID: UUID, tenantID: Int64)
    case tenant(tenantID: Int64, isActive: Bool)
    case tenantDeleted(tenantID: Int64)
    /// Keys of the tenant changed: read them again.
    case apiKey(tenantID: Int64)
}

/// The tables that authentication keeps in memory, and the feed that keeps them right (14-storage, section 7.5).
package struct AuthFeedRepository: Sendable {
    /// Channel on which changes are announced; the payload is `{"id":n}`.
    package static let channel = "sb_auth"

    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Every device, and the feed position to continue from.
    package func snapshot() async throws -> (devices: [AuthDevice], position: Int64) {
        // The position first: what changes while the devices are read is in the feed behind it.
        let position: Int64 = try await pool.query(AuthFeedStatements.lastID).first?[0] ?? 0
        let devices = try await pool.query(AuthFeedStatements.devices).map { row in
            AuthDevice(
                deviceID: try row["device_id"], did: try row["did"], tenantID: try row["tenant_id"],
                tokenVersion: try row["token_version"], tenantIsActive: try row["is_active"])
        }
        return (devices, position)
    }

    /// Entries behind `position`, with the recent ones before it again, and the new position.
    package func changes(after position: Int64) async throws -> (changes: [AuthChange], position: Int64) {
        var last = position
        var changes: [AuthChange] = []
        for row in try await pool.query(AuthFeedStatements.changes, [.int(position)]) {
            last = max(last, try row["id"])
            let tenantID: Int64 = try row["tenant_id"]
            let deviceID: UUID? = try row["device_id"]
            switch (try row["kind"] as String, deviceID) {
            case ("device", let deviceID?):
                changes.append(
                    .device(
                        deviceID: deviceID, did: try row["did"], tenantID: tenantID,
                        tokenVersion: try row["token_version"] ?? 1))
            case ("device_deleted", let deviceID?):
                changes.append(.deviceDeleted(deviceID: deviceID, tenantID: tenantID))
            case ("tenant", _): changes.append(.tenant(tenantID: tenantID, isActive: try row["is_active"] ?? true))
            case ("tenant_deleted", _): changes.append(.tenantDeleted(tenantID: tenantID))
            default: changes.append(.apiKey(tenantID: tenantID))
            }
        }
        return (changes, last)
    }
}

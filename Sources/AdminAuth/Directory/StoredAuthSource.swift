import Database
import Foundation
import Messaging
import Storage

/// The directory's contents from the database: its feed of changes and the tables behind it.
package struct StoredAuthSource: AuthSource {
    private let feed: AuthFeedRepository
    private let database: StorageDatabase

    package init(_ database: StorageDatabase) {
        self.database = database
        feed = AuthFeedRepository(database)
    }

    package func snapshot() async throws -> (devices: [KnownDevice], tenants: [KnownTenant], lastID: Int64) {
        let (devices, tenants, lastID) = try await feed.snapshot()
        return (devices.map(KnownDevice.init), tenants.map(KnownTenant.init), lastID)
    }

    package func changes(after id: Int64) async throws -> (changes: [DirectoryChange], lastID: Int64) {
        let (entries, lastID) = try await feed.entries(after: id)
        let changes = entries.map { entry -> DirectoryChange in
            switch entry {
            case .device(let device): .device(KnownDevice(device))
            case .deviceGone(let id): .deviceGone(id)
            case .tenant(let tenant): .tenant(KnownTenant(tenant))
            case .tenantGone(let id): .tenantGone(id)
            }
        }
        return (changes, lastID)
    }

    package func hints() -> AsyncStream<AuthHint> {
        let events = database.system.listen([AuthFeedRepository.channel])
        return AsyncStream { continuation in
            let task = Task {
                for await event in events {
                    switch event {
                    case .listening: continuation.yield(.listening)
                    case .notification: continuation.yield(.changed)
                    case .disconnected: continuation.yield(.disconnected)
                    }
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}

extension KnownDevice {
    init(_ device: FeedDevice) {
        self.init(
            deviceID: device.deviceID, did: device.did, tenantID: device.tenantID, tokenVersion: device.tokenVersion)
    }
}

extension KnownTenant {
    init(_ tenant: FeedTenant) {
        self.init(
            id: tenant.id, isActive: tenant.isActive, requestsPerHour: tenant.rateLimitPerHour,
            keys: tenant.keys.map { Key(hash: $0.hash, expiresAt: $0.expiresAt.map(Date.init)) })
    }
}

extension Date {
    package init(_ timestamp: Timestamp) {
        self.init(timeIntervalSince1970: Double(timestamp.microseconds) / 1_000_000)
    }
}

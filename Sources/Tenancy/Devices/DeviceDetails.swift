import Messaging
import NIOConcurrencyHelpers
import Storage

/// Device rows for the requests that show them, read at most once a second each: a client that polls its own device
/// costs no statements. A change that this node makes forgets the row at once.
package final class DeviceDetails: Sendable {
    private struct Entry {
        let record: DeviceRecord
        let readAt: ContinuousClock.Instant
        /// What the running session showed when the row was read: a changed state means a changed row.
        let sign: SessionSign?
    }

    /// The parts of a session's state that the row repeats.
    private struct SessionSign: Equatable {
        let phase: ConnectionState.Phase
        let jid: String?
        let end: SessionEnd?
    }

    private static let lifetime = Duration.seconds(1)
    private static let capacity = 50_000

    private let devices: DeviceRepository
    private let sessions: any SessionDirectory
    private let entries = NIOLockedValueBox<[Int64: Entry]>([:])

    package init(database: StorageDatabase, sessions: any SessionDirectory) {
        devices = DeviceRepository(database)
        self.sessions = sessions
    }

    /// The row of a device. Throws `TenancyError.deviceNotFound`.
    package func record(_ scope: DeviceScope) async throws -> DeviceRecord {
        let state = sessions.running(did: scope.did)?.state
        let sign = state.map { SessionSign(phase: $0.phase, jid: $0.jid, end: $0.end) }
        let now = ContinuousClock.now
        if let entry = entries.withLockedValue({ $0[scope.did] }), entry.sign == sign,
            now - entry.readAt < Self.lifetime
        {
            return entry.record
        }
        guard let record = try await devices.device(scope) else { throw TenancyError.deviceNotFound }
        entries.withLockedValue { entries in
            if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
            entries[scope.did] = Entry(record: record, readAt: now, sign: sign)
        }
        return record
    }

    package func forget(did: Int64) {
        entries.withLockedValue { $0[did] = nil }
    }
}

import Foundation
import Messaging
import Storage

/// The way from a request to the session of its device.
package struct DeviceGate: Sendable {
    private let sessions: any SessionDirectory
    private let details: DeviceDetails
    private let devices: DeviceRepository

    package init(database: StorageDatabase, sessions: any SessionDirectory, details: DeviceDetails) {
        self.sessions = sessions
        self.details = details
        devices = DeviceRepository(database)
    }

    package func record(_ scope: DeviceScope) async throws -> DeviceRecord { try await details.record(scope) }

    /// Row and live state. Reads the published state of the cluster when the session runs elsewhere.
    package func status(_ scope: DeviceScope, deviceID: UUID) async throws -> (
        record: DeviceRecord, live: LiveDeviceState
    ) {
        let record = try await details.record(scope)
        if let session = sessions.running(did: scope.did) { return (record, LiveDeviceState(session.state)) }
        if record.jid == nil { return (record, LiveDeviceState(LiveState.none)) }
        let overview = try await devices.overview(deviceID)
        return (record, LiveDeviceState(overview?.liveState ?? .none, end: record.end))
    }

    package func live(of overview: DeviceOverview) -> LiveDeviceState {
        if let session = sessions.running(did: overview.device.did) { return LiveDeviceState(session.state) }
        return LiveDeviceState(overview.liveState, end: overview.device.end)
    }

    /// Why the device is not connected: what its session here knows, else what its row says.
    ///
    /// - Parameter live: Its state, for a device of another node.
    package func reason(_ record: DeviceRecord, _ live: LiveDeviceState? = nil) -> DeviceReason? {
        if let state = sessions.running(did: record.did)?.state {
            return DeviceReason(state) ?? (state.isPaired || state.phase != .idle ? nil : DeviceReason(record))
        }
        if live?.obstacle == .notConnected { return DeviceReason(word: "network") }
        return live?.isLoaded == true ? nil : DeviceReason(record)
    }

    package func reason(of overview: DeviceOverview) -> DeviceReason? {
        reason(overview.device, live(of: overview))
    }

    /// The session for a call that needs a paired device. A device that was never paired, or that waits for somebody to
    /// act, gets no session made: throws `SessionError` with the reason.
    package func session(_ scope: DeviceScope) async throws -> any DeviceClient {
        if sessions.running(did: scope.did) != nil { return try await sessions.session(did: scope.did) }
        let record = try await details.record(scope)
        guard record.jid != nil else { throw SessionError.notPaired }
        switch record.wish {
        case .run: return try await sessions.session(did: scope.did)
        case .stopped: throw SessionError.notPaired
        case .held:
            guard let end = record.end else { return try await sessions.session(did: scope.did) }
            throw SessionError.ended(end)
        }
    }

    /// The session for a logout: also that of a device that is held, which stays unconnected. Throws `notPaired` for a device
    /// that has nothing to end.
    package func sessionToLogOut(_ scope: DeviceScope) async throws -> any DeviceClient {
        if sessions.running(did: scope.did) != nil { return try await sessions.session(did: scope.did) }
        let record = try await details.record(scope)
        guard record.jid != nil, record.wish != .stopped else { throw SessionError.notPaired }
        return try await sessions.session(did: scope.did)
    }

    /// The session for pairing and for an explicit reconnect: ends a hold.
    package func sessionToConnect(_ scope: DeviceScope) async throws -> any DeviceClient {
        let record = try await details.record(scope)
        if record.wish != .run {
            guard try await devices.setWish(scope, .run) else { throw TenancyError.deviceNotFound }
            details.forget(did: scope.did)
        }
        return try await sessions.session(did: scope.did)
    }
}

import Foundation
import Messaging
import NIOConcurrencyHelpers
import Tenancy

/// Sessions by device number; unknown devices get an unpaired one when they are asked for.
package final class FakeSessions: SessionDirectory {
    private struct State {
        var sessions: [Int64: FakeDeviceClient] = [:]
        var stopped: [Int64] = []
        var failure: SessionDirectoryError?
        var owner = (url: "", nodeID: UUID())
        /// Devices of the other node, and how many more times they are said to be there.
        var elsewhere: [Int64: Int] = [:]
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package func set(_ did: Int64, _ session: FakeDeviceClient) { state.withLockedValue { $0.sessions[did] = session } }
    package func fail(with error: SessionDirectoryError?) { state.withLockedValue { $0.failure = error } }
    package func fake(_ did: Int64) -> FakeDeviceClient? { state.withLockedValue { $0.sessions[did] } }
    package var stopped: [Int64] { state.withLockedValue { $0.stopped } }

    /// Where devices that are elsewhere are.
    package func setOwnerURL(_ url: String, nodeID: UUID) { state.withLockedValue { $0.owner = (url, nodeID) } }

    /// Says of a device that another node has it, for as many questions.
    package func elsewhere(_ did: Int64, times: Int = .max) { state.withLockedValue { $0.elsewhere[did] = times } }

    package func running(did: Int64) -> (any DeviceClient)? {
        state.withLockedValue { $0.elsewhere[did, default: 0] > 0 ? nil : $0.sessions[did] }
    }

    package func located(did: Int64) async throws -> (any DeviceClient)? {
        try checkOwner(did)
        return running(did: did)
    }

    /// Counts one question for a device of the other node. Throws `SessionDirectoryError.elsewhere`.
    private func checkOwner(_ did: Int64) throws {
        try state.withLockedValue { state in
            guard let left = state.elsewhere[did], left > 0 else { return }
            state.elsewhere[did] = left - 1
            throw SessionDirectoryError.elsewhere(
                DeviceOwner(did: did, nodeID: state.owner.nodeID, url: state.owner.url, expiresIn: 7))
        }
    }

    package func owner(did: Int64) async throws -> DeviceOwner? {
        state.withLockedValue { state in
            guard state.elsewhere[did, default: 0] > 0 else { return nil }
            return DeviceOwner(did: did, nodeID: state.owner.nodeID, url: state.owner.url, expiresIn: 7)
        }
    }

    package func session(did: Int64) async throws -> any DeviceClient {
        if let failure = state.withLockedValue({ $0.failure }) { throw failure }
        try checkOwner(did)
        return state.withLockedValue { state in
            if let session = state.sessions[did] { return session }
            let session = FakeDeviceClient()
            state.sessions[did] = session
            return session
        }
    }

    package func stop(did: Int64) async {
        state.withLockedValue { state in
            state.sessions[did] = nil
            state.stopped.append(did)
        }
    }

    package var restore: RestoreProgress { RestoreProgress() }
}

import Messaging
import NIOConcurrencyHelpers
import Tenancy

/// Sessions by device number; unknown devices get an unpaired one when they are asked for.
package final class FakeSessions: SessionDirectory {
    private struct State {
        var sessions: [Int64: FakeDeviceClient] = [:]
        var stopped: [Int64] = []
        var failure: SessionDirectoryError?
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package func set(_ did: Int64, _ session: FakeDeviceClient) { state.withLockedValue { $0.sessions[did] = session } }
    package func fail(with error: SessionDirectoryError?) { state.withLockedValue { $0.failure = error } }
    package func fake(_ did: Int64) -> FakeDeviceClient? { state.withLockedValue { $0.sessions[did] } }
    package var stopped: [Int64] { state.withLockedValue { $0.stopped } }

    package func running(did: Int64) -> (any DeviceClient)? { fake(did) }

    package func session(did: Int64) async throws -> any DeviceClient {
        try state.withLockedValue { state throws(SessionDirectoryError) -> FakeDeviceClient in
            if let failure = state.failure { throw failure }
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

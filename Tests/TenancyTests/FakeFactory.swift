import GatewayTestSupport
import Messaging
import NIOConcurrencyHelpers

@testable import Storage
@testable import Tenancy

/// Makes fake sessions and remembers them.
final class FakeFactory: SessionFactory {
    private struct State {
        var sessions: [Int64: FakeDeviceClient] = [:]
        var all: [FakeDeviceClient] = []
        var epochs: [Int64: Int64] = [:]
    }

    private let state = NIOLockedValueBox(State())
    private let isLoggedIn: Bool
    /// Where sessions that are made from now on wait in their start.
    let startGate = NIOLockedValueBox<AsyncStream<Void>?>(nil)

    init(isLoggedIn: Bool) { self.isLoggedIn = isLoggedIn }

    var sessions: [Int64: FakeDeviceClient] { state.withLockedValue { $0.sessions } }
    var epochs: [Int64: Int64] { state.withLockedValue { $0.epochs } }
    var abandoned: Int { state.withLockedValue { $0.all.reduce(0) { $0 + $1.now.abandons } } }
    var made: Int { state.withLockedValue { $0.all.count } }
    var stopped: Int { state.withLockedValue { $0.all.reduce(0) { $0 + $1.now.stops } } }
    var connecting: Int { state.withLockedValue { $0.all.count { $0.state.phase == .connecting } } }

    /// Lets one that connects become ready; false when there is none.
    func logInOne() -> Bool {
        guard let session = state.withLockedValue({ $0.all.first { $0.state.phase == .connecting } }) else {
            return false
        }
        session.change { $0.state.phase = .ready }
        return true
    }

    func makeSession(_ lease: DeviceLease) async throws -> any DeviceClient {
        let session = FakeDeviceClient.ready(jid: "\(lease.did):1@s.whatsapp.net")
        if !isLoggedIn { session.change { $0.state.phase = .connecting } }
        if let gate = startGate.withLockedValue({ $0 }) { session.change { $0.startGate = gate } }
        state.withLockedValue { state in
            state.sessions[lease.did] = session
            state.all.append(session)
            state.epochs[lease.did] = lease.epoch
        }
        return session
    }
}

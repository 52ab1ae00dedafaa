import Cryptography
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing
import Transport

@testable import Messaging
@testable import Tenancy

@Suite("Admitting connector", .timeLimit(.minutes(3)))
struct AdmittingConnectorTests {
    /// Dials nothing: each attempt stays under way until the test ends it.
    private final class Base: SessionConnector {
        let attempts = NIOLockedValueBox<[EventLoopPromise<any SessionConnection>]>([])

        func connect(
            _ request: ConnectRequest, on eventLoop: any EventLoop, handler: any SessionConnectionHandler
        ) -> EventLoopFuture<any SessionConnection> {
            let promise = eventLoop.makePromise(of: (any SessionConnection).self)
            attempts.withLockedValue { $0.append(promise) }
            return promise.futureResult
        }
    }

    private final class Asker: SessionConnectionHandler {
        let wants = NIOLockedValueBox(true)
        var isWanted: Bool { wants.withLockedValue { $0 } }
        func received(_ stanza: Stanza) {}
        func writabilityChanged() {}
        func closed(_ reason: String) {}
    }

    private let loop = MultiThreadedEventLoopGroup.singleton.next()
    private let request = ConnectRequest(staticKey: .generate(), payload: [], isPairing: false)

    @Test("an attempt whose asker lost interest while it waited is not made, and its place goes to the next")
    func unwanted() async throws {
        let base = Base()
        var limits = ConnectAdmission.Limits()
        limits.perLoop = 4
        let connector = AdmittingConnector(base, limits: limits)
        var open: [EventLoopFuture<any SessionConnection>] = []
        func ask(_ asker: Asker) -> EventLoopFuture<any SessionConnection> {
            connector.connect(request, on: loop, handler: asker)
        }
        // A quarter of the places is for urgent ones.
        for _ in 0..<3 { open.append(ask(Asker())) }
        _ = try await eventually("three are dialed") { base.attempts.withLockedValue { $0.count == 3 } ? true : nil }
        let (stale, next) = (Asker(), Asker())
        let (staleResult, nextResult) = (ask(stale), ask(next))
        stale.wants.withLockedValue { $0 = false }
        base.attempts.withLockedValue { $0[0] }.fail(ConnectFailure.closed)
        await #expect(throws: ConnectFailure.unwanted) { try await staleResult.get() }
        _ = try await eventually("the next is dialed") { base.attempts.withLockedValue { $0.count == 4 } ? true : nil }
        for promise in base.attempts.withLockedValue({ $0 }).dropFirst() { promise.fail(ConnectFailure.closed) }
        for result in open + [nextResult] { await #expect(throws: ConnectFailure.closed) { try await result.get() } }
    }
}

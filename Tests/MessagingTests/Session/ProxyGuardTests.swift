import Cryptography
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing
import Transport

@testable import Messaging

@Suite("A device's own proxy")
struct ProxyGuardTests {
    private struct Refused: Error {}

    private final class Nobody: SessionConnectionHandler {
        var isWanted: Bool { true }
        func received(_ stanza: Stanza) {}
        func writabilityChanged() {}
        func closed(_ reason: String) {}
    }

    @Test("each attempt through it asks for the address, and one that is refused dials nobody")
    func asked() async throws {
        let asked = NIOLockedValueBox<[String]>([])
        let connector = NoiseSessionConnector(configuration: ConnectionConfiguration(url: "ws://127.0.0.1:1/")) {
            (host, port) -> [String] in
            asked.withLockedValue { $0.append("\(host):\(port)") }
            throw Refused()
        }
        let request = ConnectRequest(
            staticKey: .generate(), payload: [], proxyURL: "socks5://u:p@proxy.example:1080",
            isPairing: false)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        for _ in 0..<2 {
            await #expect(throws: ConnectFailure.proxy("Refused()")) {
                _ = try await connector.connect(request, on: loop, handler: Nobody()).get()
            }
        }
        #expect(asked.withLockedValue { $0 } == ["proxy.example:1080", "proxy.example:1080"])
        var unusable = request
        unusable.proxyURL = "http://u%zz:p@proxy.example:1"
        let other = unusable
        await #expect(throws: ConnectFailure.self) {
            _ = try await connector.connect(other, on: loop, handler: Nobody()).get()
        }
        #expect(asked.withLockedValue { $0.count } == 2)
    }
}

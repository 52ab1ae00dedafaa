import TestSupport
import Testing
import Transport

@testable import Messaging

@Suite("Requests across a reconnect, and what a new companion asks", .timeLimit(.minutes(3)))
struct RepetitionTests {
    @Test("a request whose connection is lost goes out once more under its id, and is answered once")
    func repeated() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.answersRequests = false
        let asking = Task { try await bench.session.isOnWhatsApp(["15550001111"]) }
        let first = try await bench.server.stanza("request") { $0["xmlns"] == "usync" }
        bench.server.clearLog()
        bench.server.world.answersRequests = true
        bench.server.drop()
        let second = try await bench.server.stanza("the same request") { $0["xmlns"] == "usync" }
        #expect(second == first)
        let users = try await asking.value
        #expect(users.map(\.isRegistered) == [true])
        #expect(bench.server.sent.filter { $0["xmlns"] == "usync" }.count == 1)
    }

    @Test("a request that is lost twice, or with the session, is given up")
    func givenUp() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.answersRequests = false
        let asking = Task { try await bench.session.isOnWhatsApp(["15550001111"]) }
        _ = try await bench.server.stanza("request") { $0["xmlns"] == "usync" }
        bench.server.deliver(
            Stanza("stream:error", ["code": "401"], children: [Stanza("conflict", ["type": "replaced"])]))
        await #expect(throws: SessionError.self) { try await asking.value }
    }

    @Test(
        "a new companion asks for properties, privacy, blocklist and its account's devices; a known one for properties")
    func introduction() async throws {
        let bench = PairingTests().bench()
        let qr = try ScannedQR(try await bench.session.startQRLogin(restart: false).current.text)
        bench.server.deliver(FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await bench.session.waitUntilReady(seconds: 60)
        let devices = try await bench.server.stanza("own devices") { $0["xmlns"] == "usync" }
        #expect(devices.child("usync", "list")?.firstChild?.jid("jid") == Bench.lid.bare)
        let asked = bench.server.sent.filter { $0.tag == "iq" && $0.type == "get" }.compactMap { $0["xmlns"] }
        #expect(asked.suffix(4) == ["abt", "privacy", "blocklist", "usync"])

        let known = Bench()
        known.pair()
        try await known.session.start()
        _ = try await known.server.stanza("properties") { $0["xmlns"] == "abt" }
        try await known.server.settle()
        #expect(!known.server.sent.contains { $0["xmlns"] == "blocklist" })
    }
}

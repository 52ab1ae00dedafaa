import Foundation
import GatewayTestSupport
import TestSupport
import Testing

@testable import Gateway

/// The routes whose answers do not end: who may not listen is refused, and who may hears its own device alone, whatever
/// else the request names.
@Suite("The wall between tenants: streams", .timeLimit(.minutes(5)))
struct StreamWallTests {
    /// Those that answer with server-sent events.
    private static let paths = ["/webhook-events/stream", "/devices/me/login/stream"]

    private struct Wall: Sendable {
        let api: GatewayFixture
        let port: Int
        let victim: NewDevice
        let victimKey: NewTenantKey
        let stranger: NewDevice

        /// What names the victim in every place that a request has.
        var names: [String] {
            ["X-Device-Id: \(victim.id)", "X-Device-ID: \(victim.did)", "Last-Event-ID: evt_victim1"]
        }
        var query: String {
            "?last_event_id=evt_victim1&device_id=\(victim.id)&did=\(victim.did)&tenant_id=\(victim.tenantID)"
        }
    }

    private static func withWall(_ body: (Wall) async throws -> Void) async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let victimKey = try await api.tenant(name: "Victim Ltd")
            let victim = try await api.device(of: victimKey, name: "victim-name")
            let stranger = try await api.device(of: try await api.tenant(name: "Stranger Ltd"), name: "stranger-name")
            try await api.pair(victim, jid: "15550009999:3@s.whatsapp.net")
            try await api.pair(stranger, jid: "15550009998:4@s.whatsapp.net")
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            do {
                try await body(
                    Wall(api: api, port: port, victim: victim, victimKey: victimKey, stranger: stranger))
                await server.stop()
            } catch {
                await server.stop()
                throw error
            }
        }
    }

    /// Events of the victim and then one of the stranger, once the stranger's stream is open.
    private static func store(_ wall: Wall) async throws {
        _ = try await eventually("the stream to be open", within: .seconds(90)) {
            try await wall.api.isStreamed(wall.stranger) ? true : nil
        }
        let late = ["connection.logged_out", "message.received"].enumerated().map {
            StoredRow("evt_victim_late\($0.offset)", $0.element, "pending", minutesAgo: 0)
        }
        try await wall.api.store(late, of: wall.victim, from: 50)
        try await wall.api.store(
            [.init("evt_own", "message.received", "pending", minutesAgo: 0)], of: wall.stranger, from: 60)
    }

    private static func expectNothing(ofVictim text: String, _ wall: Wall) {
        for marker in [
            "evt_victim", "victim-name", "15550009999", wall.victim.id, "\"number\":1}", "\"number\":50",
            "\"number\":51",
        ] {
            #expect(!text.contains(marker), "\(marker) in \(text)")
        }
    }

    @Test("a route that does not end is one that this suite walks")
    func known() async throws {
        try await GatewayFixture.run { api in
            let endless = RouteCatalogue.described(by: api).filter {
                $0.answer.media.contains("text/event-stream") || $0.statuses.contains(101)
            }
            #expect(Set(endless.map(\.path)) == Set(Self.paths + ["/ws"]))
            #expect(endless.allSatisfy { $0.tier == .device })
        }
    }

    @Test("credentials of another kind open no stream, as server-sent events or as a WebSocket")
    func wrongTiers() async throws {
        try await Self.withWall { wall in
            let token = wall.victim.token
            let attempts = [
                [], ["X-Admin-Secret: \(GatewayFixture.adminSecret)"], ["X-API-Key: \(wall.victimKey.key)"],
                ["Authorization: Bearer \(GatewayFixture.adminSecret)"],
                ["Authorization: Bearer \(wall.victimKey.key)"],
                ["Authorization: \(token)"], ["Authorization: Bearer \(token.dropLast(4))AAAA"],
                ["Authorization: Bearer \(wall.victim.secret)"],
                ["Sec-WebSocket-Protocol: switchboard.events, bearer.\(wall.victimKey.key)"],
            ]
            for headers in attempts {
                let fields = (["Host: x", "Connection: close"] + headers).joined(separator: "\r\n")
                for path in Self.paths {
                    let answer = try await RawHTTP.exchange(wall.port, "GET \(path) HTTP/1.1\r\n\(fields)\r\n\r\n")
                    #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(path) \(headers): \(answer.prefix(200))")
                }
                let head = try await RawWebSocket.open(wall.port, "/ws", headers) { $0.head }
                #expect(head.hasPrefix("HTTP/1.1 401 "), "\(headers): \(head)")
            }
            // The token in the path of a stream is no credential either.
            let answer = try await RawHTTP.exchange(
                wall.port, "GET /webhook-events/stream?token=\(token) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(answer.prefix(200))")
        }
    }

    @Test("server-sent events carry the caller's own, whatever device or event the request names")
    func events() async throws {
        try await Self.withWall { wall in
            try await wall.api.store(
                [.init("evt_victim1", "message.received", "pending", minutesAgo: 1)], of: wall.victim)
            let headers = ["Host: x", "Authorization: Bearer \(wall.stranger.token)"] + wall.names
            let connection = try await RawConnection.open(wall.port)
            let login = try await RawConnection.open(wall.port)
            let asked = try await login.ask(
                "GET /devices/me/login/stream\(wall.query) HTTP/1.1\r\n\(headers.joined(separator: "\r\n"))\r\n\r\n")
            Self.expectNothing(ofVictim: try #require(asked), wall)
            await login.close()
            var text = try #require(
                try await connection.ask(
                    "GET /webhook-events/stream\(wall.query) HTTP/1.1\r\n\(headers.joined(separator: "\r\n"))\r\n\r\n"))
            #expect(text.hasPrefix("HTTP/1.1 200 "), "\(text)")
            try await Self.store(wall)
            text = try await eventually("the stranger's own event") {
                let text = connection.received ?? ""
                return text.contains("id: evt_own\n") ? text : nil
            }
            Self.expectNothing(ofVictim: text, wall)
            await connection.close()
        }
    }

    @Test("a WebSocket carries the caller's own events and lists its own device")
    func socket() async throws {
        try await Self.withWall { wall in
            try await wall.api.store(
                [.init("evt_victim1", "message.received", "pending", minutesAgo: 1)], of: wall.victim)
            let headers = ["Authorization: Bearer \(wall.stranger.token)"] + wall.names
            try await RawWebSocket.open(wall.port, "/ws\(wall.query)", headers) { socket in
                #expect(socket.head.hasPrefix("HTTP/1.1 101 "), "\(socket.head)")
                for code in ["FETCH_DEVICES", "FETCH_DEVICES\",\"device_id\":\"\(wall.victim.id)"] {
                    try await socket.send(1, Array(#"{"code":"\#(code)"}"#.utf8))
                }
                try await Self.store(wall)
                var texts = ""
                var lists = 0
                while !texts.contains("\"number\":60") || lists < 2 {
                    guard let frame = try await socket.next() else { break }
                    texts += frame.text + "\n"
                    if frame.text.contains("LIST_DEVICES") { lists += 1 }
                }
                #expect(lists == 2 && texts.contains("\"number\":60") && texts.contains(wall.stranger.id), "\(texts)")
                Self.expectNothing(ofVictim: texts, wall)
            }
        }
    }
}

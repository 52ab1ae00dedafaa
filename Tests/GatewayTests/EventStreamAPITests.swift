import AsyncHTTPClient
import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import NIOCore
import NIOHTTP1
import Storage
import TestSupport
import Testing

/// A device's events over connections that are held open (12-device-scoping-api, section 13).
@Suite("Event streams over HTTP", .timeLimit(.minutes(5)))
struct EventStreamAPITests {
    /// Runs `body` with a gateway that listens, and a device.
    private func listening(
        _ body: (GatewayFixture, GatewayServer, Int, NewDevice) async throws -> Void
    ) async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let device = try await api.device(of: try await api.tenant())
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            do {
                try await body(api, server, port, device)
                await server.stop()
            } catch {
                await server.stop()
                throw error
            }
        }
    }

    /// Reads a stream until `isEnough` says so, or its end.
    private func read(
        _ port: Int, _ device: NewDevice, _ query: String = "", lastEventID: String? = nil,
        until isEnough: (String) async throws -> Bool
    ) async throws -> String {
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/webhook-events/stream\(query)")
        request.headers.add(name: "Authorization", value: "Bearer \(device.token)")
        if let lastEventID { request.headers.add(name: "Last-Event-ID", value: lastEventID) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(240))
        #expect(response.status == .ok && response.headers.first(name: "content-type") == "text/event-stream")
        var text = ""
        for try await piece in response.body {
            text += String(buffer: piece)
            if try await isEnough(text) { break }
        }
        return text
    }

    private static let five = (1...5).map {
        StoredRow("evt_\($0)", $0 == 4 ? "call.offer" : "message.received", "pending", minutesAgo: 1)
    }

    @Test("a stream goes on behind Last-Event-ID, as server-sent events with the id, the name and the event")
    func resume() async throws {
        try await listening { api, _, port, device in
            try await api.store(Self.five, of: device)
            let text = try await read(port, device, lastEventID: "evt_2") { $0.contains("id: evt_5\n") }
            #expect(text.hasPrefix("retry: 2000\n\n"))
            #expect(text.contains("id: evt_3\nevent: message.received\ndata: {\"number\":3}\n\n"))
            #expect(text.contains("id: evt_4\nevent: call.offer\ndata: {\"number\":4}\n\n"))
            #expect(!text.contains("id: evt_1\n") && !text.contains("id: evt_2\n"))
            let calls = try await read(port, device, "?events=call.*&last_event_id=evt_1") {
                $0.contains("id: evt_4\n")
            }
            #expect(!calls.contains("message.received"))
        }
    }

    @Test("a stream ends when the token is replaced, and when the gateway stops, which waits for no stream")
    func ends() async throws {
        try await listening { api, server, port, device in
            try await api.store(Self.five, of: device)
            var token = device.token
            await #expect(throws: (any Error).self, "a stream that was cut does not look complete") {
                try await read(port, device, lastEventID: "evt_4") { text in
                    guard text.contains("evt_5"), token == device.token else { return false }
                    let answer = try await api.call(
                        "POST", "/devices/token",
                        json: #"{"device_id":"\#(device.id)","device_secret":"\#(device.secret)"}"#)
                    token = try #require(answer["data", "token"] as? String, "\(answer.text)")
                    return false
                }
            }
            #expect(token != device.token)
            var renewed = device
            renewed.token = token
            let text = try await read(port, renewed, lastEventID: "evt_4") { text in
                if text.contains("evt_5") { Task { await server.stop(patience: .seconds(200)) } }
                return false
            }
            #expect(text.contains("id: evt_5\n"))
        }
    }

    @Test("a device of the same tenant hears nothing of this one, also with this one's event id to go on from")
    func alone() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            try await api.store(Self.five, of: device)
            var isStored = false
            let text = try await read(port, other, lastEventID: "evt_1") { text in
                if !isStored {
                    isStored = true
                    _ = try await eventually("the stream to be open", within: .seconds(90)) {
                        try await api.isStreamed(other) ? true : nil
                    }
                    try await api.store(
                        [.init("evt_late", "message.received", "pending", minutesAgo: 0)], of: device, from: 50)
                    try await api.store(
                        [.init("evt_own", "message.received", "pending", minutesAgo: 0)], of: other, from: 60)
                }
                return text.contains("id: evt_own\n")
            }
            for id in ["evt_2", "evt_3", "evt_4", "evt_5", "evt_late"] { #expect(!text.contains("id: \(id)\n")) }
            await server.stop()
        }
    }

    @Test("unknown names and half handshakes are refused")
    func refused() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            for path in ["/webhook-events/stream", "/ws"] {
                #expect(try await api.call("GET", path).status == 401)
                let answer = try await api.device(device, "GET", "\(path)?events=message.sung")
                #expect(answer.status == (path == "/ws" ? 426 : 400), "\(answer.text)")
            }
            let upgrade = try await api.device(device, "GET", "/ws")
            #expect(upgrade.status == 426 && upgrade.errorCode == "upgrade_required")
            #expect(upgrade.headers["upgrade"] == "websocket")
            func ask(_ changes: [String: String], _ path: String = "/ws") async throws -> Int {
                var headers = [
                    "Authorization": "Bearer \(device.token)", "Upgrade": "websocket",
                    "Connection": "keep-alive, Upgrade",
                    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
                ]
                for (name, value) in changes { headers[name] = name == "Authorization" && value.isEmpty ? nil : value }
                return try await api.call("GET", path, headers).status
            }
            #expect(try await ask([:]) == 101)
            #expect(try await ask([:], "/ws?events=message.sung") == 400)
            #expect(try await ask(["Sec-WebSocket-Version": "8"]) == 426)
            #expect(try await ask(["Sec-WebSocket-Key": "c2hvcnQ="]) == 400)
            #expect(try await ask(["Sec-WebSocket-Key": ""]) == 400)
            #expect(try await ask(["Connection": "close"]) == 426)
            #expect(try await ask(["Authorization": "Bearer a.b.c"]) == 401)
            #expect(try await ask(["Authorization": "", "Sec-WebSocket-Protocol": "bearer.a.b.c"]) == 401)
            #expect(try await ask(["Authorization": "", "Sec-WebSocket-Protocol": "bearer.\(device.token)"]) == 101)
        }
    }

    @Test("a WebSocket brings the events behind the last one seen, and new ones as they are stored")
    func socket() async throws {
        try await listening { api, _, port, device in
            try await api.store(Self.five, of: device)
            try await RawWebSocket.open(
                port, "/ws?events=message.*&last_event_id=evt_2",
                ["Sec-WebSocket-Protocol: switchboard.events, bearer.\(device.token)"]
            ) { socket in
                #expect(socket.head.hasPrefix("HTTP/1.1 101 "))
                // The pair of RFC 6455, section 1.3.
                #expect(socket.head.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
                #expect(socket.head.contains("Protocol: switchboard.events\r\n"))
                #expect(!socket.head.lowercased().contains("content-length"))
                #expect(
                    try await socket.next()?.text
                        == #"{"code":"EVENT","message":"message.received","result":{"number":3}}"#)
                #expect(try await socket.next()?.text.hasSuffix(#"{"number":5}}"#) == true)
                try await socket.send(9, Array("are you there".utf8))
                #expect(try await socket.next() == .init(opcode: 10, payload: Array("are you there".utf8)))
                try await api.store([.init("evt_6", "message.received", "pending", minutesAgo: 0)], of: device, from: 6)
                #expect(try await socket.next()?.text.hasSuffix(#"{"number":6}}"#) == true)
                try await socket.send(8, [0x03, 0xE8])
                #expect(try await socket.next()?.closeCode == 1000)
                #expect(try await socket.next() == nil)
            }
        }
    }

    @Test(
        "a WebSocket tells of login and state in control frames, and lists devices when asked, with or without events")
    func controls() async throws {
        try await listening { api, _, port, device in
            let authorization = ["Authorization: Bearer \(device.token)"]
            try await api.store([.init("evt_1", "message.received", "pending", minutesAgo: 2)], of: device)
            try await RawWebSocket.open(port, "/ws?events=none&last_event_id=evt_1", authorization) { socket in
                try await socket.send(1, Array(#"{"code":"FETCH_DEVICES"}"#.utf8))
                let list = try JSON(try #require(try await socket.next()).payload)
                #expect(list["code"].string == "LIST_DEVICES" && list["message"].string == "Device found")
                #expect(list["result"].array.map { $0["device"].string } == [device.id])
                #expect(list["result"][0].keys == ["device", "jid", "name"])
                for said in [#"{"code":"DEVICE_WEBHOOK_UPDATED"}"#, #"{"code":7}"#, "[1]"] {
                    try await socket.send(1, Array(said.utf8))
                    let error = try JSON(try #require(try await socket.next()).payload)
                    #expect(error["code"].string == "ERROR" && error["result"]["error_code"].string == "unknown_code")
                }
                let rows = ["message.received", "connection.connected", "connection.logged_out"].enumerated().map {
                    StoredRow("evt_\($0.offset + 2)", $0.element, "pending", minutesAgo: 1)
                }
                try await api.store(rows, of: device, from: 2)
                let state = try JSON(try #require(try await socket.next()).payload)
                #expect(state["code"].string == "DEVICE_STATE" && state["result"]["state"].string == "connected")
                let end = try JSON(try #require(try await socket.next()).payload)
                #expect(end["code"].string == "DEVICE_LOGGED_OUT")
                #expect(end["result"]["device_id"].string == device.id && end["result"]["devices"].array.count == 1)
            }
            try await RawWebSocket.open(port, "/ws?events=connection.*&last_event_id=evt_2", authorization) { socket in
                var codes: [String] = []
                for _ in 0..<4 {
                    codes.append(try JSON(try #require(try await socket.next()).payload)["code"].string ?? "")
                }
                #expect(codes == ["DEVICE_STATE", "EVENT", "DEVICE_LOGGED_OUT", "EVENT"])
            }
        }
    }

    @Test("a WebSocket tells of a passkey's code, of its failure and of a login that ran out")
    func loginNews() async throws {
        try await listening { api, _, port, device in
            let session = try await api.pair(device)
            func put(_ phase: ConnectionState.Phase, _ pairing: PairingStep?, error: String = "") {
                session.change { script in
                    script.state = ConnectionState()
                    script.state.phase = phase
                    script.state.pairing = pairing
                    script.state.lastError = error
                }
            }
            func passkey(_ step: PasskeyState.Step) -> PairingStep {
                .passkey(PasskeyState(step: step, options: "{}", expiresAt: SystemClock().now().adding(seconds: 300)))
            }
            put(.registering, passkey(.awaitingConfirmation(code: "ABCD-1234", skipsHandoff: false)))
            let headers = ["Authorization: Bearer \(device.token)"]
            try await RawWebSocket.open(port, "/ws?events=none", headers) { socket in
                let code = try JSON(try #require(try await socket.next()).payload)
                #expect(code["code"].string == "PASSKEY_CONFIRMATION")
                #expect(code["result"]["code"].string == "ABCD-1234" && code["result"]["device_id"].string == device.id)
                put(.idle, nil, error: "the codes differ")
                let failure = try JSON(try #require(try await socket.next()).payload)
                #expect(failure["code"].string == "PASSKEY_ERROR" && failure["message"].string == "the codes differ")
                #expect(failure["result"]["continuation"].bool == true)
                put(.registering, passkey(.confirmed(code: "ABCD-9999", skipsHandoff: true)))
                let again = try JSON(try #require(try await socket.next()).payload)
                #expect(again["result"]["skip_handoff_ux"].bool == true)
                put(.idle, nil, error: ConnectionState.pairingTimedOut)
                #expect(try JSON(try #require(try await socket.next()).payload)["code"].string == "LOGIN_TIMEOUT")
            }
        }
    }

    @Test("a WebSocket closes when its token is replaced, its device deleted, or the gateway stops")
    func socketEnds() async throws {
        try await listening { api, server, port, device in
            let authorization = "Authorization: Bearer \(device.token)"
            let answer = try await RawWebSocket.open(port, "/ws", [authorization]) { socket in
                let answer = try await api.call(
                    "POST", "/devices/token",
                    json: #"{"device_id":"\#(device.id)","device_secret":"\#(device.secret)"}"#)
                #expect(try await socket.next()?.closeCode == 4401)
                return answer
            }
            let token = try #require(answer["data", "token"] as? String)
            try await RawWebSocket.open(port, "/ws", ["Authorization: Bearer \(token)"]) { socket in
                #expect(socket.head.hasPrefix("HTTP/1.1 101 "))
                async let stopping: Void = server.stop(patience: .seconds(200))
                #expect(try await socket.next()?.closeCode == 1001)
                try await socket.send(8, [0x03, 0xE9])
                #expect(try await socket.next() == nil)
                await stopping
            }
        }
    }

    @Test("a client that sends binary, nonsense, unmasked or oversized frames is cut off")
    func badFrames() async throws {
        try await listening { _, _, port, device in
            func end(_ frames: [(UInt8, [UInt8], Bool)]) async throws -> Int? {
                try await RawWebSocket.open(port, "/ws", ["Authorization: Bearer \(device.token)"]) { socket in
                    for (opcode, payload, masked) in frames { try await socket.send(opcode, payload, masked: masked) }
                    // What is no command is answered.
                    while let frame = try await socket.next() {
                        if frame.opcode != 1 { return frame.closeCode }
                    }
                    return nil
                }
            }
            let bad: (UInt8, [UInt8], Bool) = (1, Array("{".utf8), true)
            let good: (UInt8, [UInt8], Bool) = (1, Array("{}".utf8), true)
            let cases: [([(UInt8, [UInt8], Bool)], Int)] = [
                ([(2, [1, 2, 3], true)], 1003), ([(1, Array("{}".utf8), false)], 1002),
                ([(1, Array(repeating: 0x20, count: 5000), true)], 1009),
                ([bad, bad, good, bad, bad, bad], 1003),
                ([bad, bad, good, bad, bad, (8, [0x03, 0xE8], true)], 1000),
            ]
            for (frames, code) in cases {
                let closed = try await end(frames)
                #expect(closed == code, "\(frames.map(\.0))")
            }
        }
    }
}

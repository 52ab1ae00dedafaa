import Cryptography
import Foundation
import Gateway
import GatewayTestSupport
import Testing

/// Requests that were made to be misread (10-rest-api, sections 2 and 3).
@Suite("Hostile requests")
struct HostileRequestTests {
    @Test("tokens of another algorithm, cut off, padded, empty or huge are 401 and never looked up")
    func tokens() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let parts = device.token.split(separator: ".").map(String.init)
            func header(_ json: String) -> String { Base64.encodeURLSafe(Bytes(json.utf8)) }
            var tokens = [
                "", " ", "  ", ".", "..", "...", "a.b.c", parts[0], "\(parts[0]).", "\(parts[0]).\(parts[1])",
                "\(parts[0]).\(parts[1]).", ".\(parts[1]).\(parts[2])", "\(parts[0])..\(parts[2])",
                "\(device.token).", ".\(device.token)", "\(device.token)=", "\(device.token)==", "\(device.token) x",
                "\(device.token),\(device.token)", device.token.uppercased(),
                String(repeating: "a", count: 9_000), "\(device.token)\(String(repeating: "A", count: 9_000))",
                "\(parts[0]).\(parts[1]).\(String(repeating: "A", count: 43))",
            ]
            for algorithm in ["none", "None", "NONE", "nOnE", "HS384", "HS512", "RS256", "ES256", "PS256", "", "hs256"]
            {
                for signature in ["", parts[2]] {
                    tokens.append("\(header(#"{"alg":"\#(algorithm)","typ":"JWT"}"#)).\(parts[1]).\(signature)")
                }
            }
            tokens.append("\(header(#"{"typ":"JWT"}"#)).\(parts[1]).\(parts[2])")
            tokens.append("\(header(#"{"alg":["HS256"]}"#)).\(parts[1]).\(parts[2])")
            tokens.append("\(header(#"{"alg":"none","alg":"HS256"}"#)).\(parts[1]).\(parts[2])")
            for length in stride(from: 1, to: device.token.count, by: 7) {
                tokens.append(String(device.token.prefix(length)))
            }
            for (number, token) in tokens.enumerated() {
                let answer = APIAnswer(
                    try await api.gateway.send(
                        "GET", "/devices/me", headers: ["Authorization": "Bearer \(token)"],
                        client: "10.1.\(number / 250).\(number % 250)"))
                let expected = token.count > 8_000 ? [401, 431] : [401]
                #expect(expected.contains(answer.status), "\(token.prefix(80)) … \(token.suffix(8)): \(answer.status)")
                #expect(!answer.text.contains(device.id))
            }
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
        }
    }

    @Test("who guesses credentials is locked out by address on every tier, and by device on the token endpoint")
    func guessing() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            func answer(
                _ method: String, _ path: String, _ headers: [String: String], _ body: String = "", from client: String
            ) async throws -> Int {
                var headers = headers
                if !body.isEmpty { headers["Content-Type"] = "application/json" }
                return try await api.gateway.send(
                    method, path, headers: headers, body: Array(body.utf8), client: client
                ).status
            }
            let forged = device.token.dropLast(3) + "AAA"
            for (number, (header, value, path)) in [
                ("X-Admin-Secret", "guess", "/admin/stats"),
                ("X-API-Key", "wam_0123456789abcdef0123456789ab", "/devices"),
                ("Authorization", "Bearer \(forged)", "/devices/me"),
            ].enumerated() {
                let client = "10.2.0.\(number)"
                var statuses: [Int] = []
                for _ in 0..<25 { statuses.append(try await answer("GET", path, [header: value], from: client)) }
                #expect(statuses.prefix(20).allSatisfy { $0 == 401 }, "\(header): \(statuses)")
                #expect(statuses.suffix(4).allSatisfy { $0 == 429 }, "\(header): \(statuses)")
                // Somebody else is not held up.
                #expect(try await answer("GET", path, [header: value], from: "10.3.0.\(number)") == 401)
            }
            // An IPv6 customer has a /64: its addresses are one, the next customer's are not.
            for (path, header) in [("/admin/stats", "X-Admin-Secret"), ("/devices", "X-API-Key")] {
                var statuses: [Int] = []
                for number in 0..<22 {
                    let guess =
                        header == "X-API-Key" ? "wam_0123\(String(repeating: "\(number % 10)", count: 24))" : "guess"
                    let net = header == "X-API-Key" ? "2001:db8:0:1" : "2001:db8:0:2"
                    statuses.append(
                        try await answer("GET", path, [header: guess], from: "\(net):\(number):\(number)::1"))
                }
                #expect(statuses == Array(repeating: 401, count: 20) + [429, 429], "\(header): \(statuses)")
                #expect(try await answer("GET", path, [header: "wam_456789abc"], from: "2001:db8:0:3::1") == 401)
            }
            var tokens: [Int] = []
            for number in 0..<12 {
                tokens.append(
                    try await answer("POST", "/devices/token", [:], "{}", from: "2001:db8:0:4::\(number)"))
            }
            #expect(tokens == Array(repeating: 400, count: 10) + [429, 429])
            // From ever new addresses: the device itself stops answering.
            let body = #"{"device_id":"\#(device.id)","device_secret":"guess"}"#
            var statuses: [Int] = []
            for number in 0..<14 {
                statuses.append(try await answer("POST", "/devices/token", [:], body, from: "10.4.0.\(number)"))
            }
            #expect(
                statuses.prefix(10).allSatisfy { $0 == 401 } && statuses.suffix(3).allSatisfy { $0 == 429 },
                "\(statuses)")
        }
    }

    @Test("JSON with lone surrogates, cut escapes or odd white space is 400, and says so")
    func surrogates() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            for text in [
                #"\ud800"#, #"\udc00"#, #"\ud800\ud800"#, #"\udc00\ud800"#, #"a\ud800b"#, #"\ud83d"#, #"\ud8"#,
                #"\u12"#,
                #"\u{41}"#, #"\x41"#, #"\"#,
            ] {
                let answer = try await api.device(
                    device, "POST", "/chats/492522798642/messages", json: #"{"text":"\#(text)"}"#)
                #expect(answer.status == 400 && answer.errorCode == "invalid_body", "\(text): \(answer.text)")
            }
            for body in [
                "{\"text\"\u{A0}:\"a\"}", "\u{FEFF}\u{FEFF}{\"text\":\"a\"}", "{\"text\":\"a\"}\u{0}",
                "{\"te\\ud800xt\":1}",
            ] {
                let answer = try await api.device(device, "POST", "/chats/492522798642/messages", json: body)
                #expect(answer.status == 400, "\(body.debugDescription): \(answer.text)")
            }
            for path in ["/chats//messages", "/chats/%20/messages", "/chats/%2F/messages"] {
                let answer = try await api.device(device, "POST", path, json: #"{"text":"a"}"#)
                #expect([400, 404].contains(answer.status), "\(path): \(answer.text)")
            }
            #expect(session.now.sent.isEmpty)
            #expect(
                try await api.device(
                    device, "POST", "/chats/492522798642/messages", json: #"{"text":"\ud83d\ude00"}"#
                ).status == 200)
        }
    }

    @Test("what proxies and servers read differently is 400 with a sentence, one answer, and the end of the connection")
    func smuggling() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            for (name, request) in SmuggledRequest(token: device.token).all {
                let answer = try await RawHTTP.exchange(port, request, halfClosing: true)
                let parts = answer.components(separatedBy: "\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(name): \(answer.prefix(300))")
                #expect(answer.matches(of: #/HTTP\/1\.\d \d/#).count == 1, "\(name): \(answer.prefix(600))")
                #expect(parts[0].lowercased().contains("\r\nconnection: close"), "\(name): \(parts[0])")
                #expect(answer.contains("\"error_code\":\"http_bad_request\""), "\(name): \(answer)")
                #expect(parts.count == 2 && parts[1].hasSuffix("}"), "\(name): \(answer)")
            }
            let huge = "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "b", count: 100_000))\r\n\r\n"
            #expect(try await RawHTTP.exchange(port, huge, halfClosing: true).hasPrefix("HTTP/1.1 431 "))
            await server.stop()
        }
    }

    @Test(
        "a request is answered once, also when nobody reads its broken body, and those before it are answered in order")
    func answeredOnce() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            func statuses(_ request: String) async throws -> [String] {
                try await RawHTTP.exchange(port, request, halfClosing: true)
                    .matches(of: #/HTTP/1\.1 (\d+) /#).map { String($0.1) }
            }
            let ok = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
            let chunked = "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            #expect(try await statuses("GET /devices HTTP/1.1\r\n\(chunked)zz\r\n\(ok)") == ["401"])
            #expect(try await statuses("GET /health HTTP/1.1\r\n\(chunked)2\r\nabXX\r\n\(ok)").count == 1)
            #expect(try await statuses("POST /devices/token HTTP/1.1\r\n\(chunked)-1\r\n\(ok)") == ["400"])
            #expect(
                try await statuses("\(ok)\(ok)GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n\(ok)") == [
                    "200", "200", "400",
                ])
            #expect(try await statuses("\(ok)GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n\(ok)") == ["200", "400"])
            // What the health checks of some balancers send.
            #expect(try await statuses("GET /health HTTP/1.1\r\nHost:\r\n\r\n") == ["200"])
            await server.stop()
        }
    }

    @Test("an address has so many connections without a credential, and as many as it likes with one")
    func connectionsPerAddress() async throws {
        let settings = [
            "SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1", "HTTP_MAX_CONNECTIONS_PER_ADDRESS": "3",
        ]
        try await GatewayFixture.run(settings: settings) { api in
            let device = try await api.device(of: try await api.tenant())
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            var held: [RawConnection] = []
            for _ in 0..<3 {
                let connection = try await RawConnection.open(port)
                #expect(try await connection.ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")?.contains("200 OK") == true)
                held.append(connection)
            }
            // One more is closed without a word, and another one too.
            for _ in 0..<2 {
                let refused = try await RawConnection.open(port)
                #expect(try await refused.ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n") == nil)
            }
            // Who shows a credential makes room for the next.
            let authorized = "GET /devices/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(device.token)\r\n\r\n"
            for connection in held { #expect(try await connection.ask(authorized)?.contains("200 OK") == true) }
            for _ in 0..<5 {
                let connection = try await RawConnection.open(port)
                #expect(try await connection.ask(authorized)?.contains("200 OK") == true)
                held.append(connection)
            }
            for connection in held { await connection.close() }
            await server.stop()
        }
    }
}

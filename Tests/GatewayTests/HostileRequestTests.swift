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

    @Test("header lines that proxies and servers read differently are 400 or 431 and end the connection")
    func smuggling() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let post = "POST /devices/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            let smuggled =
                "GET /admin/stats HTTP/1.1\r\nHost: x\r\nX-Admin-Secret: \(GatewayFixture.adminSecret)\r\n\r\n"
            for (name, request) in [
                ("CL and TE", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled),
                ("TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled),
                ("two lengths", post + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + smuggled),
                ("a list of lengths", post + "Content-Length: 0, 44\r\n\r\n" + smuggled),
                ("a length with a sign", post + "Content-Length: +0\r\n\r\n" + smuggled),
                ("obs-fold", post + "A: b\r\n c: d\r\nContent-Length: 0\r\n\r\n" + smuggled),
                ("a space before the colon", post + "Content-Length : 0\r\n\r\n" + smuggled),
                ("a NUL in a value", post + "A: b\u{0}\r\nContent-Length: 0\r\n\r\n" + smuggled),
                ("a NUL in a name", post + "A\u{0}: b\r\nContent-Length: 0\r\n\r\n" + smuggled),
                ("a bare CR", post + "A: b\rC: d\r\nContent-Length: 0\r\n\r\n" + smuggled),
                ("a bare LF", "GET /nope HTTP/1.1\nHost: x\nA: b\n\n" + smuggled),
                ("an odd coding", post + "Transfer-Encoding: xchunked\r\n\r\n" + smuggled),
                ("a coding twice", post + "Transfer-Encoding: chunked, identity\r\n\r\n" + smuggled),
                ("a chunk size with a sign", post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + smuggled),
                (
                    "a chunk size too big",
                    post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n" + smuggled
                ),
                ("a huge header", "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "b", count: 100_000))\r\n\r\n"),
                ("a star before an address", "GET *@127.0.0.1:1/devices/me HTTP/1.1\r\nHost: x\r\n\r\n"),
                ("a star", "OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\n\r\n"),
                ("an absolute target", "GET http://127.0.0.1:1/health HTTP/1.1\r\nHost: x\r\n\r\n"),
                ("a host and no path", "GET http://127.0.0.1 HTTP/1.1\r\nHost: x\r\n\r\n"),
                ("no version", "GET /admin/stats\r\n\r\n"),
                ("an odd version", "GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
            ] {
                let answer = try await RawHTTP.exchange(port, request, halfClosing: true)
                #expect(!answer.contains("200 OK"), "\(name): \(answer.prefix(300))")
                #expect(
                    answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.0 4") || answer.hasPrefix("HTTP/1.1 5"),
                    "\(name): \(answer.prefix(200))")
                #expect(
                    answer.components(separatedBy: "HTTP/1.").count == 2,
                    "\(name) is two requests: \(answer.prefix(400))")
            }
            await server.stop()
        }
    }
}

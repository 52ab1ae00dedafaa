import AsyncHTTPClient
import Foundation
import Gateway
import GatewayTestSupport
import NIOCore
import NIOHTTP1
import Storage
import Tenancy
import TestSupport
import Testing

@Suite("The shell of the API")
struct EdgeAPITests {
    @Test("unknown paths, wrong methods, HEAD, preflight and ids")
    func shell() async throws {
        try await GatewayFixture.run { api in
            let unknown = try await api.call("GET", "/no<pe>?x=1", ["X-Request-ID": "my-id"])
            #expect(
                unknown.status == 404 && unknown.message == "Cannot GET /no&lt;pe&gt;"
                    && unknown.headers["x-request-id"] == "my-id")
            let wrong = try await api.call("PUT", "/devices/me")
            #expect(
                wrong.status == 405 && wrong.message == "Method Not Allowed" && wrong.headers["allow"] == "GET, HEAD")
            let head = try await api.call("HEAD", "/")
            let get = try await api.call("GET", "/")
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == "\(get.body.count)")
            #expect(get.text == #"{"status":true,"code":200,"message":"Working great!"}"#)
            #expect(get.headers["x-content-type-options"] == "nosniff" && get.headers["x-api-surface"] == "native")
            let preflight = try await api.call(
                "OPTIONS", "/devices/me", ["Origin": "http://x.example", "Access-Control-Request-Method": "GET"])
            #expect(
                preflight.status == 204 && preflight.headers["access-control-allow-origin"] == "*"
                    && preflight.body.isEmpty)
            #expect(try await api.call("OPTIONS", "/devices/me").status == 405)
            #expect(try await api.call("GET", "/favicon.ico").status == 204)
            #expect(try await api.call("GET", "/health").text == "OK")
            #expect(try await api.call("GET", "/health/ready").status == 200)
            let failure = try await api.call("GET", "/devices/me")
            #expect(
                failure.text
                    == #"{"status":false,"code":401,"message":"Missing Authorization header","data":{"error_code":"auth_missing"},"error":"Missing Authorization header"}"#
            )
        }
    }

    @Test("the index answers at the base path with and without a slash, and the icon is never below it")
    func basePath() async throws {
        try await GatewayFixture.run(settings: ["HTTP_BASE_URL": "wa/"]) { (api) async throws in
            for path in ["/wa", "/wa/"] {
                #expect(try await api.call("GET", path).message == "Working great!", "\(path)")
            }
            #expect(try await api.call("GET", "/favicon.ico").status == 204)
            for path in ["/", "/health", "/wa/favicon.ico", "/wax"] {
                #expect(try await api.call("GET", path).status == 404, "\(path)")
            }
        }
    }

    @Test("every request leaves one line, preflights too, with method, pattern, status and length")
    func accessLog() async throws {
        try await GatewayFixture.run { api in
            let lines = LogLines()
            var dependencies = api.dependencies
            dependencies.logger = lines.logger
            let gateway = InProcessGateway(dependencies, configuration: api.configuration) { 0 }
            _ = try await gateway.send("GET", "/devices/me?phone=4917", headers: ["X-Request-ID": "one"])
            _ = try await gateway.send("HEAD", "/", headers: ["X-Request-ID": "two"])
            _ = try await gateway.send(
                "OPTIONS", "/devices/me",
                headers: ["Origin": "http://x", "Access-Control-Request-Method": "GET", "X-Request-ID": "three"])
            _ = try await gateway.send("BREW", "/nowhere/4917", headers: ["X-Request-ID": "four"])
            let shown = lines.all.filter { $0["msg"] == "request" }
            func values(_ name: String) -> [String?] { shown.map { $0[name] } }
            #expect(values("request_id") == ["one", "two", "three", "four"])
            #expect(values("method") == ["GET", "HEAD", "OPTIONS", "other"])
            #expect(values("route") == ["GET /devices/me", "GET /", "OPTIONS preflight", "-"])
            #expect(values("status") == ["401", "200", "204", "404"])
            #expect(values("bytes")[1...2] == ["0", "0"] && (Int(values("bytes")[0] ?? "") ?? 0) > 100)
            #expect(!"\(lines.all)".contains("4917"))
        }
    }

    @Test("a body one byte above the limit is 413 with envelope and request id")
    func bodyLimit() async throws {
        try await GatewayFixture.run(settings: ["HTTP_BODY_LIMIT_SIZE": "1K"]) { api in
            let device = try await api.device(of: try await api.tenant())
            let frame = #"{"text":""}"#
            func send(_ size: Int) async throws -> APIAnswer {
                try await api.device(
                    device, "POST", "/chats/492522798642/messages",
                    json: #"{"text":"\#(String(repeating: "x", count: size - frame.count))"}"#)
            }
            #expect(try await send(1024).status == 409)
            let refused = try await send(1025)
            #expect(
                refused.status == 413 && refused.message == "Request Entity Too Large"
                    && refused.headers["x-request-id"] != nil)
        }
    }

    @Test("over a socket: keep-alive, gzip, chunked bodies, garbage, large headers, draining")
    func socket() async throws {
        try await GatewayFixture.run(settings: [
            "SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1", "HTTP_BODY_LIMIT_SIZE": "64K",
        ]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let url = "http://127.0.0.1:\(port)"
            let device = try await api.device(of: try await api.tenant())
            func get(_ path: String, _ headers: HTTPHeaders = [:]) async throws -> HTTPClientResponse {
                var request = HTTPClientRequest(url: url + path)
                request.headers = headers
                return try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            }
            #expect(try await get("/health/ready").status == .ok)
            let me = try await get(
                "/devices/me", ["Authorization": "Bearer \(device.token)", "Accept-Encoding": "gzip"])
            #expect(me.headers.first(name: "content-encoding") == "gzip")

            var chunked = HTTPClientRequest(url: url + "/chats/492522798642/messages")
            chunked.method = .POST
            chunked.headers = ["Authorization": "Bearer \(device.token)", "Content-Type": "application/json"]
            let (pieces, feeder) = AsyncStream.makeStream(of: ByteBuffer.self)
            for piece in [#"{"te"#, #"xt":"a"}"#] { feeder.yield(ByteBuffer(string: piece)) }
            feeder.finish()
            chunked.body = .stream(pieces, length: .unknown)
            let answered = try await HTTPClient.shared.execute(chunked, timeout: .seconds(60))
            #expect(answered.status.code == 409)

            #expect(try await RawHTTP.exchange(port, "NONSENSE\r\n\r\n").hasPrefix("HTTP/1.1 400"))
            let large =
                "GET / HTTP/1.1\r\nHost: x\r\nX-Big: \(String(repeating: "a", count: 9000))\r\nConnection: close\r\n\r\n"
            let tooLarge = try await RawHTTP.exchange(port, large)
            #expect(tooLarge.hasPrefix("HTTP/1.1 431") && tooLarge.contains("Request Header Fields Too Large"))
            let huge = "GET / HTTP/1.1\r\nHost: x\r\nX-Big: \(String(repeating: "a", count: 200_000))\r\n\r\n"
            #expect(try await RawHTTP.exchange(port, huge).hasPrefix("HTTP/1.1 431"))

            await server.beginDraining()
            #expect(try await get("/health/ready").status == .serviceUnavailable)
            let late = try await get("/devices/me", ["Authorization": "Bearer \(device.token)"])
            #expect(late.status == .ok && late.headers["connection"] == ["close"])
            await server.stop(patience: .seconds(2))
        }
    }

    @Test("a client that is slow with the head of a request is 408, the first as well as a later one")
    func slowHead() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(
                api.dependencies, configuration: api.configuration, headLimit: .milliseconds(700))
            let port = try await server.start()
            // On a busy machine the first byte may come too late: then there is no answer at all.
            let first = try await eventually("an answer to half a head") {
                let answer = try await RawHTTP.exchange(port, "GET / HTTP/1.1\r\nHost: x\r\n")
                return answer.isEmpty ? nil : answer
            }
            #expect(first.hasPrefix("HTTP/1.1 408 ") && first.contains("Request Timeout"), "\(first)")
            let later = try await eventually("an answer and then one to half a head") {
                let answer = try await RawHTTP.exchange(
                    port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", next: ("Working great!", "GET / HT"))
                return answer.hasPrefix("HTTP/1.1 200 ") ? answer : nil
            }
            #expect(later.contains("HTTP/1.1 408 "), "\(later)")
            #expect(try await RawHTTP.exchange(port, "").isEmpty)
            await server.stop()
        }
    }

    @Test("revocation on one node refuses the token on another within a second")
    func twoNodes() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let other = GatewayServer(
                GatewayDependencies(
                    configuration: api.configuration, database: api.database, sealing: PlainSealing(),
                    sessions: FakeSessions(),
                    webhooks: api.dependencies.webhooks, egress: api.dependencies.egress,
                    versions: api.dependencies.versions,
                    node: api.dependencies.node, logger: api.dependencies.logger,
                    now: { Int64(Date().timeIntervalSince1970) }),
                configuration: api.configuration)
            let port = try await other.start()
            let device = try await api.device(of: try await api.tenant())
            func status() async throws -> Int {
                var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/devices/me")
                request.headers = ["Authorization": "Bearer \(device.token)"]
                return Int(try await HTTPClient.shared.execute(request, timeout: .seconds(60)).status.code)
            }
            func becomes(_ expected: Int) async throws -> Bool {
                let deadline = ContinuousClock.now + .seconds(60)
                while ContinuousClock.now < deadline {
                    if try await status() == expected { return true }
                    try await Task.sleep(for: .milliseconds(20))
                }
                return false
            }
            #expect(try await becomes(200))
            _ = try await api.call(
                "POST", "/devices/token", json: #"{"device_id":"\#(device.id)","device_secret":"\#(device.secret)"}"#)
            #expect(try await becomes(401))
            await other.stop()
        }
    }
}

private struct PlainSealing: SecretSealing {
    func seal(_ plaintext: [UInt8], context: String) throws -> [UInt8] { plaintext }
    func open(_ sealed: [UInt8], context: String) throws -> [UInt8] { sealed }
}

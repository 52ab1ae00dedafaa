import AsyncHTTPClient
import Cryptography
import Foundation
import Gateway
import GatewayTestSupport
import NIOCore
import NIOHTTP1
import Storage
import Testing

@Suite("Bad input")
struct BadInputTests {
    @Test("each tier tells missing credentials from wrong ones, and never more")
    func credentials() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let parts = device.token.split(separator: ".").map(String.init)
            let other = Base64.encodeURLSafe(Bytes(#"{"device_id":"\#(device.id)","version":1}"#.utf8))
            let none = Base64.encodeURLSafe(Bytes(#"{"alg":"none","typ":"JWT"}"#.utf8))
            let confused = Base64.encodeURLSafe(Bytes(#"{"alg":"RS256","typ":"JWT"}"#.utf8))
            let format = "Invalid Authorization header format. Use: Bearer <token>"
            for (path, header, value, message) in [
                ("/admin/stats", "X-Admin-Secret", "", "Missing X-Admin-Secret header"),
                ("/admin/stats", "X-Admin-Secret", "nope", "Invalid admin secret"),
                ("/admin/stats", "Authorization", "Bearer \(device.token)", "Missing X-Admin-Secret header"),
                ("/devices", "X-API-Key", "", "Missing X-API-Key header"),
                ("/devices", "X-API-Key", "nope", "Invalid API key"),
                ("/devices", "X-API-Key", "wam_0123456789abcdef0123456789ab", "Invalid API key"),
                ("/devices", "X-API-Key", "wam_" + String(repeating: "0", count: 5000), "Invalid API key"),
                ("/devices/me", "X-API-Key", "nope", "Missing Authorization header"),
                ("/devices/me", "Authorization", "Basic x", format),
                ("/devices/me", "Authorization", device.token, format),
                ("/devices/me", "Authorization", "Bearer \(parts[0]).\(parts[1])", "Invalid or expired token"),
                ("/devices/me", "Authorization", "Bearer \(device.token.dropLast())", "Invalid or expired token"),
                ("/devices/me", "Authorization", "Bearer \(device.token).x", "Invalid or expired token"),
                ("/devices/me", "Authorization", "Bearer \(none).\(parts[1]).", "Invalid or expired token"),
                ("/devices/me", "Authorization", "Bearer \(none).\(parts[1]).\(parts[2])", "Invalid or expired token"),
                (
                    "/devices/me", "Authorization", "Bearer \(confused).\(parts[1]).\(parts[2])",
                    "Invalid or expired token"
                ),
                ("/devices/me", "Authorization", "Bearer \(parts[0]).\(other).\(parts[2])", "Invalid or expired token"),
                (
                    "/devices/me", "Authorization", "Bearer \(String(repeating: "a.", count: 2500))",
                    "Invalid or expired token"
                ),
            ] {
                let answer = try await api.call("GET", path, [header: value])
                #expect(answer.status == 401 && answer.message == message, "\(path) \(header): \(value.prefix(60))")
                #expect(answer["data", "error_code"] is String && answer["error"] as? String == message)
                let challenge = path == "/devices/me" ? #"Bearer realm="switchboard""# : nil
                #expect(answer.headers["www-authenticate"] == challenge)
            }
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
        }
    }

    @Test("a body that is not what its type says is refused with the route's own words")
    func bodies() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            func post(_ body: [UInt8], type: String?) async throws -> APIAnswer {
                var headers = ["Authorization": "Bearer \(device.token)"]
                headers["Content-Type"] = type
                return APIAnswer(
                    try await api.gateway.send("POST", "/chats/492522798642/messages", headers: headers, body: body))
            }
            let deep = String(repeating: "[", count: 10_000)
            for body in [
                "[]", "7", #""text""#, #"{"text":"a"} {}"#, #"{"text":"a",}"#, #"{'text':'a'}"#,
                "{\"text\":\"a\nb\"}", "{\"text\":\"a\u{0}\"}", #"{"text":["a"]}"#, #"{"text":{"a":1}}"#,
                #"{"text":true}"#,
                #"{"text":"a","mentions":"x"}"#, #"{"text":"a","mentions":[1]}"#, #"{"text":"a","x":\#(deep)"#,
                #"{"text":"a","x":1e999999999999}"#, "{\"text\":\"\u{FEFF}",
            ] {
                let answer = try await post(Array(body.utf8), type: "application/json; charset=utf-8")
                #expect(
                    answer.status == 400 && answer.message == "Failed parse body request"
                        && answer.errorCode == "invalid_body", "\(body.prefix(40)): \(answer.text)")
            }
            let notUTF8 = Array(#"{"text":""#.utf8) + [0xFF, 0xC0] + Array(#""}"#.utf8)
            #expect(try await post(notUTF8, type: "application/json").status == 400)
            #expect(try await post(notUTF8, type: "application/x-www-form-urlencoded").status == 400)
            #expect(try await post(Array("text=%zz".utf8), type: "application/x-www-form-urlencoded").status == 400)
            for type in ["multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary="] {
                #expect(try await post(Array("--y\r\n".utf8), type: type).status == 400)
            }
            for type in ["text/plain", "application/xml", nil] {
                let answer = try await post(Array(#"{"text":"a"}"#.utf8), type: type)
                #expect(answer.status == 415 && answer.message == "Unsupported Media Type", "\(type ?? "no type")")
            }
            #expect(try await post(Array(#"{"text":"a"}"#.utf8), type: "application/json").status == 200)
        }
    }

    @Test("paths and numbers that mean nothing are refused before anything is asked of WhatsApp")
    func addresses() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            let digits = "phone number must be digits only and at least 6 characters"
            for (phone, message) in [
                ("12345", digits), ("abcdefgh", digits), ("12345678901234567", digits), ("%2B%2B4915112345", digits),
                ("4915%2012345", digits),
                ("0151123456", "phone number must be in international format without leading 0"),
                ("%20", "phone number cannot be empty"),
            ] {
                let answer = try await api.device(device, "GET", "/devices/me/contacts/\(phone)/registered")
                #expect(answer.status == 400 && answer.message == message, "\(phone): \(answer.text)")
            }
            for chat in ["x@y", "1@@s.whatsapp.net", "abc@s.whatsapp.net", "@g.us", "1-2-3@g.us", "%00@lid"] {
                let answer = try await api.device(device, "POST", "/chats/\(chat)/messages", json: #"{"text":"a"}"#)
                #expect(
                    answer.status == 400 && answer.message.hasPrefix("invalid JID format: "), "\(chat): \(answer.text)")
            }
            for path in ["/devices/me/contacts/%zz/registered", "/chats/%ff%fe/messages", "/chats/1%2/messages"] {
                #expect(try await api.device(device, "GET", path).status == 400, "\(path)")
            }
            for path in [
                "/chats", "/devices/me/../../admin/stats", "//devices/me", "/devices/me//",
            ] {
                #expect(try await api.device(device, "GET", path).status == 404, "\(path)")
            }
            #expect(session.now.sent.isEmpty)
        }
    }

    @Test("HEAD mirrors GET without a body; other methods are told what is allowed")
    func methods() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let headers = ["Authorization": "Bearer \(device.token)"]
            for (path, status) in [
                ("/devices/me", 200), ("/devices/me/proxy", 200), ("/webhooks/7", 404), ("/nope", 404),
            ] {
                let get = try await api.call("GET", path, headers)
                let head = try await api.call("HEAD", path, headers)
                #expect(get.status == status && head.status == status && head.body.isEmpty, "\(path)")
                #expect(head.headers["content-length"] == "\(get.body.count)" || status == 404, "\(path)")
            }
            #expect(try await api.call("HEAD", "/devices/me").status == 401)
            for (method, path, allow) in [
                ("DELETE", "/devices/me", "GET, HEAD"), ("GET", "/devices/token", "POST"),
                ("HEAD", "/devices/token", "POST"),
                ("PUT", "/webhooks/1", "DELETE, GET, HEAD, PATCH"), ("TRACE", "/webhooks", "GET, HEAD, POST"),
            ] {
                let answer = try await api.call(method, path, headers)
                #expect(
                    answer.status == 405 && answer.headers["allow"] == allow, "\(method) \(path): \(answer.headers)")
            }
        }
    }

    @Test("requests that could be read in two ways are refused and their connection closed")
    func framing() async throws {
        try await GatewayFixture.run(settings: ["SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1"]) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let post = "POST /devices/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            for (request, status) in [
                (post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x", "400"),
                (post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
                (post + "Content-Length: -1\r\n\r\n", "400"), (post + "Content-Length: 1x\r\n\r\n{", "400"),
                (post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "400"),
                ("GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n\r\n", "400"),
                ("GET / HTTP/1.1\r\nHost: x\r\nA: b\u{0}c\r\n\r\n", "400"), ("GET  HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
                ("GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: 300) + "\r\n", "431"),
                ("GET /\(String(repeating: "a", count: 40_000)) HTTP/1.1\r\nHost: x\r\n\r\n", "431"),
            ] {
                let answer = try await RawHTTP.exchange(port, request)
                #expect(answer.hasPrefix("HTTP/1.1 \(status)"), "\(request.prefix(140)) -> \(answer.prefix(200))")
            }
            let alive = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/"), timeout: .seconds(60))
            #expect(alive.status == .ok)
            await server.stop()
        }
    }

    @Test("authenticated requests that need no row run no statement")
    func statements() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            session.change { $0.registered = ["492522798642"] }
            // Without a database whatever runs a statement fails.
            await api.database.shutdown()
            for _ in 0..<1000 {
                let answer = try await api.device(device, "GET", "/devices/me/contacts/492522798642/registered")
                guard answer.status == 200 else {
                    Issue.record("\(answer.text)")
                    return
                }
            }
            #expect(try await api.call("GET", "/devices/me", ["Authorization": "Bearer a.b.c"]).status == 401)
            #expect(try await api.admin("GET", "/nope").status == 404)
            #expect(try await api.call("GET", "/").status == 200)
            let stored = try await api.device(device, "GET", "/devices/me/proxy")
            #expect(
                stored.status == 503 && stored.errorCode == "database_unavailable"
                    && stored.headers["retry-after"] != nil)
        }
    }
}

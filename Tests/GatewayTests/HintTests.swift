import Cryptography
import Foundation
import GatewayTestSupport
import Tenancy
import Testing

@testable import Gateway

@Suite("Errors that say what to do")
struct HintTests {
    @Test("a token that is malformed, cut off or of another gateway is told the same, and where to get one")
    func tokens() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let foreign = try await GatewayFixture.run(settings: [
                "JWT_SECRET_KEY": String(repeating: "another ", count: 5)
            ]) { other in try await other.device(of: try await other.tenant()).token }
            var hints: Set<String> = []
            for token in [foreign, "a.b.c", String(device.token.dropLast(3)), device.token + ".x", "wam_0123456789"] {
                let answer = try await api.call("GET", "/devices/me", ["Authorization": "Bearer \(token)"])
                #expect(answer.status == 401 && answer.message == "Invalid or expired token", "\(answer.text)")
                hints.insert(answer["data", "hint"] as? String ?? "none: \(token)")
            }
            #expect(hints.count == 1 && hints.first?.contains("POST /devices/{device_id}/token") == true, "\(hints)")
            #expect(hints.first?.contains("do not expire") == true)
        }
    }

    @Test("a JID with spaces within is refused and told how one is written; around it they do not matter")
    func spaces() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            func send(_ chat: String) async throws -> APIAnswer {
                try await api.device(device, "POST", "/chats/\(chat)/messages", json: #"{"text":"a"}"#)
            }
            for chat in ["1555%20000%201111@s.whatsapp.net", "15550001111%20@s.whatsapp.net", "%F0%9F%98%80@g.us"] {
                let answer = try await send(chat)
                #expect(answer.status == 400 && answer.errorCode == "invalid_recipient", "\(answer.text)")
                #expect(answer["data", "field"] as? String == "chat_jid", "\(answer.text)")
                let hint = answer["data", "hint"] as? String ?? ""
                #expect(hint.contains("@s.whatsapp.net") && hint.contains("no spaces"), "\(answer.text)")
            }
            let number = try await send("1555%20000%201111")
            #expect(number.status == 400 && number["data", "field"] as? String == "chat_jid", "\(number.text)")
            #expect(number.message == "Phone number must be digits only and at least 6 characters")
            for chat in ["%2015550001111%20", "%2015550001111@s.whatsapp.net%20"] {
                #expect(try await send(chat).status == 200, "\(chat)")
            }
        }
    }

    @Test("a webhook's address that is refused says which addresses are not, as this gateway is set up")
    func addresses() async throws {
        func refusal(_ url: String, allowsHTTP: Bool) async throws -> APIAnswer {
            try await GatewayFixture.run(settings: ["WEBHOOK_ALLOW_HTTP": "\(allowsHTTP)"]) { api in
                let device = try await api.device(of: try await api.tenant())
                return try await api.device(device, "POST", "/webhooks", json: #"{"url":"\#(url)"}"#)
            }
        }
        let beside = try await refusal("ftp://hooks.example/h", allowsHTTP: true)
        #expect(beside.message == "only HTTP and HTTPS URLs are allowed" && beside["data", "hint"] == nil)
        let alone = try await refusal("http://hooks.example/h", allowsHTTP: false)
        #expect(alone.message == "only HTTPS URLs are allowed")
        #expect((alone["data", "hint"] as? String)?.contains("WEBHOOK_ALLOW_HTTP") == true)
        let port = try await refusal("https://hooks.example:99/h", allowsHTTP: true)
        #expect(port.message == "url must be valid" && (port["data", "hint"] as? String)?.contains("8443") == true)
        let near = try await refusal("https://10.0.0.1/h", allowsHTTP: true)
        #expect((near["data", "hint"] as? String)?.contains("EGRESS_ALLOW_CIDRS") == true, "\(near.text)")
        for answer in [beside, alone, port, near] {
            #expect(answer.status == 400 && answer["data", "field"] as? String == "url", "\(answer.text)")
        }
    }

    @Test("numbers of a tenant that are too small or too large say which they were, and what is the case without them")
    func numbers() async throws {
        try await GatewayFixture.run { api in
            let small = try await api.admin("POST", "/admin/api-keys", json: #"{"customer_name":"a","max_devices":-1}"#)
            #expect(small.status == 400 && small.message == "max_devices is required and must be greater than 0")
            #expect((small["data", "hint"] as? String)?.hasPrefix("-1 is not greater than 0") == true, "\(small.text)")
            for (method, path) in [
                ("POST", "/admin/api-keys"), ("PATCH", "/admin/api-keys/\(try await api.tenant().id)"),
            ] {
                let large = try await api.admin(
                    method, path, json: #"{"customer_name":"a","rate_limit_per_hour":2147483648}"#)
                #expect(large.status == 400 && large.message == "rate_limit_per_hour must be at most 2147483647")
            }
        }
    }

    @Test("a login of a linked device is no error but connects again, in each form; its stream alone is 409")
    func linkedLogin() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            for (method, path, body) in [
                ("POST", "/devices/me/login", "{}"), ("POST", "/devices/me/login?output=json", "{}"),
                ("GET", "/devices/me/login?output=png", nil),
                ("POST", "/devices/me/login-code", #"{"phone":"15550001111"}"#),
            ] {
                let answer = try await api.device(device, method, path, json: body)
                #expect(answer.status == 200 && answer.message == "WhatsApp Client is Reconnected", "\(answer.text)")
                #expect(answer["data"] == nil && answer.headers["content-type"] == "application/json")
            }
            #expect(session.now.reconnects == 4)
            let stream = try await api.device(device, "GET", "/devices/me/login/stream")
            #expect(stream.status == 409 && stream.errorCode == "already_paired")
            let document = OpenAPIDocument(
                routes: RouteCatalogue.described(by: api), server: api.configuration.server
            ).value
            func described(_ path: String, _ method: String) -> String {
                "\(document["paths"]?[path]?[method] ?? .null)"
            }
            for (path, method) in [
                ("/devices/me/login", "post"), ("/devices/me/login", "get"), ("/devices/me/login-code", "post"),
            ] {
                let text = described(path, method)
                #expect(text.contains("WhatsApp Client is Reconnected") && !text.contains("already_paired"), "\(text)")
            }
            #expect(described("/devices/me/login/stream", "get").contains("already_paired"))
        }
    }

    @Test("what the description says of a time of grace, the documentation says too")
    func grace() async throws {
        try await GatewayFixture.run { api in
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "docs")
            let pages = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter { $0.hasSuffix(".md") }
                .map { try String(contentsOf: root.appending(path: $0), encoding: .utf8) }
            let routes = RouteCatalogue.described(by: api).filter { route in
                route.body.fields.contains { $0.name == "grace_seconds" }
            }
            #expect(routes.count == 2)
            for route in routes {
                let call = String(route.path.split(separator: "/").last ?? "")
                #expect(pages.contains { $0.contains("/\(call)") && $0.contains("`grace_seconds`") }, "\(route.name)")
            }
        }
    }
}

import Foundation
import Gateway
import GatewayTestSupport
import Testing

@Suite("Dashboard")
struct DashboardTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Dashboard")

    @Test("every file of the folder is served as it is, with a policy that lets nothing else in")
    func files() async throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        try await GatewayFixture.run { api in
            for name in names where name != "index.html" {
                let answer = try await api.call("GET", "/dashboard/\(name)")
                let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
                let isSame = answer.text.trimmingCharacters(in: .newlines) == text.trimmingCharacters(in: .newlines)
                #expect(isSame, "run scripts/embed-dashboard: \(name) differs")
                let type = ["js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"]
                #expect(
                    answer.headers["content-type"]?.hasPrefix(
                        type[String(name.split(separator: ".").last ?? "")] ?? "?")
                        == true, "\(name)")
                #expect(
                    answer.headers["content-security-policy"]?.hasPrefix("default-src 'none'; script-src 'self'")
                        == true)
            }
            #expect(try await api.call("GET", "/dashboard/nothing.js").status == 404)
        }
    }

    @Test("the page's addresses stand below the base path, and nothing in it is inline")
    func page() async throws {
        try await GatewayFixture.run(settings: ["HTTP_BASE_URL": "/wa"]) { api in
            let answer = try await api.call("GET", "/wa/dashboard")
            #expect(answer.status == 200 && answer.headers["content-type"] == "text/html; charset=utf-8")
            #expect(answer.text.contains(#"src="/wa/dashboard/app.js""#) && !answer.text.contains("{{"))
            #expect(answer.text.contains(#"name="switchboard-sandbox" content="false""#))
            let policy = answer.headers["content-security-policy"] ?? ""
            #expect(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"))
            for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) {
                let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
                let inline = text.firstMatch(of: #/style="|onclick="|<script>|<style/#)?.output
                #expect(inline == nil, "\(name)")
                let foreign = text.firstMatch(of: #/https?:\/\/(?!www\.w3\.org|example\.com|web\.whatsapp\.com")/#)?
                    .output
                #expect(foreign == nil, "\(name)")
                let sink = text.firstMatch(
                    of: #/innerHTML\s*=[^=]|document\.write|eval\(|localStorage|sessionStorage/#)?
                    .output
                #expect(sink == nil, "\(name)")
            }
        }
    }

    @Test("a key gets tokens for its own devices that do not revoke earlier ones, and for no other's")
    func tokens() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let device = try await api.device(of: tenant)
            let issued = try await api.call("POST", "/devices/\(device.id)/token", ["X-API-Key": tenant.key])
            let token = try #require(issued["data", "token"] as? String, "\(issued.text)")
            #expect(issued.headers["cache-control"] == "no-store")
            for bearer in [token, device.token] {
                let me = try await api.call("GET", "/devices/me", ["Authorization": "Bearer \(bearer)"])
                #expect(me["data", "device_id"] as? String == device.id)
            }
            let other = try await api.tenant(name: "Other")
            for id in [device.id, UUID().uuidString, "x"] {
                let refused = try await api.call("POST", "/devices/\(id)/token", ["X-API-Key": other.key])
                #expect(refused.status == 404, "\(refused.text)")
            }
            #expect(try await api.call("POST", "/devices/\(device.id)/token").status == 401)
        }
    }

    @Test("the timeline shows a device's own events to its owner and to the operator")
    func timeline() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let device = try await api.device(of: tenant)
            let other = try await api.device(of: tenant, name: "Other")
            for (did, event) in [(device.did, "connection.connected"), (other.did, "connection.logged_out")] {
                try await api.script(
                    "INSERT INTO sb.device_timeline (did, at, event, detail) VALUES (\(did), now(), '\(event)', '{\"reason\":\"x\"}')"
                )
            }
            for answer in [
                try await api.device(device, "GET", "/devices/me/timeline"),
                try await api.admin("GET", "/admin/devices/\(device.id)/timeline?limit=5"),
            ] {
                let entries = answer["data"] as? [[String: Any]] ?? []
                #expect(entries.map { $0["event"] as? String } == ["connection.connected"], "\(answer.text)")
                #expect((entries.first?["detail"] as? [String: Any])?["reason"] as? String == "x")
            }
            #expect(try await api.admin("GET", "/admin/devices/\(UUID())/timeline").status == 404)
        }
    }

    @Test("without a sandbox beside it the gateway has no way to one")
    func noSandbox() async throws {
        try await GatewayFixture.run { api in
            let answer = try await api.admin(
                "POST", "/admin/sandbox/call", json: #"{"method":"GET","path":"/accounts"}"#)
            #expect(answer.status == 404)
        }
    }

    @Test("calls of phones go to the sandbox for the operator alone, and only to what the dashboard needs")
    func sandbox() async throws {
        try await GatewayFixture.run { api in
            var dependencies = api.dependencies
            dependencies.sandbox = SandboxRelay { method, path, body in
                if path == "/accounts/down" { throw SandboxDown() }
                return .init(status: 201, body: Array(#"{"said":"\#(method) \#(path) \#(body.count)"}"#.utf8))
            }
            let gateway = InProcessGateway(dependencies, configuration: api.configuration) {
                Int64(Date().timeIntervalSince1970)
            }
            func call(_ body: String, secret: String = GatewayFixture.adminSecret) async throws -> APIAnswer {
                APIAnswer(
                    try await gateway.send(
                        "POST", "/admin/sandbox/call",
                        headers: ["X-Admin-Secret": secret, "Content-Type": "application/json"], body: Array(body.utf8))
                )
            }
            let answer = try await call(#"{"method":"post","path":"/accounts/1/send?x=1","body":"{}"}"#)
            #expect(answer["data", "status"] as? Int == 201, "\(answer.text)")
            #expect(answer["data", "body", "said"] as? String == "POST /accounts/1/send?x=1 2")
            for path in ["/reset", "/accounts/../reset", "accounts", "", "/accounts#x", "/accounts x", "//accounts@x"] {
                let refused = try await call(#"{"method":"GET","path":"\#(path)"}"#)
                #expect(refused.status == 400, "\(path): \(refused.text)")
            }
            #expect(try await call(#"{"method":"TRACE","path":"/accounts"}"#).status == 400)
            #expect(try await call(#"{"method":"GET","path":"/accounts/down"}"#).status == 502)
            #expect(try await call(#"{"method":"GET","path":"/accounts"}"#, secret: "another-secret").status == 401)
        }
    }

    private struct SandboxDown: Error {}
}

import Foundation
import GatewayTestSupport
import TestSupport
import Testing

/// Who did what (10-rest-api, section 3.2).
@Suite("Audit log of requests")
struct AuditAPITests {
    @Test(
        "what operator, key and device do leaves a line with its outcome; reading, chatting and being refused leaves none"
    )
    func lines() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let device = try await api.device(of: tenant)
            try await api.pair(device)
            // No lines: refused, read, and what has rows of its own.
            #expect(try await api.call("POST", "/devices", ["X-API-Key": "wam_wrong"]).status == 401)
            #expect(try await api.call("GET", "/devices", ["X-API-Key": tenant.key]).status == 200)
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
            let sent = try await api.device(device, "POST", "/chats/492522798642/messages", json: #"{"text":"a"}"#)
            #expect(sent.status == 200, "\(sent.text)")
            // Lines, also of what did not succeed.
            let webhook = try await api.webhook(of: device)
            let refused = try await api.call(
                "PATCH", "/webhooks/\(webhook)",
                ["Authorization": "Bearer \(device.token)", "X-Request-ID": "look-for-me"],
                json: #"{"events":["no.such.event"]}"#)
            #expect(refused.status == 400)

            func entries() async throws -> [[String: Any]] {
                try await api.admin("GET", "/admin/audit")["data"] as? [[String: Any]] ?? []
            }
            func find(_ action: String, _ target: String) async throws -> [String: String] {
                try await eventually("\(action) of \(target)") {
                    try await entries().first {
                        $0["action"] as? String == action && $0["target"] as? String == target
                    }?
                    .mapValues { "\($0)" }
                }
            }
            let admin = try await find("admin.request", "POST /admin/api-keys")
            #expect(admin["actor"] == "admin" && admin["result"] == "201")
            let key = try await find("tenant.request", "POST /devices")
            #expect(key["actor"] == "api_key:\(tenant.id)" && key["result"] == "201")
            #expect(key["api_key_id"] == "\(tenant.id)")
            let change = try await find("device.request", "PATCH /webhooks/{webhook_id}")
            #expect(change["actor"] == "device" && change["result"] == "400")
            #expect(change["request_id"] == "look-for-me" && change["device_id"] == device.id)
            let customers = try await entries().filter { $0["action"] as? String != "admin.request" }
            let targets = customers.compactMap { $0["target"] as? String }
            #expect(!targets.contains { $0.hasPrefix("GET ") || $0.contains("/messages") }, "\(targets)")
            #expect(targets.count { $0 == "POST /devices" } == 1)
            let own = try await api.admin("GET", "/admin/audit?api_key_id=\(tenant.id + 1)")
            #expect((own["data"] as? [Any])?.isEmpty == true)
        }
    }
}

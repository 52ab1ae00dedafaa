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
            // Of one tenant: its lines and no other's.
            let other = try await api.tenant()
            let others = try await api.device(of: other)
            for (asked, device) in [(tenant, device), (other, others)] {
                let own = try await eventually("the lines of \(asked.id)") {
                    let answer = try await api.admin("GET", "/admin/audit?api_key_id=\(asked.id)")
                    let lines = (answer["data"] as? [[String: Any]] ?? []).map { $0.mapValues { "\($0)" } }
                    return lines.contains { $0["target"] == "POST /devices" } ? lines : nil
                }
                #expect(own.allSatisfy { $0["api_key_id"] == "\(asked.id)" }, "\(own)")
                #expect(own.allSatisfy { ($0["device_id"] ?? device.id) == device.id }, "\(own)")
            }
            let nobodys = try await api.admin("GET", "/admin/audit?api_key_id=\(other.id + 1)")
            #expect((nobodys["data"] as? [Any])?.isEmpty == true)
        }
    }

    @Test(
        "what changed something is found however much the operator read since, page by page; what is no answer is 400")
    func withoutReads() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let device = try await api.device(of: tenant)
            let refused = try await api.admin("GET", "/admin/api-keys/999999")
            #expect(refused.status == 404)
            for _ in 0..<30 { _ = try await api.admin("GET", "/admin/stats") }
            func page(_ query: String) async throws -> (targets: [String], next: String?) {
                let answer = try await api.admin("GET", "/admin/audit?\(query)")
                #expect(answer.status == 200, "\(answer.text)")
                let lines = answer.json["data"] as? [[String: Any]] ?? []
                return (lines.compactMap { $0["target"] as? String }, answer.headers["x-next-cursor"])
            }
            _ = try await eventually("the lines of what was read") {
                let targets = try await page("limit=20").targets
                return targets.count == 20 && targets.allSatisfy { $0.hasPrefix("GET ") } ? true : nil
            }
            let wanted: Set = ["POST /admin/api-keys", "POST /devices", "GET /admin/api-keys/{id}"]
            let changes = try await eventually("the lines of what changed something, and the same one by one") {
                let changes = try await page("reads=false&limit=20").targets
                var steps: [String] = []
                var cursor: String? = ""
                while let place = cursor, steps.count <= changes.count {
                    let step = try await page("reads=false&limit=1" + (place.isEmpty ? "" : "&cursor=\(place)"))
                    steps += step.targets
                    cursor = step.next
                }
                return wanted.isSubset(of: changes) && steps == changes ? changes : nil
            }
            #expect(!changes.contains("GET /admin/stats") && !changes.contains("GET /admin/audit"), "\(changes)")
            let own = try await page("reads=false&api_key_id=\(tenant.id)").targets
            #expect(own.contains("POST /devices") && !own.contains("POST /admin/api-keys"), "\(own) of \(device.id)")
            let wrong = try await api.admin("GET", "/admin/audit?reads=perhaps")
            #expect(wrong.status == 400 && wrong.text.contains("reads must be true or false"), "\(wrong.text)")
        }
    }
}

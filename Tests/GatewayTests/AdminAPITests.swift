import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import Tenancy
import TestSupport
import Testing

@Suite("Admin API")
struct AdminAPITests {
    @Test("a tenant is created, shown without its key, changed, rotated and deleted")
    func tenantLife() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            #expect(tenant.key.hasPrefix("wam_") && tenant.key.count == 32)
            let list = try await api.admin("GET", "/admin/api-keys")
            #expect(list.message == "API keys retrieved successfully")
            let shown = try #require((list["data"] as? [[String: Any]])?.first)
            #expect(shown["api_key_masked"] as? String == "\(tenant.key.prefix(8))...\(tenant.key.suffix(4))")
            #expect(!list.text.contains(tenant.key))

            let one = try await api.admin("GET", "/admin/api-keys/\(tenant.id)")
            #expect(one.status == 200 && (one["data", "devices"] as? [Any])?.isEmpty == true)
            let patched = try await api.admin(
                "PATCH", "/admin/api-keys/\(tenant.id)",
                json: #"{"customer_name":"New","max_devices":0,"customerEmail":""}"#)
            #expect(patched["data", "customer_name"] as? String == "New")
            #expect(patched["data", "max_devices"] as? Int == 10)

            let rotated = try await api.admin("POST", "/admin/api-keys/\(tenant.id)/rotate", json: "{}")
            let newKey = try #require(rotated["data", "api_key"] as? String)
            #expect(try await api.call("POST", "/devices", ["X-API-Key": tenant.key]).message == "Invalid API key")
            #expect(try await api.call("POST", "/devices", ["X-API-Key": newKey]).status == 201)

            let deleted = try await api.admin("DELETE", "/admin/api-keys/\(tenant.id)")
            #expect(deleted.status == 200 && deleted["data", "devices_deleted"] as? Int == 1)
            #expect(try await api.call("POST", "/devices", ["X-API-Key": newKey]).status == 401)
            #expect(try await api.admin("GET", "/admin/api-keys/\(tenant.id)").status == 404)
            #expect(try await api.admin("GET", "/admin/api-keys/abc").message == "Invalid API key ID")
            let audit = try await api.admin("GET", "/admin/audit")
            let actions = (audit["data"] as? [[String: Any]])?.compactMap { $0["action"] as? String } ?? []
            #expect(
                Set(actions).isSuperset(of: [
                    "api_key.create", "api_key.update", "api_key.rotate", "api_key.delete", "device.create",
                ]))
        }
    }

    @Test("checks run in the documented order with the documented texts")
    func tenantValidation() async throws {
        try await GatewayFixture.run { api in
            for (body, message) in [
                ("{}", "customer_name is required"), (#"{"customer_name":" "}"#, "customer_name is required"),
                (#"{"customer_name":"a","max_devices":0}"#, "max_devices is required and must be greater than 0"),
                (
                    #"{"customer_name":"a","rate_limit_per_hour":-1}"#,
                    "rate_limit_per_hour is required and must be greater than 0"
                ),
                (#"{"customer_name":5}"#, "Invalid request body"), (#"{"a":"#, "Invalid request body"),
            ] {
                let answer = try await api.admin("POST", "/admin/api-keys", json: body)
                #expect(answer.status == 400 && answer.message == message)
            }
            let long = String(repeating: "x", count: 256)
            #expect(
                try await api.admin("POST", "/admin/api-keys", json: #"{"customer_name":"\#(long)"}"#).status == 400)
        }
    }

    @Test("an inactive tenant's key and tokens are refused at once and work again when it is active")
    func inactive() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let device = try await api.device(of: tenant)
            _ = try await api.admin("PATCH", "/admin/api-keys/\(tenant.id)", json: #"{"is_active":false}"#)
            for answer in [
                try await api.device(device, "GET", "/devices/me"),
                try await api.call("POST", "/devices", ["X-API-Key": tenant.key]),
                try await api.call(
                    "POST", "/devices/token",
                    json: #"{"device_id":"\#(device.id)","device_secret":"\#(device.secret)"}"#),
            ] {
                #expect(
                    answer.status == 401 && answer.message == "API key is inactive"
                        && answer.errorCode == "api_key_inactive")
            }
            _ = try await api.admin("PATCH", "/admin/api-keys/\(tenant.id)", json: #"{"is_active":true}"#)
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
        }
    }

    @Test("statistics, health, device lists and webhook totals have their documented members")
    func overview() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let first = try await api.device(of: tenant, name: "one")
            _ = try await api.device(of: tenant, name: "two")
            try await api.pair(first)
            let stats = try await api.admin("GET", "/admin/stats")
            #expect(stats["data", "total_devices"] as? Int == 2 && stats["data", "connected_devices"] as? Int == 1)
            let health = try await api.admin("GET", "/admin/health")
            #expect(health.status == 200 && health["data", "database"] as? String == "ok")
            for member in [
                "memory_alloc", "memory_sys", "goroutines", "uptime", "version", "go_version", "whatsapp_clients",
            ] {
                #expect(health["data", member] != nil, "\(member)")
            }
            let devices = try await api.admin("GET", "/admin/devices?q=ONE")
            #expect((devices["data", "devices"] as? [[String: Any]])?.count == 1)
            #expect(
                devices["data", "summary", "total"] as? Int == 2 && devices["data", "summary", "pending"] as? Int == 1)
            for (query, message) in [
                ("status=foo", "status must be one of: pending, active, disconnected, logged_out"),
                ("api_key_id=x", "api_key_id must be a number"),
            ] {
                let refused = try await api.admin("GET", "/admin/devices?\(query)")
                #expect(refused.status == 400 && refused.message == message)
            }
            let page = try await api.admin("GET", "/admin/devices?limit=1")
            let cursor = try #require(page.headers["x-next-cursor"])
            let rest = try await api.admin("GET", "/admin/devices?limit=1&cursor=\(cursor)")
            #expect(rest.headers["x-next-cursor"] == nil)
            #expect((rest["data", "devices"] as? [[String: Any]])?.first?["device_name"] as? String == "one")
            let statuses = try await api.admin("GET", "/admin/devices/status")
            let live = try #require(
                (statuses["data", "devices"] as? [[String: Any]])?.first { $0["device_name"] as? String == "one" })
            #expect(
                live["connected"] as? Bool == true && live["error"] == nil
                    && live["customer_name"] as? String == "Harbour Ltd")
            let dead = try #require(
                (statuses["data", "devices"] as? [[String: Any]])?.first { $0["device_name"] as? String == "two" })
            #expect(
                dead["client_loaded"] as? Bool == false && dead["error"] as? String == "WhatsApp Client is not Valid")
            #expect(
                statuses["data", "summary", "online"] as? Int == 1
                    && statuses["data", "summary", "offline"] as? Int == 1)
            let tenantDevices = try await api.admin("GET", "/admin/api-keys/\(tenant.id)/devices/status")
            #expect((tenantDevices["data"] as? [[String: Any]])?.count == 2)
            let webhooks = try await api.admin("GET", "/admin/webhooks/stats")
            #expect(webhooks["data", "total_webhooks"] as? Int == 0 && webhooks["data", "success_rate"] as? Int == 0)
            #expect(try await api.admin("GET", "/admin/nodes").status == 200)
        }
    }

    @Test("reconnecting everything tells what became of each device")
    func reconnectAll() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let connected = try await api.device(of: tenant, name: "connected")
            let waiting = try await api.device(of: tenant, name: "waiting")
            _ = try await api.device(of: tenant, name: "never")
            try await api.pair(connected)
            let session = try await api.pair(waiting, jid: "15557770001:1@s.whatsapp.net")
            session.change { $0.state.phase = .waiting }
            let answer = try await api.admin("POST", "/admin/devices/reconnect")
            let results = (answer["data", "results"] as? [[String: Any]]) ?? []
            let byName = Dictionary(results.map { ($0["device_name"] as? String ?? "", $0["status"] as? String ?? "") })
            { $1 }
            #expect(byName == ["connected": "already_connected", "waiting": "reconnected", "never": "skipped"])
            #expect(answer["data", "summary", "skipped"] as? Int == 2)
            #expect(session.now.reconnects == 1)
        }
    }

    @Test("the tenant's own id of a device is shown wherever the device is")
    func externalID() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let made = try await api.call(
                "POST", "/devices", ["X-API-Key": tenant.key],
                json: #"{"device_name":"Front desk","external_id":"desk-1"}"#)
            #expect(made.status == 201 && made["data", "external_id"] as? String == "desk-1", "\(made.text)")
            let token = try #require(made["data", "token"] as? String)
            let own = try await api.call("GET", "/devices/me", ["Authorization": "Bearer \(token)"])
            #expect(own["data", "external_id"] as? String == "desk-1", "\(own.text)")
            for path in ["/admin/devices", "/admin/devices/status", "/admin/api-keys/\(tenant.id)/devices"] {
                let list = try await api.admin("GET", path)
                #expect(list.status == 200 && list.text.contains(#""external_id":"desk-1""#), "\(path): \(list.text)")
            }
            let again = try await api.call(
                "POST", "/devices", ["X-API-Key": tenant.key],
                json: #"{"device_name":"Back desk","external_id":"desk-1"}"#)
            #expect(again.status == 409 && again.errorCode == "external_id_taken", "\(again.text)")
        }
    }

    @Test("a sweep looks at each device again when its turn comes")
    func reconnectLooksAgain() async throws {
        try await GatewayFixture.run(settings: ["WHATSAPP_STARTUP_RECONNECT_CONCURRENCY": "1"]) { api in
            let tenant = try await api.tenant()
            var sessions: [FakeDeviceClient] = []
            for (index, name) in ["held", "deleted", "came back", "first"].enumerated() {
                let device = try await api.device(of: tenant, name: name)
                let session = try await api.pair(device, jid: "1555777000\(index):1@s.whatsapp.net")
                session.change { $0.state.phase = .waiting }
                sessions.append(session)
            }
            // The newest is the first of the list; while it reconnects, all others change.
            let others = sessions
            sessions[3].change { script in
                script.reconnecting = {
                    try await api.script(
                        """
                        UPDATE sb.devices SET desired = 'held', held_reason = 'stream_replaced' WHERE device_name = 'held';
                        DELETE FROM sb.devices WHERE device_name = 'deleted';
                        """)
                    others[2].change { $0.state.phase = .ready }
                }
            }
            let answer = try await api.admin("POST", "/admin/devices/reconnect")
            let results = (answer["data", "results"] as? [[String: Any]]) ?? []
            let byName = Dictionary(results.map { ($0["device_name"] as? String ?? "", $0["status"] as? String ?? "") })
            { $1 }
            #expect(
                byName == [
                    "first": "reconnected", "came back": "already_connected", "deleted": "skipped", "held": "skipped",
                ])
            #expect(sessions.map(\.now.reconnects) == [0, 0, 0, 1])
        }
    }

    @Test("deleting a device kills its token and its session, and says so the second time")
    func deleteDevice() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            #expect(
                try await api.admin("DELETE", "/admin/devices/\(device.id)").message == "Device deleted successfully")
            #expect(try await api.admin("DELETE", "/admin/devices/\(device.id)").status == 404)
            #expect(try await api.admin("DELETE", "/admin/devices/nonsense").message == "Device not found")
            let refused = try await api.device(device, "GET", "/devices/me")
            #expect(
                refused.status == 401 && refused.message == "Device not found" && refused.errorCode == "device_unknown")
            _ = try await eventually("the end of the session") { api.sessions.stopped.isEmpty ? nil : true }
            #expect(api.sessions.stopped == [device.did] && session.now.logouts == 1)
        }
    }

    @Test("the version is shown, refreshed, throttled and shared through the database")
    func version() async throws {
        try await GatewayFixture.run { api in
            let before = try await api.admin("GET", "/admin/whatsapp/version")
            #expect(before["data", "wa_web_version", "string"] as? String == "2.3000.1045649367")
            #expect(before["data", "last_refreshed"] == nil && before["data", "last_error"] as? String == "")
            let failed = try await api.admin("POST", "/admin/whatsapp/version/refresh")
            #expect(failed.status == 502 && failed.message.hasPrefix("Failed to refresh WhatsApp Web version: "))
            api.pages.set(revision: 1_099_000_111)
            let throttled = try await api.admin("POST", "/admin/whatsapp/version/refresh?force=false")
            #expect(throttled["data", "refreshed"] as? Bool == false)
            let refreshed = try await api.admin("POST", "/admin/whatsapp/version/refresh")
            #expect(refreshed["data", "refreshed"] as? Bool == true)
            #expect(refreshed["data", "wa_web_version", "array"] as? [Int] == [2, 3000, 1_099_000_111])
            await api.dependencies.versions.changed()
            let after = try await api.admin("GET", "/admin/whatsapp/version")
            #expect(after["data", "wa_web_version", "string"] as? String == "2.3000.1099000111")
            #expect(after["data", "last_refreshed"] is String)
            api.pages.set(revision: 1_000_000)
            _ = try await api.admin("POST", "/admin/whatsapp/version/refresh")
            #expect(await api.dependencies.versions.current().text == "2.3000.1045649367")
        }
    }

    @Test("twenty wrong admin secrets close the door for their address")
    func bruteForce() async throws {
        try await GatewayFixture.run { api in
            for _ in 0..<20 {
                #expect(try await api.call("GET", "/admin/stats", ["X-Admin-Secret": "nope"]).status == 401)
            }
            let closed = try await api.admin("GET", "/admin/stats")
            #expect(closed.status == 429 && closed.headers["retry-after"] != nil)
        }
    }
}

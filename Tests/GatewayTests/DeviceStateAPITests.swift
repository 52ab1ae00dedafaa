import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import TestSupport
import Testing

@Suite("States of devices in the API")
struct DeviceStateAPITests {
    private struct Case: Sendable {
        let row: String
        let reason: String
        let error: String
        let sends: (status: Int, code: String)
        var details: [String: String] = [:]
    }

    private static let cases = [
        Case(
            row: "desired = 'held', held_reason = 'stream_replaced'", reason: "stream_replaced",
            error: "Session was opened elsewhere", sends: (409, "stream_replaced")),
        Case(
            row: "desired = 'held', held_reason = 'temporarily_banned', end_code = 104, held_until = '2100-01-01Z'",
            reason: "temporary_ban", error: "Account is temporarily banned", sends: (403, "temporarily_banned"),
            details: ["ban_code": "104", "ban_until": "2100-01-01T00:00:00Z"]),
        Case(
            row: "desired = 'held', held_reason = 'client_outdated', end_text = '2.3000.1'", reason: "client_outdated",
            error: "WhatsApp client version is outdated", sends: (503, "client_outdated")),
        Case(
            row: "desired = 'held', held_reason = 'connect_failure', end_code = 409, end_text = 'bad user agent'",
            reason: "connect_failure", error: "login refused with 409: bad user agent", sends: (502, "wa_unavailable"),
            details: ["reason_code": "409", "reason_text": "bad user agent"]),
        Case(
            row: """
                desired = 'stopped', status = 'logged_out', held_reason = 'logged_out', end_code = 401,
                end_text = 'device_removed'
                """, reason: "logged_out_by_phone", error: "WhatsApp Client is not Valid",
            sends: (409, "client_not_loaded"), details: ["reason_code": "401", "reason_text": "device_removed"]),
        Case(
            row: "desired = 'stopped', status = 'logged_out', held_reason = 'logged_out', end_code = 403",
            reason: "account_locked", error: "WhatsApp Client is not Valid", sends: (409, "client_not_loaded")),
        Case(
            row: "desired = 'stopped', status = 'logged_out', held_reason = 'unlinked'", reason: "logged_out_by_api",
            error: "WhatsApp Client is not Valid", sends: (409, "client_not_loaded")),
    ]

    @Test("how a device ended is told by its own state, the lists and a send, though no node runs it")
    func ends() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            for item in Self.cases {
                let device = try await api.device(of: tenant)
                try await api.script(
                    """
                    UPDATE sb.devices SET jid = did || ':7@s.whatsapp.net', status = 'disconnected' WHERE did = \(device.did);
                    UPDATE sb.devices SET \(item.row) WHERE did = \(device.did)
                    """)
                let status = try await api.device(device, "GET", "/devices/me/status")
                let all = try await api.admin("GET", "/admin/devices/status")
                let own = try await api.admin("GET", "/admin/api-keys/\(tenant.id)/devices/status")
                let me = try await api.device(device, "GET", "/devices/me")
                let lists = [all["data", "devices"] as? [[String: Any]] ?? [], own["data"] as? [[String: Any]] ?? []]
                let shown =
                    [status["data"] as? [String: Any] ?? [:]]
                    + lists.compactMap { $0.first { $0["device_id"] as? String == device.id } }
                #expect(shown.count == 3)
                for entry in shown {
                    #expect(entry["error"] as? String == item.error, "\(item.reason)")
                    #expect(entry["state_reason"] as? String == item.reason, "\(item.reason)")
                    let isHeld = item.row.contains("'held'")
                    #expect((entry["held_reason"] as? String != nil) == isHeld, "\(item.reason)")
                    for (name, text) in item.details {
                        #expect(entry[name].map { "\($0)" } == text, "\(item.reason) \(name)")
                    }
                }
                #expect(me["data", "state_reason"] as? String == item.reason)
                let send = try await api.device(device, "POST", "/chats/492522798642/messages", json: #"{"text":"x"}"#)
                #expect(send.status == item.sends.status && send.errorCode == item.sends.code, "\(send.text)")
                #expect(api.sessions.fake(device.did) == nil)
            }
        }
    }

    @Test("a device that is well, or was never linked, has the reason that fits, and a ban that is over is none")
    func otherStates() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let fresh = try await api.device(of: tenant)
            #expect(
                try await api.device(fresh, "GET", "/devices/me/status")["data", "state_reason"] as? String
                    == "never_paired")
            let linked = try await api.device(of: tenant)
            let session = try await api.pair(linked)
            let well = try await api.device(linked, "GET", "/devices/me/status")
            #expect(well["data", "state_reason"] == nil && well["data", "error"] as? String == "")
            session.change { $0.state.phase = .waiting }
            #expect(
                try await api.device(linked, "GET", "/devices/me/status")["data", "state_reason"] as? String
                    == "network")
            session.change { script in
                script.state.phase = .stopped
                script.state.end = .banned(code: 101, until: nil)
            }
            let banned = try await api.device(linked, "GET", "/devices/me/status")
            #expect(banned["data", "state_reason"] as? String == "temporary_ban")
            #expect(banned["data", "ban_code"] as? Int == 101)
            let over = try await api.device(of: tenant)
            try await api.script(
                """
                UPDATE sb.devices SET jid = '15557770001:7@s.whatsapp.net', status = 'disconnected', desired = 'held',
                  held_reason = 'temporarily_banned', held_until = now() - interval '1 second' WHERE did = \(over.did)
                """)
            let after = try await api.device(over, "GET", "/devices/me/status")
            #expect(after["data", "state_reason"] == nil)
            _ = try await api.device(over, "POST", "/chats/492522798642/messages", json: #"{"text":"x"}"#)
            #expect(api.sessions.fake(over.did) != nil)
        }
    }

    @Test("the summary of the device states counts all devices, whatever the page")
    func summary() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            var devices: [NewDevice] = []
            for _ in 0..<4 { devices.append(try await api.device(of: tenant)) }
            // Two are logged in on another node, one on this.
            try await api.script(
                """
                UPDATE sb.device_leases SET node_id = '\(UUID())', live_state = 'logged_in',
                  expires_at = now() + interval '1 hour' WHERE did IN (\(devices[0].did), \(devices[3].did));
                UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net' WHERE did IN (\(devices[0].did), \(devices[3].did))
                """)
            try await api.pair(devices[1])
            for path in ["/admin/devices/status", "/admin/devices/status?limit=3"] {
                let answer = try await api.admin("GET", path)
                #expect(answer["data", "summary", "total"] as? Int == 4)
                #expect(answer["data", "summary", "online"] as? Int == 3, "\(path)")
                #expect(answer["data", "summary", "offline"] as? Int == 1, "\(path)")
            }
        }
    }

    @Test("a reconnect of all that is not waited for queues only what it will try, and tries it")
    func reconnectInBackground() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let connected = try await api.device(of: tenant, name: "connected")
            let waiting = try await api.device(of: tenant, name: "waiting")
            let replaced = try await api.device(of: tenant, name: "replaced")
            let refused = try await api.device(of: tenant, name: "refused")
            _ = try await api.device(of: tenant, name: "never")
            try await api.pair(connected)
            let session = try await api.pair(waiting, jid: "15557770001:1@s.whatsapp.net")
            session.change { $0.state.phase = .waiting }
            for (device, reason) in [(replaced, "stream_replaced"), (refused, "connect_failure")] {
                try await api.script(
                    """
                    UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net', status = 'disconnected', desired = 'held',
                      held_reason = '\(reason)' WHERE did = \(device.did)
                    """)
            }
            let answer = try await api.admin("POST", "/admin/devices/reconnect?async=true")
            let results = (answer["data", "results"] as? [[String: Any]]) ?? []
            let byName = Dictionary(results.map { ($0["device_name"] as? String ?? "", $0["status"] as? String ?? "") })
            { $1 }
            #expect(
                byName == [
                    "connected": "already_connected", "waiting": "queued", "replaced": "skipped", "refused": "queued",
                    "never": "skipped",
                ])
            #expect(answer["data", "summary", "skipped"] as? Int == 3)
            _ = try await eventually("the reconnects") {
                session.now.reconnects == 1 && api.sessions.fake(refused.did)?.now.reconnects == 1 ? true : nil
            }
            #expect(api.sessions.fake(replaced.did) == nil)
        }
    }
}

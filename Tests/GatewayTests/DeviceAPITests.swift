import Foundation
import Gateway
import GatewayTestSupport
import Messaging
import Tenancy
import Testing

@Suite("Device API")
struct DeviceAPITests {
    @Test("parallel creation stops exactly at max_devices")
    func quota() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant(maxDevices: 5)
            let statuses = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        let answer = try await api.call("POST", "/devices", ["X-API-Key": tenant.key])
                        return (answer.status, answer.message)
                    }
                }
                return try await group.reduce(into: [(Int, String)]()) { $0.append($1) }
            }
            #expect(statuses.count { $0.0 == 201 } == 5)
            #expect(statuses.count { $0 == (400, "Device limit reached") } == 15)
            let one = try await api.call("POST", "/devices", ["X-API-Key": tenant.key])
            #expect(one.errorCode == "device_limit_reached")
        }
    }

    @Test("a creation repeated under its idempotency key makes no second device, and gives the same secret")
    func idempotentCreation() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant(maxDevices: 2)
            let other = try await api.tenant(maxDevices: 1)
            @Sendable func create(_ body: String, _ key: String?, by tenant: NewTenantKey) async throws -> APIAnswer {
                var headers = ["X-API-Key": tenant.key]
                headers["Idempotency-Key"] = key
                return try await api.call("POST", "/devices", headers, json: body)
            }
            let answers = try await withThrowingTaskGroup(of: APIAnswer.self) { group in
                for _ in 0..<6 { group.addTask { try await create(#"{"device_name":"a"}"#, "k1", by: tenant) } }
                return try await group.reduce(into: [APIAnswer]()) { $0.append($1) }
            }
            #expect(answers.allSatisfy { $0.status == 201 })
            #expect(Set(answers.map { $0["data", "device_id"] as? String }).count == 1)
            #expect(Set(answers.map { $0["data", "device_secret"] as? String }).count == 1)
            #expect(answers.count { $0.headers["idempotent-replayed"] == "true" } == 5)
            let first = try #require(answers.first)
            let id = try #require(first["data", "device_id"] as? String)
            let secret = try #require(first["data", "device_secret"] as? String)
            for answer in answers {
                let token = try #require(answer["data", "token"] as? String)
                let me = try await api.call("GET", "/devices/me", ["Authorization": "Bearer \(token)"])
                #expect(me["data", "device_id"] as? String == id)
            }
            let reused = try await create(#"{"device_name":"b"}"#, "k1", by: tenant)
            #expect(reused.status == 409 && reused.errorCode == "idempotency_key_reused")
            // Another tenant's key of the same name is another key; without one each request makes a device.
            #expect(try await create(#"{"device_name":"a"}"#, "k1", by: other)["data", "device_id"] as? String != id)
            #expect(try await create(#"{"device_name":"a"}"#, nil, by: tenant).status == 201)
            #expect(try await create(#"{"device_name":"a"}"#, "k2", by: tenant).message == "Device limit reached")
            // Full, a repetition still has its answer.
            #expect(
                try await create(#"{"device_name":"a"}"#, "k1", by: tenant)["data", "device_secret"] as? String
                    == secret)
            let renewed = try await api.call(
                "POST", "/devices/token", json: #"{"device_id":"\#(id)","device_secret":"\#(secret)"}"#)
            #expect(renewed.status == 200)
        }
    }

    @Test("a new device shows its facts and no live session")
    func newDevice() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(
                of: try await api.tenant(), name: "Zoë \\ \"x\"".replacing("\\", with: "").replacing("\"", with: ""))
            let me = try await api.device(device, "GET", "/devices/me")
            #expect(me.message == "Success get device details")
            #expect(me["data", "device_id"] as? String == device.id && me["data", "status"] as? String == "pending")
            #expect(me["data", "whatsmeow_jid"] as? String == "" && me["data", "last_active"] == nil)
            let status = try await api.device(device, "GET", "/devices/me/status")
            #expect(
                status["data", "db_status"] as? String == "pending" && status["data", "client_loaded"] as? Bool == false
            )
            #expect(status["data", "error"] as? String == "WhatsApp Client is not Valid")
            for (method, path, body) in [
                ("POST", "/devices/me/reconnect", nil), ("DELETE", "/devices/me/session", nil),
                ("POST", "/chats/492522798642/messages", #"{"text":"hi"}"#),
                ("GET", "/devices/me/contacts/492522798642/registered", nil),
                ("POST", "/devices/me/passive", "{}"),
            ] as [(String, String, String?)] {
                let answer = try await api.device(device, method, path, json: body)
                #expect(answer.status == 409 && answer.message == "WhatsApp Client is not Valid", "\(method) \(path)")
                #expect(answer.errorCode == "client_not_loaded")
            }
            #expect(api.sessions.fake(device.did) == nil)
        }
    }

    @Test("regenerating a token kills the old one at once; wrong pairs are not told apart")
    func tokens() async throws {
        try await GatewayFixture.run { api in
            var device = try await api.device(of: try await api.tenant())
            let renewed = try await api.call(
                "POST", "/devices/token", json: #"{"device_id":"\#(device.id)","device_secret":"\#(device.secret)"}"#)
            #expect(
                renewed.message == "Token regenerated successfully" && renewed.headers["x-ratelimit-remaining"] == "9")
            let old = try await api.device(device, "GET", "/devices/me")
            #expect(old.status == 401 && old.message == "Token has been revoked. Please regenerate a new token.")
            #expect(old.headers["www-authenticate"] == #"Bearer realm="switchboard""#)
            device.token = try #require(renewed["data", "token"] as? String)
            #expect(try await api.device(device, "GET", "/devices/me")["data", "token_version"] as? Int == 2)
            for body in [
                #"{"device_id":"\#(device.id)","device_secret":"wrong"}"#,
                #"{"device_id":"\#(UUID().uuidString)","device_secret":"x"}"#,
                #"{"device_id":"no uuid","device_secret":"x"}"#,
            ] {
                let answer = try await api.call("POST", "/devices/token", json: body)
                #expect(answer.status == 401 && answer.message == "Invalid device credentials")
            }
            #expect(
                try await api.call("POST", "/devices/token", json: "{}").message
                    == "device_id and device_secret are required")
        }
    }

    @Test("the eleventh token request of a minute is refused with Retry-After")
    func tokenLimit() async throws {
        try await GatewayFixture.run { api in
            for number in 1...10 {
                let answer = try await api.call("POST", "/devices/token", json: "{}")
                #expect(answer.status == 400 && answer.headers["x-ratelimit-remaining"] == "\(10 - number)")
            }
            let refused = try await api.call("POST", "/devices/token", json: "{}")
            #expect(refused.status == 429 && refused.message == "Too many requests" && refused.json["data"] == nil)
            #expect(Int(refused.headers["retry-after"] ?? "").map { (1...60).contains($0) } == true)
        }
    }

    @Test("login gives the QR as JSON, page and picture; a linked device reconnects instead")
    func login() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let json = try await api.device(device, "POST", "/devices/me/login?output=json")
            #expect(
                json.message == "Success Generate QR Code" && json["data", "code"] as? String == "2@qr,text,of,a,test")
            let image = try #require(json["data", "QRCode"] as? String)
            #expect(image.hasPrefix("data:image/png;base64,") && image == json["data", "qr_code"] as? String)
            #expect((json["data", "Timeout"] as? Int).map { (55...60).contains($0) } == true)
            let page = try await api.device(device, "POST", "/devices/me/login")
            #expect(
                page.headers["content-type"] == "text/html; charset=utf-8"
                    && page.headers["content-security-policy"] != nil)
            #expect(page.text.contains("Second(s)") && page.text.contains(image))
            // It asks for nothing: neither a reload nor a script could bring the token along.
            #expect(!page.text.contains("http-equiv") && !page.text.contains("<script"))
            #expect(page.text.components(separatedBy: "<img ").count == 3 && page.text.contains("shown 20s linear"))
            let picture = try await api.call(
                "GET", "/devices/me/login", ["Authorization": "Bearer \(device.token)", "Accept": "image/png"])
            #expect(
                picture.headers["content-type"] == "image/png" && picture.body.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
            let stream = try await api.device(device, "GET", "/devices/me/login/stream")
            #expect(stream.text.contains("event: qr\ndata: {") && stream.text.contains("event: paired"))
            let code = try await api.device(device, "POST", "/devices/me/login-code", json: #"{"phone":"+49 "}"#)
            #expect(code.message == "phone number must be digits only and at least 6 characters")
            #expect(
                try await api.device(device, "POST", "/devices/me/login-code", json: "{}").message
                    == "Phone is required")
            let good = try await api.device(
                device, "POST", "/devices/me/login-code", json: #"{"phone":"+492522798642"}"#)
            #expect(
                good["data", "PairCode"] as? String == "ABCD-1234"
                    && good["data", "pair_code"] as? String == "ABCD-1234")
            try await api.pair(device)
            for path in ["/devices/me/login", "/devices/me/login?output=json"] {
                #expect(try await api.device(device, "POST", path).message == "WhatsApp Client is Reconnected")
            }
        }
    }

    @Test("each state of a session has its own status, word and sentence")
    func sessionStates() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            let cases: [(SessionError, Int, String)] = [
                (.notConnected, 503, "not_connected"), (.notLoggedIn, 409, "not_logged_in"),
                (.ended(.replaced), 409, "stream_replaced"),
                (.ended(.banned(code: 101, until: nil)), 403, "temporarily_banned"),
                (.ended(.clientOutdated), 503, "client_outdated"),
                (.timedOut, 504, "wa_timeout"), (.recipientNotRegistered, 404, "recipient_not_registered"),
                (.serverRefused(code: 429, text: "rate-overlimit"), 429, "wa_rate_limited"),
                (.sendRejected(code: 463, messageID: "3EB0"), 422, "wa_send_rejected"),
                (.groupNotFound, 404, "group_not_found"),
                (.storageUnavailable, 503, "database_unavailable"),
            ]
            for (error, status, code) in cases {
                session.change { $0.failure = error }
                let answer = try await api.device(
                    device, "POST", "/chats/492522798642/messages", json: #"{"text":"hi"}"#)
                #expect(answer.status == status && answer.errorCode == code, "\(error)")
                #expect(answer.json["error"] as? String == answer.message)
            }
            session.change { script in
                script.failure = nil
                script.state.phase = .waiting
            }
            let status = try await api.device(device, "GET", "/devices/me/status")
            #expect(
                status["data", "error"] as? String == "WhatsApp Client is not Connected"
                    && status["data", "client_loaded"] as? Bool == true)
        }
    }

    @Test("in the reference mode failures after validation are 500 with the same text")
    func referenceMode() async throws {
        try await GatewayFixture.run(settings: ["API_ERROR_STATUS_MODE": "reference"]) { api in
            let device = try await api.device(of: try await api.tenant())
            let answer = try await api.device(device, "POST", "/chats/492522798642/messages", json: #"{"text":"hi"}"#)
            #expect(
                answer.status == 500 && answer.json["code"] as? Int == 500
                    && answer.message == "WhatsApp Client is not Valid")
            #expect(try await api.device(device, "POST", "/chats/1/messages", json: "{}").status == 400)
        }
    }

    @Test("logout, reconnect, registration and proxy of a linked device")
    func linkedDevice() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let session = try await api.pair(device)
            session.change { $0.registered = ["492522798642"] }
            #expect(try await api.device(device, "POST", "/devices/me/reconnect").message == "Success reconnect device")
            let known = try await api.device(device, "GET", "/devices/me/contacts/%2B492522798642/registered")
            #expect(
                known["data", "IsRegistered"] as? Bool == true
                    && known["data", "jid"] as? String == "492522798642@s.whatsapp.net")
            let bad = try await api.device(device, "GET", "/devices/me/contacts/0123456/registered")
            #expect(bad.message == "phone number must be in international format without leading 0")

            let set = try await api.device(
                device, "POST", "/devices/me/proxy", json: #"{"proxy_url":"http://u:secret@127.0.0.1:8080"}"#)
            #expect(
                set.message == "Device proxy configured successfully"
                    && session.now.proxies == ["http://u:secret@127.0.0.1:8080"])
            let shown = try await api.device(device, "GET", "/devices/me/proxy")
            #expect(
                shown["data", "proxy_url"] as? String == "http://u:***@127.0.0.1:8080"
                    && shown["data", "active"] as? Bool == true)
            let refused = try await api.device(
                device, "POST", "/devices/me/proxy", json: #"{"proxy_url":"http://10.0.0.1:8080"}"#)
            #expect(refused.status == 400)
            #expect(
                try await api.device(device, "POST", "/devices/me/proxy", json: #"{"proxy_url":"ftp://x"}"#).message
                    == "proxy URL must start with http:// or https://")
            for unusable in ["http://u%zz:p@127.0.0.1:8080", "http://127.0.0.1:0", "http://u@", "socks5://[::1:1080"] {
                let answer = try await api.device(
                    device, "POST", "/devices/me/proxy", json: #"{"proxy_url":"\#(unusable)"}"#)
                #expect(answer.status == 400 && answer.message == "proxy URL must be valid", "\(unusable)")
            }
            #expect(session.now.proxies.count == 1)
            _ = try await api.device(device, "POST", "/devices/me/proxy", json: #"{"proxy_url":""}"#)
            #expect(try await api.device(device, "GET", "/devices/me/proxy")["data", "active"] as? Bool == false)

            #expect(try await api.device(device, "DELETE", "/devices/me/session").message == "Success logout device")
            #expect(session.now.logouts == 1)
            #expect(try await api.device(device, "DELETE", "/devices/me/session").status == 409)
        }
    }

    @Test("two tenants see nothing of each other")
    func isolation() async throws {
        try await GatewayFixture.run { api in
            let mine = try await api.device(of: try await api.tenant(name: "A"))
            let otherTenant = try await api.tenant(name: "B")
            let other = try await api.device(of: otherTenant)
            let created = try await api.device(mine, "POST", "/webhooks", json: #"{"url":"https://93.184.216.34/h"}"#)
            let id = try #require(created["data", "webhook_id"] as? Int)
            for (method, path, body) in [
                ("GET", "", nil), ("PATCH", "", "{}"), ("DELETE", "", nil), ("GET", "/logs", nil),
                ("POST", "/test", nil),
            ] as [(String, String, String?)] {
                let answer = try await api.device(other, method, "/webhooks/\(id)\(path)", json: body)
                #expect(answer.status == 404 && answer.message == "webhook not found", "\(method) \(path)")
            }
            #expect((try await api.device(other, "GET", "/webhooks")["data", "webhooks"] as? [Any])?.isEmpty == true)
            #expect(try await api.call("DELETE", "/devices/\(mine.id)", ["X-API-Key": otherTenant.key]).status == 404)
            let list = try await api.call("GET", "/devices", ["X-API-Key": otherTenant.key])
            #expect(!list.text.contains(mine.id) && list.text.contains(other.id))
        }
    }

    @Test("a key's list shows the live state of its devices, and why one is held")
    func liveList() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let online = try await api.device(of: tenant, name: "Online")
            let held = try await api.device(of: tenant, name: "Held")
            try await api.pair(online)
            try await api.script(
                """
                UPDATE sb.devices SET jid = '15557770001:3@s.whatsapp.net', status = 'disconnected', desired = 'held',
                  held_reason = 'stream_replaced' WHERE did = \(held.did)
                """)
            let answer = try await api.call("GET", "/devices", ["X-API-Key": tenant.key])
            let rows = try #require(answer["data"] as? [[String: Any]])
            #expect(rows.map { $0["device_name"] as? String } == ["Held", "Online"])
            #expect(rows.map { $0["is_logged_in"] as? Bool } == [false, true])
            #expect(rows[0]["held_reason"] as? String == "stream_replaced" && rows[1]["held_reason"] == nil)
            #expect(rows[1]["error"] == nil && rows[0]["error"] != nil)
            let found = try await api.call("GET", "/devices?q=onl", ["X-API-Key": tenant.key])
            #expect((found["data"] as? [[String: Any]])?.count == 1)
            let narrowed = try await api.admin("GET", "/admin/devices/status?status=disconnected&q=\(held.id)")
            let names = (narrowed["data", "devices"] as? [[String: Any]])?.map { $0["device_name"] as? String }
            #expect(names == ["Held"])
        }
    }

    @Test("a tenant's hourly limit answers 429 with the three headers")
    func hourlyLimit() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant(rateLimit: 3)
            let device = try await api.device(of: tenant)
            for _ in 0..<2 { #expect(try await api.device(device, "GET", "/devices/me").status == 200) }
            let refused = try await api.device(device, "GET", "/devices/me")
            #expect(
                refused.status == 429 && refused.headers["x-ratelimit-limit"] == "3"
                    && refused.headers["x-ratelimit-remaining"] == "0")
            #expect(refused.headers["retry-after"] != nil && refused.headers["x-ratelimit-reset"] != nil)
        }
    }

    @Test("the hourly limit counts what other nodes served, and survives a restart")
    func sharedLimit() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant(rateLimit: 5)
            let device = try await api.device(of: tenant)
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
            try await api.script(
                "INSERT INTO sb.tenant_usage (tenant_id, minute, requests) VALUES (\(device.tenantID), date_trunc('minute', now()) - interval '5 minutes', 2)"
            )
            await TenantUsageExchange(api.dependencies.tenantUsage, database: api.database).exchange()
            #expect(try await api.device(device, "GET", "/devices/me").status == 200)
            #expect(try await api.device(device, "GET", "/devices/me").status == 429)
        }
    }
}

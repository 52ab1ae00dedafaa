import Database
import Foundation
import GatewayTestSupport
import TestSupport
import Testing
import Webhooks

/// Deliveries over HTTP: replays, secrets, log, numbers (11-webhooks, section 8).
@Suite("Webhook deliveries over HTTP")
struct WebhookAPITests {
    @Test("events are replayed by id, by time, by what became of them and by name")
    func replay() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let webhook = try await api.webhook(of: device)
            try await api.store(
                [
                    .init("evt_1", "message.received", "dead", minutesAgo: 90),
                    .init("evt_2", "message.received", "success", minutesAgo: 60),
                    .init("evt_3", "call.offer", "dead", minutesAgo: 30),
                    .init("evt_4", "message.received", "failed", minutesAgo: 20),
                    .init("evt_5", "message.received", "pending", minutesAgo: 10),
                ], of: device, webhook: webhook)
            func replay(_ body: String) async throws -> [Int?] {
                let answer = try await api.device(device, "POST", "/webhooks/\(webhook)/replay", json: body)
                #expect(answer.status == 200 && answer.message == "replay queued", "\(body): \(answer.text)")
                return [answer["data", "queued"] as? Int, answer["data", "skipped"] as? Int]
            }
            let hourAgo = Int(Date().timeIntervalSince1970) - 45 * 60
            #expect(try await replay(#"{"event_ids":["evt_2","evt_99"]}"#) == [1, 1])
            // Dead ones of the time; what waits already is not queued twice.
            #expect(try await replay(#"{"since":\#(hourAgo)}"#) == [1, 0])
            #expect(try await replay(#"{"since":\#(hourAgo)}"#) == [0, 1])
            #expect(try await replay(#"{"since":"2020-01-01T00:00:00Z","until":\#(hourAgo)}"#) == [1, 0])
            #expect(try await replay(#"{"since":0,"status":"failed"}"#) == [1, 0])
            #expect(try await replay(#"{"since":0,"status":"all","events":["call.offer"]}"#) == [0, 1])
            let log = try await api.log(device, webhook, "?limit=100")
            let replays = log.filter { $0["replay"] as? Bool == true }
            #expect(replays.compactMap { $0["event_id"] as? String }.sorted() == ["evt_1", "evt_2", "evt_3", "evt_4"])
            #expect(replays.allSatisfy { $0["Status"] as? String == "pending" && $0["test"] as? Bool == false })
        }
    }

    @Test("what came while a webhook was off for failing is sent by a replay once it is on again, under the first ids")
    func missed() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let sink = try await WebhookSink.start()
            let made = try await api.device(
                device, "POST", "/webhooks", json: #"{"url":"\#(sink.url)","events":["message.*"]}"#)
            let webhook = try #require(made["data", "webhook_id"] as? Int)
            try await api.script(
                "UPDATE sb.webhooks SET active = false, disabled_reason = 'failing', disabled_at = now()")
            try await api.store(
                [
                    .init("evt_before", "message.received", "", minutesAgo: 200),
                    .init("evt_1", "message.received", "", minutesAgo: 90),
                    .init("evt_2", "message.read", "", minutesAgo: 60),
                    .init("evt_3", "call.offer", "", minutesAgo: 30),
                ], of: device)
            try await api.delivering {
                let on = try await api.device(device, "PATCH", "/webhooks/\(webhook)", json: #"{"active":true}"#)
                #expect(on.status == 200)
                let since = Int(Date().timeIntervalSince1970) - 100 * 60
                let replay = try await api.device(
                    device, "POST", "/webhooks/\(webhook)/replay", json: #"{"since":\#(since),"status":"all"}"#)
                #expect(replay["data", "queued"] as? Int == 2 && replay["data", "skipped"] as? Int == 0)
                _ = try await eventually("both", within: .seconds(90)) { sink.deliveries.count == 2 ? true : nil }
            }
            #expect(sink.deliveries.map { $0.header("webhook-id") } == ["evt_1", "evt_2"])
            #expect(sink.deliveries.allSatisfy { $0.header("X-Webhook-Replay") == "1" })
        }
    }

    @Test("a replay that cannot be understood is 400, of a webhook that is off 409, of another device's 404")
    func replayRefused() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let webhook = try await api.webhook(of: device)
            let many = (0...1000).map { "\"evt_\($0)\"" }.joined(separator: ",")
            for body in [
                "{}", #"{"event_ids":[]}"#, #"{"until":5}"#, #"{"event_ids":"evt_1"}"#, #"{"event_ids":[7]}"#,
                #"{"event_ids":[\#(many)]}"#, #"{"since":"yesterday"}"#, #"{"since":"2026-13-01T00:00:00Z"}"#,
                #"{"since":[1]}"#, #"{"since":0,"until":"x"}"#, #"{"since":0,"status":"lost"}"#,
                #"{"since":0,"status":7}"#,
                #"{"since":0,"events":["message.sung"]}"#, #"{"since":0,"events":["message.*"]}"#, "[1]", "{",
            ] {
                let answer = try await api.device(device, "POST", "/webhooks/\(webhook)/replay", json: body)
                #expect(answer.status == 400, "\(body.prefix(60)): \(answer.text)")
            }
            for time in [
                #""since":-1e300"#, #""since":1e300"#, #""since":0,"until":-1e300"#, #""since":"1e300""#,
                #""since":"nan""#,
                #""since":-1"#, #""since":9223372036854775807"#,
            ] {
                let answer = try await api.device(device, "POST", "/webhooks/\(webhook)/replay", json: "{\(time)}")
                #expect(answer.status == 400, "\(time): \(answer.text)")
            }
            for id in ["x", "-1", "0x1", "99999999999999999999", "%00"] {
                let answer = try await api.device(device, "POST", "/webhooks/\(id)/replay", json: #"{"since":0}"#)
                #expect(answer.status == 400, "\(id): \(answer.text)")
            }
            let foreign = try await api.device(other, "POST", "/webhooks/\(webhook)/replay", json: #"{"since":0}"#)
            #expect(foreign.status == 404 && foreign.message == "webhook not found")
            _ = try await api.device(device, "PATCH", "/webhooks/\(webhook)", json: #"{"active":false}"#)
            let off = try await api.device(device, "POST", "/webhooks/\(webhook)/replay", json: #"{"since":0}"#)
            #expect(off.status == 409 && off.errorCode == "webhook_inactive")
        }
    }

    @Test("a rotated secret is told once, the old one goes on for the grace that was asked for")
    func rotation() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let created = try await api.device(device, "POST", "/webhooks", json: #"{"url":"http://127.0.0.1:9999/h"}"#)
            let webhook = try #require(created["data", "webhook_id"] as? Int)
            let path = "/webhooks/\(webhook)/rotate-secret"
            let rotated = try await api.device(device, "POST", path, json: "{}")
            #expect(rotated.status == 200 && rotated.headers["cache-control"] == "no-store")
            let secret = try #require(rotated["data", "secret"] as? String)
            #expect(secret != created["data", "secret"] as? String)
            #expect(rotated["data", "previous_secret_until"] is String)
            #expect(rotated["data", "signing_secret"] is String)
            let shown = try await api.device(device, "GET", "/webhooks/\(webhook)")
            #expect(!shown.text.contains(secret))
            #expect(
                shown["data", "webhook", "previous_secret_until"] as? String
                    == rotated["data", "previous_secret_until"] as? String)
            let mine = try await api.device(
                device, "POST", path, json: #"{"secret":"a-secret-of-mine-that-is-long","grace_seconds":0}"#)
            #expect(mine["data", "secret"] as? String == "a-secret-of-mine-that-is-long")
            for body in [
                #"{"grace_seconds":-1}"#, #"{"grace_seconds":604801}"#, #"{"grace_seconds":"soon"}"#,
                #"{"grace_seconds":99999999999999999999}"#, #"{"secret":"short"}"#, #"{"secret":"whsec_%%%"}"#,
                #"{"secret":{}}"#, "[",
            ] {
                let answer = try await api.device(device, "POST", path, json: body)
                #expect(answer.status == 400, "\(body): \(answer.text)")
            }
            let foreign = try await api.device(other, "POST", path, json: "{}")
            #expect(foreign.status == 404 && foreign.message == "webhook not found")
            let revealed = try await api.device(device, "GET", "/webhooks/\(webhook)?reveal=true")
            #expect(revealed["data", "webhook", "Secret"] as? String == "a-secret-of-mine-that-is-long")
        }
    }

    @Test("the delivery log is filtered, and paged without gap or repetition while rows are added")
    func log() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let webhook = try await api.webhook(of: device)
            try await api.store(
                (1...25).map { number in
                    .init(
                        "evt_\(number)", number % 5 == 0 ? "call.offer" : "message.received",
                        number % 2 == 0 ? "success" : "dead", minutesAgo: 100 - number)
                }, of: device, webhook: webhook)
            var seen: [String] = []
            var cursor = ""
            for page in 0..<4 {
                let answer = try await api.device(
                    device, "GET", "/webhooks/\(webhook)/logs?limit=10\(cursor.isEmpty ? "" : "&cursor=\(cursor)")")
                let rows = try #require(answer["data", "logs"] as? [[String: Any]])
                seen += rows.compactMap { $0["event_id"] as? String }
                if page == 0 {
                    try await api.store(
                        [.init("evt_late", "message.received", "dead", minutesAgo: 0)], of: device, webhook: webhook,
                        from: 500)
                }
                guard let next = answer["data", "next_cursor"] as? String else { break }
                #expect(answer.headers["x-next-cursor"] == next && rows.count == 10)
                cursor = next
            }
            #expect(seen == (1...25).reversed().map { "evt_\($0)" })
            let dead = try await api.log(device, webhook, "?status=dead")
            #expect(dead.count == 14 && dead.allSatisfy { $0["Status"] as? String == "dead" })
            #expect(try await api.log(device, webhook, "?event=call.offer&limit=2").count == 2)
            #expect(try await api.log(device, webhook, "?event=call.offer").count == 5)
            let recent = Int(Date().timeIntervalSince1970) - 80 * 60 - 30
            #expect(try await api.log(device, webhook, "?since=\(recent)").count == 7)
            #expect(try await api.log(device, webhook, "?status=SUCCESS").count == 12)
            let page = try await api.device(device, "GET", "/webhooks/\(webhook)/logs?limit=1&status=dead")
            let next = try #require(page.headers["x-next-cursor"])
            #expect(page.headers["link"] == "<?status=dead&limit=1&cursor=\(next)>; rel=\"next\"")
            for (query, field) in [
                ("status=unknown", "status"), ("status=dead,success", "status"), ("status=1", "status"),
                ("since=yesterday", "since"), ("since=nan", "since"), ("since=1e99", "since"), ("since=-1e99", "since"),
                ("since=9223372036854775807", "since"),
            ] {
                let answer = try await api.device(device, "GET", "/webhooks/\(webhook)/logs?\(query)")
                #expect(answer.status == 400 && answer["data", "field"] as? String == field, "\(query)")
            }
            let unknown = try await api.device(device, "GET", "/webhooks/\(webhook)/logs?event=message.sung")
            #expect(unknown.status == 400 && unknown.message == "unknown event type: message.sung")
            for cursor in [
                "x", "1", "1.", ".1", "1.2.3", "99999999999999999999.1", "1.99999999999999999999", "-", "%00",
            ] {
                let answer = try await api.device(device, "GET", "/webhooks/\(webhook)/logs?cursor=\(cursor)")
                #expect(answer.status == 400, "\(cursor): \(answer.text)")
            }
            #expect(try await api.device(other, "GET", "/webhooks/\(webhook)/logs").status == 404)
        }
    }

    @Test("the operator's statistics add up what came of deliveries, of a day and of all time, and of each tenant")
    func statistics() async throws {
        try await GatewayFixture.run { api in
            let (one, two) = (try await api.tenant(), try await api.tenant())
            let (device, other) = (try await api.device(of: one), try await api.device(of: two))
            let (webhook, theirs) = (try await api.webhook(of: device), try await api.webhook(of: other))
            try await api.script(
                """
                INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour, success, failed, dead) VALUES
                  (\(webhook), \(device.tenantID), now() - interval '2 hours', 30, 7, 5),
                  (\(webhook), \(device.tenantID), now() - interval '3 hours', 10, 1, 0),
                  (\(webhook), \(device.tenantID), now() - interval '3 days', 100, 9, 5),
                  (\(theirs), \(other.tenantID), now() - interval '4 hours', 40, 20, 10)
                """)
            try await api.store(
                [
                    .init("evt_1", "message.received", "pending", minutesAgo: 30),
                    .init("evt_2", "message.received", "retrying", minutesAgo: 50),
                    .init("evt_3", "message.received", "success", minutesAgo: 90),
                ], of: device, webhook: webhook)
            let stats = try #require(
                try await api.admin("GET", "/admin/webhooks/stats")["data"] as? [String: Any])
            let expected: [String: Int] = [
                "success_deliveries": 180, "failed_deliveries": 20, "total_deliveries": 200, "success_rate": 90,
                "total_deliveries_24h": 95, "successful_deliveries_24h": 80, "failed_deliveries_24h": 15,
                "failed_attempts": 37, "pending": 2, "dead": 20,
            ]
            for (name, value) in expected { #expect((stats[name] as? NSNumber)?.intValue == value, "\(name)") }
            let oldest = try #require((stats["oldest_pending_seconds"] as? NSNumber)?.doubleValue)
            #expect(oldest >= 50 * 60 && oldest < 85 * 60)
            let tenants = try #require(stats["api_keys_24h"] as? [[String: Any]])
            #expect(tenants.map { $0["api_key_id"] as? Int } == [two.id, one.id])
            #expect(tenants.map { $0["dead"] as? Int } == [10, 5])
            #expect(tenants.map { $0["success"] as? Int } == [40, 40])
            #expect(tenants.map { $0["failed_attempts"] as? Int } == [20, 8])
        }
    }

    @Test("one event is shown whole with its attempts, to its device only")
    func event() async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant()
            let (device, other) = (try await api.device(of: tenant), try await api.device(of: tenant))
            let webhook = try await api.webhook(of: device)
            try await api.store(
                [.init("evt_1", "message.received", "dead", minutesAgo: 1)], of: device, webhook: webhook)
            try await api.script(
                """
                INSERT INTO sb.webhook_attempts (delivery_id, day, attempt, node_id, started_at, duration_ms, response_code, error,
                  response_head)
                SELECT id, day, 1, gen_random_uuid(), now(), 12, 503, 'HTTP 503', convert_to('closed' || chr(27) || '[31m', 'UTF8')
                FROM sb.webhook_deliveries;
                INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour, success, failed, dead)
                VALUES (\(webhook), \(device.tenantID), date_trunc('hour', now()), 3, 2, 1)
                """)
            let found = try await api.device(device, "GET", "/webhook-events/evt_1")
            #expect(
                found["data", "event", "number"] as? Int == 1
                    && found["data", "event_type"] as? String == "message.received")
            let deliveries = try #require(found["data", "deliveries"] as? [[String: Any]])
            let attempt = try #require((deliveries.first?["attempts"] as? [[String: Any]])?.first)
            #expect(attempt["response_code"] as? Int == 503 && attempt["error"] as? String == "HTTP 503")
            #expect(attempt["response"] as? String == "closed[31m")
            #expect(try await api.device(other, "GET", "/webhook-events/evt_1").status == 404)
            #expect(try await api.device(device, "GET", "/webhook-events/evt_2").message == "webhook event not found")
            let stats = try await api.device(device, "GET", "/webhooks/\(webhook)/stats?hours=5")
            let hours = try #require(stats["data", "hours"] as? [[String: Any]])
            #expect(hours.count == 1 && hours[0]["success"] as? Int == 3 && hours[0]["dead"] as? Int == 1)
            #expect(try await api.device(other, "GET", "/webhooks/\(webhook)/stats").status == 404)
            let catalogue = try await api.device(device, "GET", "/webhook-events")
            let events = try #require(catalogue["data", "events"] as? [[String: Any]])
            #expect(events.map { $0["name"] as? String } == WebhookEventCatalogue.all.map(\.name))
            for (entry, event) in zip(events, WebhookEventCatalogue.all) {
                let members = entry["members"] as? [[String: Any]] ?? []
                #expect(members.map { $0["name"] as? String } == event.members.map(\.name))
            }
        }
    }

    @Test("the operator sees webhooks that fail and those that were switched off, and nobody else does")
    func adminView() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            var ids: [Int] = []
            for _ in 0..<4 { ids.append(try await api.webhook(of: device)) }
            try await api.script(
                """
                UPDATE sb.webhooks SET fail_since = now() - interval '1 hour', consecutive_failures = 7 WHERE id = \(ids[0]);
                UPDATE sb.webhooks SET active = false, disabled_reason = 'failing', disabled_at = now() WHERE id = \(ids[1]);
                UPDATE sb.webhooks SET active = false, disabled_reason = 'manual', disabled_at = now() WHERE id = \(ids[2])
                """)
            let answer = try await api.admin("GET", "/admin/webhooks")
            let found = try #require(answer["data", "webhooks"] as? [[String: Any]])
            #expect(found.compactMap { $0["id"] as? Int } == [ids[1], ids[0]])
            #expect(found[0]["disabled_reason"] as? String == "failing" && found[0]["active"] as? Bool == false)
            #expect(found[1]["consecutive_failures"] as? Int == 7 && found[1]["device_id"] as? String == device.id)
            #expect((try await api.admin("GET", "/admin/webhooks?limit=1")["data", "webhooks"] as? [Any])?.count == 1)
            let totals = try await api.admin("GET", "/admin/webhooks/stats")
            #expect(totals["data", "switched_off"] as? Int == 1 && totals["data", "total_webhooks"] as? Int == 4)
            #expect(totals["data", "active_webhooks"] as? Int == 2)
            #expect(try await api.call("GET", "/admin/webhooks").status == 401)
            #expect(try await api.device(device, "GET", "/admin/webhooks").status == 401)
        }
    }
}

/// An event with its delivery, as the outbox holds them.
struct StoredRow {
    let id: String
    let type: String
    let state: String
    let minutesAgo: Int

    init(_ id: String, _ type: String, _ state: String, minutesAgo: Int) {
        self.id = id
        self.type = type
        self.state = state
        self.minutesAgo = minutesAgo
    }
}

extension GatewayFixture {
    /// A webhook made through the API; nobody listens at its address.
    func webhook(of device: NewDevice) async throws -> Int {
        let answer = try await self.device(device, "POST", "/webhooks", json: #"{"url":"http://127.0.0.1:9999/h"}"#)
        return try #require(answer["data", "webhook_id"] as? Int)
    }

    /// Puts events with the numbers `from`… into the outbox, each with a delivery to `webhook` where there is one.
    func store(_ rows: [StoredRow], of device: NewDevice, webhook: Int? = nil, from first: Int = 1) async throws {
        for (number, row) in zip(first..., rows) {
            try await script(
                """
                INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body, created_at)
                VALUES ('\(row.id)', current_date, \(device.tenantID), \(device.did), \(number), '\(row.type)', '\(row.id)',
                  '{"number":\(number)}', now() - interval '\(row.minutesAgo) minutes')
                """)
            guard let webhook else { continue }
            try await script(
                """
                INSERT INTO sb.webhook_deliveries (day, webhook_id, tenant_id, did, event_id, event_day, event_type, seq, state,
                  created_at)
                VALUES (current_date, \(webhook), \(device.tenantID), \(device.did), '\(row.id)', current_date, '\(row.type)',
                  \(number), '\(row.state)', now() - interval '\(row.minutesAgo) minutes')
                """)
        }
    }

    /// Deliveries of all webhooks by state.
    func states() async throws -> [String: Int] {
        let connection = try await DedicatedConnection.open(test.configuration())
        let rows = try await connection.query(
            Statement("test.states", "SELECT state, count(*) FROM sb.webhook_deliveries GROUP BY state"))
        await connection.close()
        return try rows.reduce(into: [:]) { $0[try $1[0] as String] = try $1[1] as Int }
    }

    /// Whether a stream asked for the device's events to be stored.
    func isStreamed(_ device: NewDevice) async throws -> Bool {
        let connection = try await DedicatedConnection.open(test.configuration())
        let row = try await connection.query(
            Statement("test.streamed", "SELECT coalesce(streamed_until > now(), false) FROM sb.devices WHERE did = $1"),
            [.int(device.did)]
        ).first
        await connection.close()
        return try row?[0] ?? false
    }

    func log(_ device: NewDevice, _ webhook: Int, _ query: String) async throws -> [[String: Any]] {
        let answer = try await self.device(device, "GET", "/webhooks/\(webhook)/logs\(query)")
        return try #require(answer["data", "logs"] as? [[String: Any]], "\(answer.text)")
    }
}

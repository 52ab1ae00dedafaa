import Foundation
import GatewayTestSupport
import TestSupport
import Testing
import Webhooks

/// What a running node does about endpoints that fail and queues that grow, as owner and operator see it (11-webhooks,
/// sections 6.4 and 6.6).
@Suite("Upkeep of webhooks, seen over HTTP")
struct WebhookUpkeepAPITests {
    private static let patience = Duration.seconds(90)

    @Test(
        "an endpoint that only failed for days is switched off: its owner, other webhooks, operator and audit log hear of it"
    )
    func switchedOff() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let (failing, young) = (try await api.webhook(of: device), try await api.webhook(of: device))
            let sink = try await WebhookSink.start()
            let watching = try await api.device(
                device, "POST", "/webhooks", json: #"{"url":"\#(sink.url)","events":["webhook.*"]}"#)
            #expect(watching.status == 200)
            try await api.script(
                """
                UPDATE sb.webhooks SET consecutive_failures = 40, circuit_until = now() + interval '1 hour',
                  fail_since = now() - make_interval(hours => CASE id WHEN \(failing) THEN 121 ELSE 119 END)
                WHERE id IN (\(failing), \(young))
                """)
            try await api.delivering {
                let notice = try await eventually("the notice", within: Self.patience) { sink.deliveries.first }
                #expect(notice.event == "webhook.disabled")
                #expect(notice.json["data"]["webhook_id"].int == failing)
                #expect(notice.json["data"]["reason"].string == "failing")
                #expect(notice.json["data"]["since"].string != nil)
            }
            let shown = try await api.device(device, "GET", "/webhooks/\(failing)")
            #expect(shown["data", "webhook", "active"] as? Bool == false)
            #expect(shown["data", "webhook", "disabled_reason"] as? String == "failing")
            #expect(shown["data", "webhook", "disabled_at"] is String)
            let spared = try await api.device(device, "GET", "/webhooks/\(young)")
            #expect(spared["data", "webhook", "active"] as? Bool == true)
            let seen = try await api.admin("GET", "/admin/webhooks")
            let troubled = try #require(seen["data", "webhooks"] as? [[String: Any]])
            #expect(troubled.compactMap { $0["id"] as? Int } == [failing, young])
            #expect(troubled.first?["disabled_reason"] as? String == "failing")
            #expect(try await api.admin("GET", "/admin/webhooks/stats")["data", "switched_off"] as? Int == 1)
            #expect(try await api.metricsText().contains("\nswitchboard_webhook_switched_off 1\n"))
            let audit = try await api.admin("GET", "/admin/audit").text
            #expect(audit.contains("webhook.disable") && audit.contains("\(failing) failing"), "\(audit)")
            // On again it begins anew.
            let again = try await api.device(device, "PATCH", "/webhooks/\(failing)", json: #"{"active":true}"#)
            #expect(again["data", "webhook", "consecutive_failures"] as? Int == 0)
            #expect(again["data", "webhook", "failing_since"] == nil)
            #expect(again["data", "webhook", "disabled_reason"] == nil)
        }
    }

    @Test("a running node cancels what a device has too much of, gives up what is too old, and counts both")
    func trimmed() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let webhook = try await api.webhook(of: device)
            try await api.store(
                (1...8).map {
                    .init("evt_\($0)", $0 == 5 ? "message.read" : "message.received", "pending", minutesAgo: 10)
                }, of: device, webhook: webhook)
            let off = try await api.webhook(of: device)
            try await api.store(
                [
                    .init("evt_old", "message.received", "pending", minutesAgo: 97 * 60),
                    .init("evt_young", "message.received", "pending", minutesAgo: 94 * 60),
                ], of: device, webhook: off, from: 100)
            try await api.script(
                """
                UPDATE sb.webhook_deliveries SET day = day - 4 WHERE created_at < now() - interval '2 days';
                UPDATE sb.webhooks SET active = false, disabled_reason = 'manual' WHERE id = \(off);
                UPDATE sb.webhooks SET circuit_until = now() + interval '1 hour'
                """)
            try await api.delivering({ $0.backlogLimit = 5 }) {
                _ = try await eventually("both", within: Self.patience) {
                    let text = try await api.metricsText()
                    let isDone =
                        text.contains("\nswitchboard_webhook_cancelled_total 3\n")
                        && text.contains("\nswitchboard_webhook_expired_total 1\n")
                    return isDone ? true : nil
                }
            }
            func ids(_ webhook: Int, _ state: String) async throws -> [String] {
                try await api.log(device, webhook, "?status=\(state)").compactMap { $0["event_id"] as? String }.sorted()
            }
            #expect(try await ids(webhook, "cancelled") == ["evt_1", "evt_2", "evt_5"])
            #expect(try await ids(webhook, "pending") == ["evt_3", "evt_4", "evt_6", "evt_7", "evt_8"])
            #expect(try await ids(off, "dead") == ["evt_old"])
            #expect(try await ids(off, "pending") == ["evt_young"])
        }
    }
}

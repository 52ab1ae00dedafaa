import Foundation
import TestSupport
import Testing

/// The figures of `/metrics` after a day that is known to the last message (13-configuration, section 13).
@Suite("Metrics of a running gateway")
struct RunningMetricsTests {
    @Test("logins, messages, prekeys, leases, deliveries and requests are counted as they happened")
    func figures() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550140", name: "Ada")
            let bob = try await Customer.create(dev, phone: "12025550141", name: "Bob")
            try await ada.linkByQR()
            try await bob.linkByQR()
            // The server is asked once more after the upload; the first message takes one.
            _ = try await eventually("the counts of prekeys", within: .seconds(60)) {
                let page = try await dev.admin.get("/metrics").text
                return page.contains("\nswitchboard_prekeys_left 1624\n") ? true : nil
            }
            let sink = try await WebhookSink.start()
            let hook = try await bob.device.post("/webhooks", ["url": sink.url, "events": ["message.received"]])
            #expect(hook.status == 200, "\(hook.text)")
            for number in 1...3 {
                let id = try await ada.send("number \(number)", to: bob.phone)
                _ = try await sink.delivery(of: "message.received") { $0.json["data"]["message_id"].string == id }
            }
            let refused = try await ada.device.post("/chats/\(bob.phone)/messages", ["text": ""])
            #expect(refused.status == 400)
            for _ in 0..<4 { _ = try await ada.device.get("/devices/me") }

            let expected = [
                // A registration and a login each.
                #"switchboard_session_connects_total{outcome="success"} 4"#, "switchboard_session_logins_total 2",
                #"switchboard_messages_sent_total{outcome="success"} 3"#,
                "switchboard_message_send_duration_seconds_count 3", "switchboard_messages_received_total 3",
                "switchboard_prekeys_uploaded_total 1624", "switchboard_prekeys_left 1624",
                "switchboard_prekeys_low_devices 0", "switchboard_leases_held 2",
                #"switchboard_leases_lost_total{reason="taken"} 0"#,
                #"switchboard_lease_takeovers_total{reason="expired"} 0"#,
                #"switchboard_sessions{state="logged_in"} 2"#, #"switchboard_sessions{state="disconnected"} 0"#,
                #"switchboard_devices{status="active"} 2"#, #"switchboard_api_keys{state="active"} 2"#,
                #"switchboard_webhooks{state="active"} 1"#,
                #"switchboard_webhook_attempts_total{outcome="success"} 3"#,
                "switchboard_webhook_attempt_seconds_count 3",
                "switchboard_outbox_pending 0", "switchboard_outbox_dead 0",
                #"switchboard_http_requests_total{method="GET",route="/devices/me",status="200"} 4"#,
            ]
            // Statistics of the database are some seconds old.
            var missing: [String] = expected
            do {
                _ = try await eventually("the figures", within: .seconds(60)) {
                    let lines = Set(try await dev.admin.get("/metrics").text.split(separator: "\n").map(String.init))
                    missing = expected.filter { !lines.contains($0) }
                    return missing.isEmpty ? true : nil
                }
            } catch {
                let text = try await dev.admin.get("/metrics").text
                Issue.record("not there: \(missing)\n\(text)")
            }
            try await sink.stop()
        }
    }
}

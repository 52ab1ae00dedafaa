import AsyncHTTPClient
import Foundation
import GatewayTestSupport
import Metrics
import NIOCore
import NIOHTTP1
import Storage
import Tenancy
import TestSupport
import Testing

@testable import Gateway
@testable import Webhooks

@Suite("Metrics")
struct MetricsTests {
    private var root: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    @Test("counters, gauges and histograms are written in the text format")
    func format() {
        let registry = MetricsRegistry()
        let counter = Counter(
            label: "switchboard_messages_sent_total", dimensions: [("outcome", "a \"b\"\n\\c")], factory: registry)
        counter.increment(by: 3)
        Gauge(label: "switchboard_outbox_pending", factory: registry).record(7)
        let timer = Metrics.Timer(label: "switchboard_commit_seconds", factory: registry)
        timer.recordMilliseconds(3)
        timer.recordSeconds(100)
        let lines = registry.text.split(separator: "\n").map(String.init)
        #expect(lines.contains(#"switchboard_messages_sent_total{outcome="a \"b\"\n\\c"} 3"#))
        #expect(lines.contains("# TYPE switchboard_messages_sent_total counter"))
        #expect(lines.contains("switchboard_outbox_pending 7"))
        #expect(lines.contains(#"switchboard_commit_seconds_bucket{le="0.0025"} 0"#))
        #expect(lines.contains(#"switchboard_commit_seconds_bucket{le="0.005"} 1"#))
        #expect(lines.contains(#"switchboard_commit_seconds_bucket{le="60"} 1"#))
        #expect(lines.contains(#"switchboard_commit_seconds_bucket{le="+Inf"} 2"#))
        #expect(lines.contains("switchboard_commit_seconds_count 2"))
        #expect(lines.contains { $0.hasPrefix("switchboard_commit_seconds_sum 100.00") })
    }

    @Test("a family with too many label values grows no further")
    func bounded() {
        let registry = MetricsRegistry()
        for number in 0..<3000 {
            Counter(
                label: "switchboard_session_disconnects_total", dimensions: [("reason", "r\(number)")],
                factory: registry
            ).increment()
        }
        let lines = registry.text.split(separator: "\n").filter {
            $0.hasPrefix("switchboard_session_disconnects_total")
        }
        #expect(lines.count == 1001)
        #expect(lines.contains(#"switchboard_session_disconnects_total{reason="other"} 2000"#))
        #expect(registry.text.contains("switchboard_metric_series_dropped_total 2000"))
    }

    @Test("names and labels follow the conventions and name no customer")
    func conventions() {
        #expect(Set(MetricCatalogue.all.map(\.name)).count == MetricCatalogue.all.count)
        for family in MetricCatalogue.all {
            #expect(family.name.wholeMatch(of: /(switchboard|process)_[a-z0-9_]+/) != nil, "\(family.name)")
            #expect((family.kind == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
            #expect(family.help.hasSuffix("."), "\(family.name)")
            for label in family.labels {
                #expect(label.wholeMatch(of: /[a-z_]+/) != nil)
                #expect(!["tenant", "tenant_id", "device", "device_id", "phone", "jid", "path"].contains(label))
            }
        }
    }

    @Test("every metric that code, alert rules or dashboard name is in the catalogue")
    func named() throws {
        let known = Set(MetricCatalogue.all.map(\.name))
        let isMetric = /"(switchboard_[a-z0-9_]+)"/
        var seen: Set<String> = []
        let files = FileManager.default.enumerator(
            at: root.appending(path: "Sources"), includingPropertiesForKeys: nil)
        for case let file as URL in files ?? FileManager.DirectoryEnumerator()
        where file.pathExtension == "swift" && !file.lastPathComponent.hasPrefix("MetricCatalogue") {
            let text = try String(contentsOf: file, encoding: .utf8)
            guard text.contains("import Metrics") || file.path.contains("Gateway/Metrics") else { continue }
            for match in text.matches(of: isMetric) {
                seen.insert(String(match.1))
                #expect(known.contains(String(match.1)), "\(file.lastPathComponent): \(match.1)")
            }
        }
        #expect(seen.count > 30)
        for name in known where name.hasPrefix("switchboard_") {
            #expect(seen.contains(name), "nothing counts \(name)")
        }
        for name in ["deploy/prometheus/alerts.yml", "deploy/grafana/switchboard.json"] {
            let text = try String(contentsOf: root.appending(path: name), encoding: .utf8)
            let used = text.matches(of: /\b((?:switchboard|process)_[a-z0-9_]+)/).map { String($0.1) }
            #expect(used.count > 10)
            for metric in used {
                let base = ["_bucket", "_sum", "_count"].first { metric.hasSuffix($0) }
                    .map { String(metric.dropLast($0.count)) }
                #expect(known.contains(metric) || base.map(known.contains) == true, "\(name): \(metric)")
            }
        }
    }

    @Test("docs/metrics.md is what the catalogue gives (SWITCHBOARD_WRITE_DOCS=1 writes it)")
    func isDocumented() throws {
        let path = root.appending(path: "docs/metrics.md")
        if ProcessInfo.processInfo.environment["SWITCHBOARD_WRITE_DOCS"] != nil {
            try MetricCatalogue.markdown.write(to: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == MetricCatalogue.markdown)
    }

    @Test("metrics on a listener of their own need no secret, and nothing else is there")
    func listener() async throws {
        let settings = [
            "SERVER_PORT": "0", "SERVER_ADDRESS": "127.0.0.1", "METRICS_ADDRESS": "127.0.0.1:0",
        ]
        try await GatewayFixture.run(settings: settings) { api in
            let server = GatewayServer(api.dependencies, configuration: api.configuration)
            let port = try await server.start()
            let own = try await eventually("the metrics' port") { await server.metricsPort }
            func get(_ port: Int, _ path: String) async throws -> (Int, String) {
                let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
                let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
                return (Int(answer.status.code), String(buffer: try await answer.body.collect(upTo: 1 << 20)))
            }
            let (status, text) = try await get(own, "/metrics")
            #expect(status == 200 && text.contains("switchboard_up 1"))
            #expect(try await get(own, "/admin/stats").0 == 404)
            #expect(try await get(port, "/metrics").0 == 401)
            await server.stop(patience: .seconds(2))
        }
    }

    @Test("attempts are counted by outcome and timed in seconds, and the lag of what arrived alone")
    func attempts() {
        let registry = MetricsRegistry()
        let metrics = WebhookMetrics(registry)
        metrics.attempted(DeliveryResult(state: .success, durationMilliseconds: 250), lagSeconds: 1.5)
        metrics.attempted(DeliveryResult(state: .retrying, durationMilliseconds: 2000), lagSeconds: 7)
        metrics.attempted(DeliveryResult(state: .dead, durationMilliseconds: 4), lagSeconds: 9)
        metrics.running(3)
        metrics.cancelled(5)
        metrics.cancelled(0)
        metrics.expired(2)
        let lines = Set(registry.text.split(separator: "\n").map(String.init))
        for line in [
            #"switchboard_webhook_attempts_total{outcome="success"} 1"#,
            #"switchboard_webhook_attempts_total{outcome="retrying"} 1"#,
            #"switchboard_webhook_attempts_total{outcome="dead"} 1"#,
            #"switchboard_webhook_attempts_total{outcome="failed"} 0"#,
            "switchboard_webhook_attempt_seconds_sum 2.254", "switchboard_webhook_attempt_seconds_count 3",
            #"switchboard_webhook_attempt_seconds_bucket{le="0.25"} 2"#,
            "switchboard_webhook_delivery_lag_seconds_sum 1.5", "switchboard_webhook_delivery_lag_seconds_count 1",
            "switchboard_webhook_lanes 3", "switchboard_webhook_cancelled_total 5",
            "switchboard_webhook_expired_total 2",
        ] { #expect(lines.contains(line), "\(line)\n\(registry.text)") }
    }

    /// The number that stands behind `name` in the text format.
    private func value(_ name: String, _ text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test("/metrics tells what waits in the outbox, how old it is, what attempts came to and how long arrivals took")
    func outbox() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            let sink = try await WebhookSink.start()
            let made = try await api.device(device, "POST", "/webhooks", json: #"{"url":"\#(sink.url)"}"#)
            let webhook = try #require(made["data", "webhook_id"] as? Int)
            let off = try await api.webhook(of: device)
            _ = try await api.device(device, "PATCH", "/webhooks/\(off)", json: #"{"active":false}"#)
            let empty = try await api.metricsText()
            #expect(value("switchboard_outbox_pending", empty) == 0)
            #expect(value("switchboard_outbox_oldest_seconds", empty) == 0)
            #expect(value(#"switchboard_webhooks{state="active"}"#, empty) == 1)
            #expect(value(#"switchboard_webhooks{state="disabled"}"#, empty) == 1)
            try await api.store(
                (1...5).map { .init("evt_\($0)", "message.received", "pending", minutesAgo: 60 - $0) }, of: device,
                webhook: webhook)
            // The last attempt of the fourth; the fifth was tried before.
            try await api.script(
                """
                UPDATE sb.webhook_deliveries SET state = 'retrying', next_attempt_at = now(),
                  attempt_count = CASE seq WHEN 4 THEN 11 ELSE 1 END WHERE seq IN (4, 5)
                """)
            let waiting = try await api.metricsText()
            #expect(value("switchboard_outbox_pending", waiting) == 5)
            let oldest = try #require(value("switchboard_outbox_oldest_seconds", waiting))
            // Stored 59 minutes ago by the clock of the database.
            #expect(oldest >= 59 * 60 && oldest < 90 * 60)
            #expect(value("switchboard_outbox_dead", waiting) == 0)

            sink.behave { delivery in
                switch (delivery.json["number"].int, delivery.header("X-Webhook-Attempt")) {
                case (4, _), (1, "1"): .status(500)
                default: .status(200)
                }
            }
            try await api.delivering {
                _ = try await eventually("an empty outbox", within: .seconds(90)) {
                    value("switchboard_outbox_pending", try await api.metricsText()) == 0 ? true : nil
                }
            }
            let done = try await api.metricsText()
            func attempts(_ outcome: String) -> Double? {
                value(#"switchboard_webhook_attempts_total{outcome="\#(outcome)"}"#, done)
            }
            #expect(attempts("success") == 4 && attempts("retrying") == 1 && attempts("dead") == 1)
            #expect(attempts("failed") == 0)
            #expect(value("switchboard_webhook_attempt_seconds_count", done) == 6)
            #expect(value("switchboard_webhook_delivery_lag_seconds_count", done) == 4)
            let lag = try #require(value("switchboard_webhook_delivery_lag_seconds_sum", done))
            #expect(lag >= Double(59 + 58 + 57 + 55) * 60 && lag < 4 * 90 * 60)
            #expect(value("switchboard_outbox_oldest_seconds", done) == 0)
            #expect(value("switchboard_outbox_dead", done) == 1)
        }
    }

    @Test("what the node's sessions hold, lost and took over stands there as it is counted")
    func sessions() async throws {
        try await GatewayFixture.run { api in
            var dependencies = api.dependencies
            dependencies.metrics = MetricsRegistry()
            dependencies.node = NodeIdentity(
                id: api.dependencies.node.id,
                sessionTally: {
                    var tally = SessionTally(loaded: 1, connected: 2, loggedIn: 3)
                    tally.leases = 6
                    tally.losses = [.taken: 7]
                    tally.takeovers = [.expired: 8, .handedOver: 9]
                    tally.preKeysLeft = 1624
                    tally.fewPreKeys = 4
                    return tally
                }, sessionCount: { 6 })
            let text = String(buffer: await MetricsPage(dependencies).render(isReady: false))
            let lines = Set(text.split(separator: "\n").map(String.init))
            for line in [
                #"switchboard_sessions{state="disconnected"} 1"#, #"switchboard_sessions{state="connected"} 2"#,
                #"switchboard_sessions{state="logged_in"} 3"#, "switchboard_leases_held 6",
                #"switchboard_leases_lost_total{reason="taken"} 7"#,
                #"switchboard_leases_lost_total{reason="unrenewed"} 0"#,
                #"switchboard_lease_takeovers_total{reason="expired"} 8"#,
                #"switchboard_lease_takeovers_total{reason="handed_over"} 9"#,
                #"switchboard_lease_takeovers_total{reason="released"} 0"#, "switchboard_prekeys_left 1624",
                "switchboard_prekeys_low_devices 4", "switchboard_up 0",
                "# TYPE switchboard_leases_lost_total counter",
            ] {
                #expect(lines.contains(line), "\(line)")
            }
        }
    }

    @Test("/metrics asks for the admin secret and shows requests by route pattern")
    func endpoint() async throws {
        try await GatewayFixture.run { fixture in
            #expect(try await fixture.gateway.send("GET", "/metrics").status == 401)
            _ = try await fixture.gateway.send("GET", "/no/such/path")
            let answer = try await fixture.gateway.send(
                "GET", "/metrics", headers: ["X-Admin-Secret": GatewayFixture.adminSecret])
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(
                text.contains(#"switchboard_http_requests_total{method="GET",route="/metrics",status="401"}"#))
            #expect(
                text.contains(#"switchboard_http_requests_total{method="other",route="unmatched",status="404"}"#))
            #expect(text.contains("switchboard_up 1"))
            #expect(text.contains(#"switchboard_devices{status="active"} 0"#))
            #expect(text.firstMatch(of: /process_resident_memory_bytes [1-9]/) != nil)
            #expect(!text.contains("/no/such/path"))
            #expect(!text.contains("Not described."))
            let line = /(#.*|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+)/
            for one in text.split(separator: "\n") { #expect(one.wholeMatch(of: line) != nil, "\(one)") }
        }
        // A listener of its own is beside this one, not in its place.
        try await GatewayFixture.run(settings: ["METRICS_ADDRESS": "127.0.0.1:0"]) { fixture in
            let answer = try await fixture.gateway.send(
                "GET", "/metrics", headers: ["X-Admin-Secret": GatewayFixture.adminSecret])
            let text = String(decoding: answer.body, as: UTF8.self)
            let node = "\(fixture.dependencies.node.id)".lowercased()
            #expect(text.contains(#"switchboard_node_info{node_id="\#(node)"} 1"#))
        }
        try await GatewayFixture.run(settings: ["METRICS_ENABLED": "false"]) { fixture in
            let answer = try await fixture.gateway.send(
                "GET", "/metrics", headers: ["X-Admin-Secret": GatewayFixture.adminSecret])
            #expect(answer.status == 404)
        }
    }
}

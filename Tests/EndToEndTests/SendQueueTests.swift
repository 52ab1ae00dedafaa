import Foundation
import NIOHTTP1
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// Sends while a device cannot connect, over HTTP and against the sandbox (12-device-scoping-api, section 6.4).
@Suite("Sends while the device reconnects", .serialized)
struct SendQueueTests {
    private static let phone = "12025550400"
    private static let friend = "12025550499"

    @Test("are accepted, survive SIGKILL and a take-over, go out in their order and once, and tell their fate")
    func survival() async throws {
        try await Cluster.run(2, settings: ["SEND_QUEUE_WAIT": "0s", "SEND_QUEUE_MAX": "6"]) { cluster in
            let (first, second) = (cluster.nodes[0].api, cluster.nodes[1].api)
            let device = try await Self.link(cluster)
            let sink = try await WebhookSink.start()
            let hook = try await device.on(first).post(
                "/webhooks", ["url": sink.url, "events": ["message.sent", "message.failed"]])
            #expect(hook.status == 200, "\(hook.text)")
            let rule = try await device.cutOff(in: cluster.world)
            try await Self.waitForLoss(device, first)

            var ids: [String] = []
            func queue(_ number: Int, through node: API) async throws {
                let answer = try await device.sendOnce(
                    "queued \(number)", to: Self.friend, key: "queued-\(number)", through: node)
                #expect(answer.status == 202, "\(number): \(answer.text)")
                #expect(answer.json["data"]["status"].string == "queued")
                ids.append(try #require(answer.json["data"]["message_id"].string, "\(answer.text)"))
            }
            for number in 0..<5 { try await queue(number, through: number == 3 ? second : first) }
            let refused = try await device.sendOnce("not queued", to: Self.friend, key: nil, through: first)
            #expect(refused.status == 503 && refused.headers.first(name: "Retry-After") != nil, "\(refused.text)")
            #expect(try await device.fate(ids[0], through: second)["status"].string == "queued")
            // The same request again is about the same message.
            let again = try await device.sendOnce("queued 0", to: Self.friend, key: "queued-0", through: second)
            #expect(again.status == 202 && again.json["data"]["message_id"].string == ids[0], "\(again.text)")

            cluster.nodes[0].signal(SIGKILL)
            // Nobody runs the device for a moment: the request waits for the node that takes it over.
            try await queue(5, through: second)
            let full = try await device.sendOnce("one too many", to: Self.friend, key: "full", through: second)
            #expect(full.status == 503 && full.json["data"]["error_code"].string == "queue_full", "\(full.text)")
            #expect(full.headers.first(name: "Retry-After") != nil)
            for id in ids { #expect(try await device.fate(id, through: second)["status"].string == "queued") }

            _ = try await cluster.world.delete("/faults/\(rule)")
            _ = try await device.on(second).post("/devices/me/reconnect")
            let expected = (0..<6).map { "queued \($0)" }
            _ = try await eventually("the queued messages at the friend's phone", within: .seconds(120)) {
                try await Self.texts(cluster).filter { $0.hasPrefix("queued") } == expected ? true : nil
            }
            for id in ids {
                _ = try await eventually("the fate of \(id)", within: .seconds(90)) {
                    let status = try await device.fate(id, through: second)["status"].string
                    return ["sent", "delivered", "read"].contains(status) ? true : nil
                }
                _ = try await eventually("the event of \(id)", within: .seconds(90)) {
                    sink.deliveries.contains {
                        $0.event == "message.sent" && $0.json["data"]["message_id"].string == id
                    } ? true : nil
                }
            }
            let told = try await device.sendOnce("queued 5", to: Self.friend, key: "queued-5", through: second)
            #expect(told.status == 200 && told.json["data"]["message_id"].string == ids[5], "\(told.text)")
            #expect(try await Self.texts(cluster).filter { $0.hasPrefix("queued") } == expected)
            #expect(try await cluster.world.get("/checks").json["key_reuse"].int ?? 0 == 0)
            try await sink.stop()
        }
    }

    @Test("are given up when their time passes, and say so")
    func expiry() async throws {
        let settings = ["SEND_QUEUE_WAIT": "0s", "SEND_QUEUE_TTL": "2s"]
        try await Cluster.run(1, settings: settings) { cluster in
            let node = cluster.nodes[0].api
            let device = try await Self.link(cluster)
            let sink = try await WebhookSink.start()
            let hook = try await device.on(node).post(
                "/webhooks", ["url": sink.url, "events": ["message.sent", "message.failed"]])
            #expect(hook.status == 200, "\(hook.text)")
            _ = try await device.cutOff(in: cluster.world)
            try await Self.waitForLoss(device, node)
            let answer = try await device.sendOnce("too late", to: Self.friend, key: "late", through: node)
            #expect(answer.status == 202, "\(answer.text)")
            let id = try #require(answer.json["data"]["message_id"].string)
            let fate = try await eventually("the end of its time", within: .seconds(90)) { () -> JSON? in
                let fate = try await device.fate(id, through: node)
                return fate["status"].string == "failed" ? fate : nil
            }
            #expect(fate["failure"]["error_code"].string == "send_expired", "\(fate)")
            _ = try await eventually("its event", within: .seconds(90)) {
                sink.deliveries.contains {
                    $0.event == "message.failed" && $0.json["data"]["message_id"].string == id
                } ? true : nil
            }
            let again = try await device.sendOnce("too late", to: Self.friend, key: "late", through: node)
            #expect(again.status == 504 && again.json["data"]["error_code"].string == "send_expired", "\(again.text)")
            try await sink.stop()
        }
    }

    private static func link(_ cluster: Cluster) async throws -> ClusterDevice {
        let account = try await cluster.world.post("/accounts", ["phone": friend, "push_name": "Friend"])
        #expect(account.status < 300, "\(account.text)")
        let node = cluster.nodes[0].api
        let created = try await node.with("X-Admin-Secret", Cluster.adminSecret).post(
            "/admin/api-keys", ["customer_name": "Harbour", "max_devices": 2, "rate_limit_per_hour": 1_000_000])
        let key = try #require(created.json["data"]["api_key"].string, "\(created.text)")
        let device = try await ClusterDevice.link(phone, key: key, through: node, world: cluster.world)
        try await device.send("warm", to: friend, key: "warm", through: node)
        return device
    }

    private static func waitForLoss(_ device: ClusterDevice, _ node: API) async throws {
        _ = try await eventually("the loss of the connection", within: .seconds(90)) {
            let status = try await device.on(node).get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == false ? true : nil
        }
    }

    /// Texts in the order in which the friend's phone has them.
    private static func texts(_ cluster: Cluster) async throws -> [String] {
        let answer = try await cluster.world.get("/accounts/\(friend)/messages?limit=1000")
        let list = answer.json["messages"].isNull ? answer.json.array : answer.json["messages"].array
        return list.compactMap { $0["text"].string }
    }
}

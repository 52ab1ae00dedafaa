import Database
import Foundation
import NIOHTTP1
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// What a node does before its devices are connected, and when nobody wants to wait for its end.
@Suite("Start and stop of a node", .serialized)
struct StartAndStopTests {
    @Test("the port is open and answers while devices are still being restored, and says so")
    func openBeforeRestore() async throws {
        try await Cluster.run(1) { cluster in
            let admin = cluster.nodes[0].api.with("X-Admin-Secret", Cluster.adminSecret)
            let created = try await admin.post("/admin/api-keys", ["customer_name": "Harbour", "max_devices": 2])
            let key = try #require(created.json["data"]["api_key"].string, "\(created.text)")
            let device = try await ClusterDevice.link(
                "12025550300", key: key, through: cluster.nodes[0].api, world: cluster.world)
            cluster.nodes[0].signal(SIGTERM)
            #expect(try await cluster.nodes[0].waitForEnd() == 0)

            // WhatsApp takes the connection and says nothing: the restore comes to no end by itself.
            let silent = try await SilentServer()
            let node = try await cluster.start(
                "late", settings: ["WHATSAPP_WS_URL": "ws://127.0.0.1:\(silent.port)/ws/chat"])
            defer { node.end() }
            #expect(try await node.api.get("/health").status == 200)
            let own = try await device.on(node.api).get("/devices/me")
            #expect(own.status == 200, "\(own.text)")
            _ = try await eventually("the device's connection") { silent.connections > 0 ? true : nil }
            let health = try await node.api.with("X-Admin-Secret", Cluster.adminSecret).get("/admin/health")
            let restore = health.json["data"]["restore"]
            #expect(restore["total"].int == 1 && restore["done"].int == 0, "\(health.text)")
            let status = try await device.on(node.api).get("/devices/me/status")
            #expect(status.status == 200 && status.json["data"]["is_logged_in"].bool == false, "\(status.text)")
            // Sends are answered too, with what a customer can act on.
            let sent = try await device.sendOnce("early", to: "12025550300", key: "early", through: node.api)
            #expect([202, 503].contains(sent.status), "\(sent.status) \(sent.text)")
            #expect(sent.status != 503 || sent.headers.first(name: "Retry-After") != nil)
            node.signal(SIGTERM)
            #expect(try await node.waitForEnd() == 0, "\(node.output.suffix(2000))")
            try await silent.stop()
        }
    }

    @Test("a second signal ends a node at once, however far its stop is", arguments: [SIGTERM, SIGINT])
    func secondSignal(signal: Int32) async throws {
        let patience = ["DB_LOCK_TIMEOUT": "60s", "DB_STATEMENT_TIMEOUT": "60s", "SHUTDOWN_TIMEOUT": "120s"]
        try await Cluster.run(1, settings: patience) { cluster in
            let node = cluster.nodes[0]
            // The stop tells the other nodes first, which the lock keeps it from.
            let lock = try await DedicatedConnection.open(DatabaseConfiguration(uri: cluster.database))
            try await lock.script("BEGIN; LOCK TABLE sb.nodes IN ACCESS EXCLUSIVE MODE")
            node.signal(signal)
            _ = try await eventually("the beginning of the stop") { node.output.contains("stopping") ? true : nil }
            node.signal(signal)
            #expect(try await node.waitForEnd() == 130, "\(node.output.suffix(2000))")
            #expect(!node.output.contains("stopped"))
            try await lock.script("ROLLBACK")
            await lock.close()
        }
    }
}

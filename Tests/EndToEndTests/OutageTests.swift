import Database
import Foundation
import NIOHTTP1
import TestSupport
import Testing

@Suite("PostgreSQL slow, full and away", .serialized)
struct OutageTests {
    private static let phones = ["12025550300", "12025550301", "12025550302"]
    private static let friend = "12025550399"

    @Test("nothing is lost or acknowledged meanwhile, callers hear 503 with Retry-After, and work goes on by itself")
    func outage() async throws {
        try await withDirectory { directory in
            var options = EmbeddedPostgres.Options()
            options.durable = false
            let database = directory.appending(path: "postgres").path
            var postgres = try await EmbeddedPostgres.start(in: database, options: options)
            do {
                let uri = postgres.uri
                try await Cluster.run(1, database: uri) { cluster in
                    let node = cluster.nodes[0].api
                    let devices = try await Self.link(cluster)
                    let sink = try await WebhookSink.start()
                    for device in devices {
                        let hook = try await device.on(node).post("/webhooks", ["url": sink.url])
                        #expect(hook.status == 200, "\(hook.text)")
                    }
                    let device = devices[0]
                    try await Self.expectAcknowledged(cluster)

                    // Slow: a table that every commit of a message needs is locked for a while.
                    let lock = try await Self.locking(uri)
                    try await Self.receive("while slow", cluster)
                    async let slow: Void = device.send("sent while slow", to: Self.friend, key: "slow", through: node)
                    try await Task.sleep(for: .milliseconds(500))
                    try await Self.expectHeld(cluster)
                    try await lock.script("ROLLBACK")
                    await lock.close()
                    try await slow
                    try await Self.expect("while slow", sink, devices, node)

                    // Full: the disk takes no more rows.
                    try await Self.script(uri, Self.full)
                    try await Self.receive("while full", cluster)
                    try await Self.expectRefusals(devices, node)
                    try await Self.expectHeld(cluster)
                    try await Self.script(
                        uri, "DROP TRIGGER full_disk ON sb.retry_buffer; DROP TRIGGER full_disk ON sb.messages")
                    try await Self.expect("while full", sink, devices, node)
                    try await Self.expectAcknowledged(cluster)
                    try await device.send("sent when there was room", to: Self.friend, key: "full", through: node)

                    // Away: the server is stopped, and started again.
                    await postgres.stop()
                    try await Self.receive("while away", cluster)
                    try await Self.expectRefusals(devices, node)
                    try await Self.expectHeld(cluster)
                    let ready = try await node.get("/health/ready")
                    #expect(ready.status == 503)
                    postgres = try await EmbeddedPostgres.start(in: database, options: options)
                    #expect(postgres.uri == uri)
                    try await Self.expect("while away", sink, devices, node)
                    try await Self.expectAcknowledged(cluster)
                    try await device.send("sent when it was back", to: Self.friend, key: "away", through: node)

                    let violations = try await cluster.world.get("/violations")
                    #expect(violations.json.array.isEmpty, "\(violations.text)")
                    try await sink.stop()
                }
            } catch {
                await postgres.stop()
                throw error
            }
            await postgres.stop()
        }
    }

    private static let full = """
        CREATE FUNCTION sb.full_disk() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''53100''; END';
        CREATE TRIGGER full_disk BEFORE INSERT ON sb.messages FOR EACH ROW EXECUTE FUNCTION sb.full_disk();
        CREATE TRIGGER full_disk BEFORE INSERT ON sb.retry_buffer FOR EACH ROW EXECUTE FUNCTION sb.full_disk();
        """

    private static func script(_ uri: String, _ sql: String) async throws {
        let connection = try await DedicatedConnection.open(
            DatabaseConfiguration(uri: uri, searchPath: "public", lockTimeout: .zero))
        try await connection.script(sql)
        await connection.close()
    }

    private static func locking(_ uri: String) async throws -> DedicatedConnection {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: uri, searchPath: "public"))
        try await connection.script("BEGIN; LOCK TABLE sb.retry_buffer, sb.messages IN ACCESS EXCLUSIVE MODE")
        return connection
    }

    private static func link(_ cluster: Cluster) async throws -> [ClusterDevice] {
        let account = try await cluster.world.post("/accounts", ["phone": friend, "push_name": "Friend"])
        #expect(account.status < 300, "\(account.text)")
        let node = cluster.nodes[0].api
        let created = try await node.with("X-Admin-Secret", Cluster.adminSecret).post(
            "/admin/api-keys", ["customer_name": "Harbour", "max_devices": 3, "rate_limit_per_hour": 1_000_000])
        let key = try #require(created.json["data"]["api_key"].string, "\(created.text)")
        var devices: [ClusterDevice] = []
        for phone in phones {
            let device = try await ClusterDevice.link(phone, key: key, through: node, world: cluster.world)
            try await device.send("warm", to: friend, key: "warm", through: node)
            devices.append(device)
        }
        return devices
    }

    /// The friend's phone writes to every device.
    private static func receive(_ text: String, _ cluster: Cluster) async throws {
        for phone in phones {
            let sent = try await cluster.world.post("/accounts/\(friend)/send", ["to": phone, "text": text])
            #expect(sent.status == 200, "\(sent.text)")
        }
    }

    /// Stanzas that the server keeps, because the devices have not acknowledged them.
    private static func unacknowledged(_ cluster: Cluster) async throws -> Int {
        let checks = try await cluster.world.get("/checks")
        return try #require(checks.json["unacknowledged"].int, "\(checks.text)")
    }

    /// The server still has a message for each device.
    private static func expectHeld(_ cluster: Cluster) async throws {
        #expect(try await unacknowledged(cluster) >= phones.count)
    }

    private static func expectAcknowledged(_ cluster: Cluster) async throws {
        _ = try await eventually("everything acknowledged", within: .seconds(90)) {
            try await unacknowledged(cluster) == 0 ? true : nil
        }
    }

    /// Sends of every device are refused: with 503 and a time to come back, from the first that is refused.
    private static func expectRefusals(_ devices: [ClusterDevice], _ node: API) async throws {
        for device in devices {
            let refused = try await eventually("a refusal", within: .seconds(120)) { () -> Answer? in
                // The first may be accepted before the node has noticed; it then waits for the database.
                let answer = try? await device.on(node).send(
                    "POST", "/chats/\(friend)/messages", Data(#"{"text":"not now"}"#.utf8), seconds: 5)
                return answer?.status == 200 ? nil : answer
            }
            #expect(refused.status == 503, "\(refused.text)")
            #expect(refused.headers.first(name: "Retry-After") != nil, "\(refused.text)")
        }
    }

    /// The message is stored once for each device, and told of once.
    private static func expect(
        _ text: String, _ sink: WebhookSink, _ devices: [ClusterDevice], _ node: API
    ) async throws {
        for device in devices {
            _ = try await eventually("\"\(text)\" in the store", within: .seconds(90)) {
                try? await device.stored(friend, through: node).filter { $0 == text }.count == 1 ? true : nil
            }
        }
        func events() -> [String] {
            sink.deliveries.filter { $0.event == "message.received" && "\($0.json)".contains("\"\(text)\"") }
                .compactMap { $0.json["event_id"].string }
        }
        _ = try await eventually("the webhooks of \"\(text)\"", within: .seconds(90)) {
            Set(events()).count >= devices.count ? true : nil
        }
        #expect(Set(events()).count == devices.count)
    }
}

import Database
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Three nodes on one database", .serialized)
struct ClusterTests {
    private static let phones = (0..<6).map { "1202555020\($0)" }
    private static let friend = "12025550299"

    @Test("requests to any node work, devices of a killed and of a frozen node are taken over, and nothing is lost")
    func takeOver() async throws {
        try await Cluster.run(3) { cluster in
            let (first, frozen, killed) = (cluster.nodes[0], cluster.nodes[1], cluster.nodes[2])
            let world = cluster.world
            let account = try await world.post("/accounts", ["phone": Self.friend, "push_name": "Friend"])
            #expect(account.status < 300, "\(account.text)")
            let devices = try await Self.devices(cluster)

            for device in devices {
                for node in cluster.nodes { try await device.waitForLogin(through: node.api) }
            }
            // Any node takes any request, and the answers are the same.
            for (index, device) in devices.enumerated() {
                for (number, node) in cluster.nodes.enumerated() {
                    let sent = try await device.on(node.api).post(
                        "/chats/\(Self.friend)/messages", ["text": "before \(index).\(number)"])
                    #expect(sent.status == 200, "\(sent.text)")
                }
            }
            let nodes = try await first.api.with("X-Admin-Secret", Cluster.adminSecret).get("/admin/nodes")
            let leases = nodes.json["data"].array.compactMap { $0["leases"].int }
            #expect(leases.sorted() == [2, 2, 2], "\(nodes.text)")

            killed.signal(SIGKILL)
            frozen.signal(SIGSTOP)
            try await killed.waitForEnd()
            let before = try await LeaseRow.all(cluster.database)
            // While nobody runs them, the devices get messages and are told to send some.
            for (index, device) in devices.enumerated() {
                let sent = try await world.post(
                    "/accounts/\(Self.friend)/send", ["to": device.phone, "text": "meanwhile to \(index)"])
                #expect(sent.status == 200, "\(sent.text)")
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, device) in devices.enumerated() {
                    group.addTask {
                        try await device.send(
                            "meanwhile from \(index)", to: Self.friend, key: "meanwhile-\(index)", through: first.api)
                    }
                }
                try await group.waitForAll()
            }
            for device in devices { try await device.waitForLogin(through: first.api) }
            try await Self.expectTakeOver(before, cluster)
            let metrics = try await first.api.with("X-Admin-Secret", Cluster.adminSecret).get("/metrics")
            // Four came from others; a survivor that was too busy may have lost its own and taken them again, from itself.
            #expect(metrics.text.contains(#"switchboard_lease_takeovers_total{reason="expired"} 4"#), "\(metrics.text)")
            #expect(metrics.text.contains("switchboard_leases_held 6"), "\(metrics.text)")

            frozen.signal(SIGCONT)
            _ = try await eventually("the thawed node closing its sessions", within: .seconds(60)) {
                frozen.output.contains("sessions closed") ? true : nil
            }
            // The thawed node serves again, through the owner, and nobody lost the device to it.
            for (index, device) in devices.enumerated() {
                try await device.send("after \(index)", to: Self.friend, key: "after-\(index)", through: frozen.api)
                let status = try await device.on(first.api).get("/devices/me/status")
                #expect(status.json["data"]["held_reason"].isNull, "\(status.text)")
            }
            try await Self.expectNothingLost(devices, first.api, world)
            // The frozen node could not close its sockets; nothing came over one once another node had the device.
            let violations = try await world.get("/violations")
            #expect(violations.status == 200)
            for violation in violations.json.array {
                let kind = violation["data"]["kind"].string
                #expect(kind == "two_sockets" || kind == "socket_overlap", "\(violation)")
                if kind == "socket_overlap" { #expect(violation["data"]["frames"].int == 0, "\(violation)") }
                // Only what a node without life left open overlaps with what its successor opened.
                let account = violation["account"].string ?? violation["data"]["account"].string
                #expect(Self.phones.indices.contains { $0 % 3 != 0 && Self.phones[$0] == account }, "\(violation)")
            }

            // A node that stops hands over: no request to the others fails, none that it took fails.
            try await Self.stopUnderLoad(first, beside: frozen, devices)
            frozen.signal(SIGTERM)
            #expect(try await frozen.waitForEnd() == 0)
        }
    }

    /// Two devices on each node.
    private static func devices(_ cluster: Cluster) async throws -> [ClusterDevice] {
        let admin = cluster.nodes[0].api.with("X-Admin-Secret", Cluster.adminSecret)
        let created = try await admin.post(
            "/admin/api-keys", ["customer_name": "Harbour", "max_devices": 10, "rate_limit_per_hour": 1_000_000])
        let key = try #require(created.json["data"]["api_key"].string, "\(created.text)")
        return try await withThrowingTaskGroup(of: (Int, ClusterDevice).self) { group in
            for (index, phone) in phones.enumerated() {
                let node = cluster.nodes[index % cluster.nodes.count]
                group.addTask {
                    (index, try await ClusterDevice.link(phone, key: key, through: node.api, world: cluster.world))
                }
            }
            var made: [Int: ClusterDevice] = [:]
            for try await (index, device) in group { made[index] = device }
            return made.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    /// Every lease of the dead and of the frozen node was taken by the one that lives, not before it ran out and not later
    /// than fifteen seconds after it was last renewed, by the database's clock.
    private static func expectTakeOver(_ before: [Int64: LeaseRow], _ cluster: Cluster) async throws {
        let after = try await LeaseRow.all(cluster.database)
        let survivor = try #require(
            before.values.map(\.node).first { node in after.values.allSatisfy { $0.node == node } })
        var taken = 0
        for (did, old) in before where old.node != survivor {
            let new = try #require(after[did])
            #expect(new.epoch > old.epoch && new.acquiredAt >= old.expiresAt, "\(did): \(old), \(new)")
            taken += 1
            // A survivor that was too busy to renew its own gave it up and took it again: that is no measure.
            guard new.epoch == old.epoch + 1 else { continue }
            let renewedAt = old.expiresAt - Cluster.leaseSeconds
            #expect(new.acquiredAt - renewedAt <= 15, "\(did): \(old), \(new)")
        }
        #expect(taken == 4)
    }

    /// Every message once: at the friend's phone and in the devices' stores.
    private static func expectNothingLost(_ devices: [ClusterDevice], _ node: API, _ world: API) async throws {
        let expected =
            devices.indices.flatMap { index in (0..<3).map { "before \(index).\($0)" } }
            + devices.indices.flatMap { ["meanwhile from \($0)", "after \($0)"] }
        let seen = try await eventually("all messages at the friend's phone", within: .seconds(60)) { () -> [String]? in
            let answer = try await world.get("/accounts/\(friend)/messages")
            let list = answer.json["messages"].isNull ? answer.json.array : answer.json["messages"].array
            let all = list.map { "\($0)" }
            let found = expected.filter { text in all.contains { $0.contains("\"\(text)\"") } }
            return found.count == expected.count ? all : nil
        }
        for text in expected {
            let copies = seen.count { $0.contains("\"\(text)\"") }
            #expect(copies == 1, "\(text) came \(copies) times")
        }
        for (index, device) in devices.enumerated() {
            let texts = try await eventually("the message to \(device.phone)", within: .seconds(60)) {
                () -> [String]? in
                let texts = try await device.stored(friend, through: node)
                return texts.contains("meanwhile to \(index)") ? texts : nil
            }
            #expect(texts.count { $0 == "meanwhile to \(index)" } == 1)
        }
    }

    /// Continuous requests to a node that gets SIGTERM and to another: all succeed until the port is closed.
    private static func stopUnderLoad(
        _ stopping: ProgramProcess, beside other: ProgramProcess, _ devices: [ClusterDevice]
    ) async throws {
        let device = devices[0]
        let finished = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<3 {
                group.addTask {
                    var count = 0
                    while true {
                        count += 1
                        // A connection of its own each: what a client that was told to close does.
                        let answer = try? await device.on(stopping.api).send(
                            "GET", "/devices/me", nil, ["Connection": "close"])
                        guard let answer else { break }
                        #expect(answer.status == 200, "request \(count) of \(worker): \(answer.text)")
                        try await Task.sleep(for: .milliseconds(5))
                    }
                }
            }
            group.addTask {
                var count = 0
                while !finished.isSet {
                    count += 1
                    try await device.send(
                        "load \(count)", to: friend, key: "load-\(count)", through: other.api)
                }
            }
            group.addTask {
                try await Task.sleep(for: .milliseconds(300))
                stopping.signal(SIGTERM)
                #expect(try await stopping.waitForEnd() == 0, "\(stopping.output.suffix(2000))")
                #expect(!stopping.output.contains("Waiting on child channel"))
                try await device.waitForLogin(through: other.api)
                finished.set()
            }
            try await group.waitForAll()
        }
    }
}

/// A lease as the database has it; times in seconds of its clock.
private struct LeaseRow {
    let node: String
    let epoch: Int64
    let expiresAt: Double
    let acquiredAt: Double

    /// By device.
    static func all(_ uri: String) async throws -> [Int64: LeaseRow] {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: uri))
        let rows = try await connection.query(
            Statement(
                "test.leases",
                """
                SELECT did, node_id::text, epoch, extract(epoch FROM expires_at)::float8,
                  extract(epoch FROM acquired_at)::float8
                FROM sb.device_leases WHERE node_id IS NOT NULL
                """))
        await connection.close()
        return Dictionary(
            try rows.map { row in
                (
                    try row[0] as Int64,
                    LeaseRow(node: try row[1], epoch: try row[2], expiresAt: try row[3], acquiredAt: try row[4])
                )
            }
        ) { first, _ in first }
    }
}

/// Set by one task, seen by others.
private final class Flag: @unchecked Sendable {  // one word, guarded by the lock
    private let lock = NSLock()
    private var value = false

    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
}

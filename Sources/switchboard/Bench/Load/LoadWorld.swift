import Cryptography
import Foundation
import NIOCore

/// What a data directory of the load benchmarks keeps, so that devices are linked once: the secrets of the gateway, one
/// customer, and its linked devices.
struct LoadWorld: Codable, Sendable {
    /// A linked device. Its number is `phone`; the phone `peer` belongs to nobody of ours.
    struct Device: Codable, Sendable {
        let id: String
        let token: String
        let phone: String
        let peer: String

        /// The peer's phone writes to the device.
        func incoming(_ text: String) -> ByteBuffer {
            HTTPLoadPlan.request(
                "POST", "/v1/accounts/\(peer)/send", headers: [], body: #"{"to": "\#(phone)", "text": "\#(text)"}"#)
        }

        /// The device writes to a chat; nil: to its peer.
        func outgoing(_ text: String, to chat: String? = nil) -> ByteBuffer {
            HTTPLoadPlan.request(
                "POST", "/chats/\(chat ?? peer)/messages", headers: [("Authorization", "Bearer \(token)")],
                body: #"{"text": "\#(text)"}"#)
        }
    }

    var adminSecret: String
    var tokenKey: String
    var dataKey: String
    var apiKey: String?
    var devices: [Device] = []

    private static func file(_ directory: String) -> URL { URL(filePath: directory + "/load.json") }

    static func load(in directory: String) throws -> LoadWorld {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if let data = try? Data(contentsOf: file(directory)) {
            return try JSONDecoder().decode(LoadWorld.self, from: data)
        }
        let random = SystemRandom()
        return LoadWorld(
            adminSecret: Hex.encode(random.bytes(24)), tokenKey: Hex.encode(random.bytes(32)),
            dataKey: Base64.encode(random.bytes(32)))
    }

    func save(in directory: String) throws {
        try JSONEncoder().encode(self).write(to: Self.file(directory), options: .atomic)
    }

    static func phone(_ index: Int) -> String { "1555\(1_000_000 + index)" }
    static func peer(_ index: Int) -> String { "1666\(1_000_000 + index)" }
}

extension LoadRig {
    /// Links devices until there are `count`, 16 at a time, as customers do: by QR, which a phone of the sandbox scans.
    func link(_ count: Int) async throws {
        let key = try await customer()
        let missing = world.devices.count..<max(count, world.devices.count)
        guard !missing.isEmpty else { return }
        try await withThrowingTaskGroup(of: LoadWorld.Device.self) { group in
            var next = missing.lowerBound
            while next < min(missing.lowerBound + 16, missing.upperBound) {
                group.addTask { [next] in try await self.link(number: next, key) }
                next += 1
            }
            while let device = try await group.next() {
                world.devices.append(device)
                // What is linked stays so when a later one fails.
                if world.devices.count % 100 == 0 { try world.save(in: directory) }
                if next < missing.upperBound {
                    group.addTask { [next] in try await self.link(number: next, key) }
                    next += 1
                }
            }
        }
        try world.save(in: directory)
    }

    /// Makes a customer without practical limits at the first call.
    func customer() async throws -> LoadAPI {
        if let key = world.apiKey { return api.with("X-API-Key", key) }
        let made = try await admin.call(
            "POST", "/admin/api-keys",
            #"{"customer_name": "Load", "max_devices": 1000000, "rate_limit_per_hour": 2000000000}"#)
        let key = try made["data"]["api_key"].text
        world.apiKey = key
        try world.save(in: directory)
        return api.with("X-API-Key", key)
    }

    /// Three tries: a machine that is full may let a scan run out.
    private func link(number: Int, _ key: LoadAPI) async throws -> LoadWorld.Device {
        for _ in 0..<2 {
            do {
                return try await linkOne(number, key)
            } catch {
                Application.printError("device \(number): \(error)")
            }
        }
        return try await linkOne(number, key)
    }

    private func linkOne(_ index: Int, _ key: LoadAPI) async throws -> LoadWorld.Device {
        let phone = LoadWorld.phone(index)
        let peer = LoadWorld.peer(index)
        for number in [phone, peer] {
            // A run that was cut off may have made it.
            _ = try? await control.call("POST", "/v1/accounts", #"{"phone": "\#(number)", "push_name": "P\#(index)"}"#)
        }
        let made = try await key.call("POST", "/devices", #"{"device_name": "Bot \#(index)"}"#)["data"]
        let token = try made["token"].text
        let device = api.with("Authorization", "Bearer \(token)")
        let code = try await device.call("POST", "/devices/me/login?output=json", "{}")["data"]["code"].text
        _ = try await control.call("POST", "/v1/accounts/\(phone)/scan?wait=paired", #"{"qr": "\#(code)"}"#)
        return LoadWorld.Device(id: try made["device_id"].text, token: token, phone: phone, peer: peer)
    }
}

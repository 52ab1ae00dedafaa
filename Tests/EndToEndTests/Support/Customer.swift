import Foundation
import TestSupport
import Testing

/// A customer with one device, and the phone in the sandbox that its number belongs to.
struct Customer: Sendable {
    let dev: DevProcess
    let phone: String
    let key: API
    /// Bearer token of the device.
    let device: API
    let deviceID: String
    let deviceSecret: String

    /// Makes an API key, a device of it and the phone.
    static func create(_ dev: DevProcess, phone: String, name: String) async throws -> Customer {
        try await dev.makePhone(phone, name: name)
        let created = try await dev.admin.post("/admin/api-keys", ["customer_name": name, "max_devices": 2])
        #expect(created.status == 201, "\(created.text)")
        let key = dev.api.with("X-API-Key", try #require(created.json["data"]["api_key"].string))
        let device = try await key.post("/devices", ["device_name": "\(name)'s bot"])
        #expect(device.status == 201, "\(device.text)")
        let data = device.json["data"]
        return Customer(
            dev: dev, phone: phone, key: key,
            device: dev.api.with("Authorization", "Bearer \(try #require(data["token"].string))"),
            deviceID: try #require(data["device_id"].string), deviceSecret: try #require(data["device_secret"].string))
    }

    /// Holds what webhooks got against what the gateway says of its events.
    func expectKnownShapes(of deliveries: [WebhookSink.Delivery]) async throws {
        let catalogue = try await device.get("/webhook-events")
        let shapes = catalogue.json["data"]["events"].array.map(EventShape.init)
        #expect(shapes.count >= 86)
        #expect(!deliveries.isEmpty)
        for delivery in deliveries {
            let shape = try #require(shapes.first { $0.event == delivery.event }, "\(delivery.event) is unknown")
            #expect(shape.problems(in: delivery.json["data"]) == [])
        }
    }

    /// Links by QR: the phone scans the text that the API gives.
    func linkByQR() async throws {
        // A code lasts twenty seconds, which a busy machine may need to scan it: then the next one is scanned.
        let scan = try await eventually("a scan that pairs \(phone)") { () -> Answer? in
            let login = try await device.post("/devices/me/login?output=json")
            #expect(login.status == 200, "\(login.text)")
            let code = try #require(login.json["data"]["code"].string, "\(login.text)")
            #expect(login.json["data"]["QRCode"].string?.hasPrefix("data:image/png;base64,") == true)
            let scan = try await dev.sandbox.post("/accounts/\(phone)/scan?wait=paired", ["qr": code])
            return scan.status == 404 ? nil : scan
        }
        #expect(scan.status == 200, "\(scan.text)")
        try await waitUntilLoggedIn()
    }

    func waitUntilLoggedIn() async throws {
        _ = try await eventually("the login of \(phone)") {
            let status = try await device.get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == true ? true : nil
        }
    }

    /// Sends and returns the message id.
    func send(_ text: String, to chat: String) async throws -> String {
        let sent = try await device.post("/chats/\(chat)/messages", ["text": text])
        #expect(sent.status == 200, "\(sent.text)")
        return try #require(sent.json["data"]["message_id"].string)
    }

    /// The texts this customer's phone has in its store.
    func phoneMessages() async throws -> [JSON] {
        let answer = try await dev.sandbox.get("/accounts/\(phone)/messages")
        let json = answer.json
        return json["messages"].isNull ? json.array : json["messages"].array
    }

    func waitForPhone(toSee text: String) async throws {
        _ = try await eventually("\(phone) seeing \"\(text)\"") {
            try await phoneMessages().contains { "\($0)".contains("\"\(text)\"") } ? true : nil
        }
    }
}

extension DevProcess {
    /// Makes a phone in the sandbox; no device is linked to it yet.
    func makePhone(_ phone: String, name: String) async throws {
        let account = try await sandbox.post("/accounts", ["phone": phone, "push_name": name])
        #expect(account.status < 300, "\(account.text)")
    }
}

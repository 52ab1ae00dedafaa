import Foundation
import TestSupport
import Testing

@Suite("From an operator's key to a webhook", .serialized)
struct FirstMessageTests {
    @Test("two customers link by QR, one bot writes to the other, and a signed webhook tells of it")
    func firstMessage() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let bob = try await Customer.create(dev, phone: "12025550101", name: "Bob")
            try await ada.linkByQR()
            try await bob.linkByQR()

            let sink = try await WebhookSink.start()
            let created = try await bob.device.post("/webhooks", ["url": sink.url])
            #expect(created.status == 200, "\(created.text)")
            let secret = try #require(created.json["data"]["secret"].string)

            let id = try await ada.send("Hello, Bob", to: bob.phone)
            let delivery = try await sink.delivery(of: "message.received") {
                $0.json["data"]["message_id"].string == id
            }
            #expect(delivery.isSigned(with: secret))
            #expect(delivery.json["device_id"].string == bob.deviceID)
            #expect(delivery.header("webhook-id") == delivery.json["event_id"].string)
            #expect("\(delivery.json["data"])".contains("Hello, Bob"))

            try await bob.waitForPhone(toSee: "Hello, Bob")
            try await ada.waitForPhone(toSee: "Hello, Bob")

            let stored = try await bob.device.get("/chats/\(ada.phone)/messages")
            #expect(
                stored.json["data"]["messages"].array.contains { $0["text"].string == "Hello, Bob" }, "\(stored.text)")

            _ = try await bob.send("Hello, Ada", to: ada.phone)
            try await ada.waitForPhone(toSee: "Hello, Ada")
            _ = try await sink.delivery(of: "message.delivered") { _ in true }
            try await bob.expectKnownShapes(of: sink.deliveries)
            try await sink.stop()
        }
    }

    @Test("a phone writes to a linked device, and what the device sends comes to its own phone")
    func phoneAndDevice() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let carol = try await dev.sandbox.post("/accounts", ["phone": "12025550102", "push_name": "Carol"])
            #expect(carol.status < 300)
            let sent = try await dev.sandbox.post(
                "/accounts/12025550102/send", ["to": ada.phone, "text": "from a phone"])
            #expect(sent.status == 200, "\(sent.text)")
            _ = try await eventually("the message in the device's store") {
                let stored = try await ada.device.get("/chats/12025550102/messages")
                return stored.json["data"]["messages"].array.first { $0["text"].string == "from a phone" }
            }
            let registered = try await ada.device.get("/devices/me/contacts/12025550102/registered")
            #expect(registered.json["data"]["IsRegistered"].bool == true, "\(registered.text)")
            let unknown = try await ada.device.get("/devices/me/contacts/12025559999/registered")
            #expect(unknown.json["data"]["IsRegistered"].bool == false, "\(unknown.text)")
        }
    }

    @Test("a device links by pairing code")
    func pairingCode() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let answer = try await ada.device.post("/devices/me/login-code", ["phone": ada.phone])
            #expect(answer.status == 200, "\(answer.text)")
            let code = try #require(answer.json["data"]["PairCode"].string)
            #expect(code.count == 9 && code.contains("-"))
            let wrong = try await dev.sandbox.post("/accounts/\(ada.phone)/enter-code", ["code": "AAAA-AAAA"])
            #expect(wrong.json["state"].string != "paired", "\(wrong.text)")
            let entered = try await dev.sandbox.post("/accounts/\(ada.phone)/enter-code", ["code": code])
            #expect(entered.status == 200, "\(entered.text)")
            try await ada.waitUntilLoggedIn()
        }
    }

    @Test("a group message reaches every member's devices under one sender key")
    func group() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let bob = try await Customer.create(dev, phone: "12025550101", name: "Bob")
            let sink = try await WebhookSink.start()
            let everything: [String] = ["message.*", "connection.*", "group.*", "offline.*"]
            let created = try await bob.device.post("/webhooks", ["url": sink.url, "events": everything])
            #expect(created.status == 200, "\(created.text)")
            try await ada.linkByQR()
            try await bob.linkByQR()
            let made = try await dev.sandbox.post(
                "/groups", ["creator": ada.phone, "subject": "Tea", "participants": [ada.phone, bob.phone]])
            #expect(made.status < 300, "\(made.text)")
            let group = try #require(made.json["jid"].string ?? made.json["id"].string)
            for text in ["first to the group", "second to the group"] {
                _ = try await ada.send(text, to: group)
                try await bob.waitForPhone(toSee: text)
                _ = try await eventually("\(text) at Bob's device") {
                    let stored = try await bob.device.get("/chats/\(group)/messages")
                    return stored.json["data"]["messages"].array.first { $0["text"].string == text }
                }
            }
            _ = try await bob.send("answer in the group", to: group)
            try await ada.waitForPhone(toSee: "answer in the group")
            for type in ["connection.qr", "connection.pair_success", "connection.connected", "message.sent"] {
                _ = try await sink.delivery(of: type) { _ in true }
            }
            try await bob.expectKnownShapes(of: sink.deliveries)
            try await sink.stop()
        }
    }
}

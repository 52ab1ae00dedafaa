import Foundation
import TestSupport
import Testing

/// Scenarios of 09-sandbox-server, section 28, that our own client goes through.
@Suite("Our client in the sandbox", .serialized)
struct ScenarioTests {
    @Test("a login refused for good is shown and held; one refused for a fault of the server is tried again by itself")
    func refusedLogins() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            try await Self.failNextLogin(of: ada, 409)
            let refused = try await ada.device.post("/devices/me/reconnect")
            #expect(refused.status == 502 && refused.json["data"]["wa_code"].int == 409, "\(refused.text)")
            let status = try await ada.device.get("/devices/me/status")
            #expect(status.json["data"]["state_reason"].string == "connect_failure", "\(status.text)")
            #expect(status.json["data"]["reason_code"].int == 409, "\(status.text)")
            _ = try await eventually("the hold in the row") {
                let status = try await ada.device.get("/devices/me/status")
                return status.json["data"]["held_reason"].string == "connect_failure" ? true : nil
            }
            let back = try await ada.device.post("/devices/me/reconnect")
            #expect(back.status == 200, "\(back.text)")

            try await Self.failNextLogin(of: ada, 500)
            try await Self.disconnect(ada)
            try await Self.expectLogin(of: ada, refusedWith: "500", dev)
            try await Self.failNextLogin(of: ada, 503)
            try await Self.disconnect(ada)
            // That one asks for half a minute, unless somebody asks before.
            try await Self.expectLogin(of: ada, refusedWith: "503", dev) {
                _ = try await eventually("the wait for the server") {
                    let status = try await ada.device.get("/devices/me/status")
                    return status.json["data"]["state_reason"].string == "network" ? true : nil
                }
                #expect(try await ada.device.post("/devices/me/reconnect").status == 200)
            }
        }
    }

    @Test("hundreds of messages of the time without a connection arrive once each and in their order")
    func drain() async throws {
        try await withDev { dev in
            let count = 300
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            try await dev.makePhone("12025550102", name: "Carol")
            let sink = try await WebhookSink.start()
            #expect(try await ada.device.post("/webhooks", ["url": sink.url]).status == 200)
            let replaced = try await dev.sandbox.post("/faults/preset/replaced", ["account": ada.phone])
            #expect(replaced.status == 200, "\(replaced.text)")
            _ = try await sink.delivery(of: "connection.stream_replaced")
            for number in 1...count {
                let sent = try await dev.sandbox.post(
                    "/accounts/12025550102/send", ["to": ada.phone, "text": "missed \(number)"])
                #expect(sent.status == 200, "\(sent.text)")
            }
            #expect(try await ada.device.post("/devices/me/reconnect").status == 200)
            let completed = try await sink.delivery(of: "offline.sync_completed") {
                ($0.json["data"]["count"].int ?? 0) >= count
            }
            #expect(completed.json["device_id"].string == ada.deviceID)
            var texts: [String] = []
            var cursor: String?
            repeat {
                let page = try await ada.device.get(
                    "/chats/12025550102/messages?limit=200&order=asc" + (cursor.map { "&after=\($0)" } ?? ""))
                texts += page.json["data"]["messages"].array.compactMap { $0["text"].string }
                cursor = page.json["data"]["next_after"].string.flatMap { $0.isEmpty ? nil : $0 }
            } while cursor != nil && texts.count < 2 * count
            #expect(texts == (1...count).map { "missed \($0)" })
            let violations = try await dev.sandbox.get("/violations")
            #expect(violations.json.array.isEmpty, "\(violations.text)")
            try await sink.stop()
        }
    }

    @Test("a note to oneself reaches the own phone and comes back to nobody; what was listened to is told as played")
    func selfAndPlayed() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let note = try await ada.send("a note to myself", to: ada.phone)
            try await ada.waitForPhone(toSee: "a note to myself")
            let stored = try await ada.device.get("/chats/\(ada.phone)/messages")
            let notes = stored.json["data"]["messages"].array.filter { $0["text"].string == "a note to myself" }
            #expect(notes.count == 1 && notes.first?["message_id"].string == note, "\(stored.text)")

            try await dev.makePhone("12025550102", name: "Carol")
            let sent = try await dev.sandbox.post(
                "/accounts/12025550102/send", ["to": ada.phone, "text": "imagine a voice note"])
            #expect(sent.status == 200, "\(sent.text)")
            let id = try await eventually("the message in the store") {
                let stored = try await ada.device.get("/chats/12025550102/messages")
                return stored.json["data"]["messages"].array.first?["message_id"].string
            }
            for (isPlayed, status) in [(false, "read"), (true, "played")] {
                let read = try await ada.device.post(
                    "/messages/\(id)/read",
                    ["chat_jid": "12025550102", "sender_jid": "12025550102", "played": isPlayed])
                #expect(read.status == 200, "\(read.text)")
                _ = try await eventually("\(status) at the sender's phone") {
                    let messages = try await dev.sandbox.get("/accounts/12025550102/messages?direction=out")
                    return messages.json.array.first { $0["status"].string == status }
                }
            }
        }
    }

    @Test("who shows no read receipts tells their own devices alone what was read and played")
    func hiddenReceipts() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            let privacy = try await dev.sandbox.put("/accounts/\(ada.phone)/privacy", ["readreceipts": "none"])
            #expect(privacy.status == 200, "\(privacy.text)")
            try await ada.linkByQR()
            try await dev.makePhone("12025550102", name: "Carol")
            let sent = try await dev.sandbox.post("/accounts/12025550102/send", ["to": ada.phone, "text": "a secret"])
            #expect(sent.status == 200, "\(sent.text)")
            let id = try await eventually("the message in the store") {
                let stored = try await ada.device.get("/chats/12025550102/messages")
                return stored.json["data"]["messages"].array.first?["message_id"].string
            }
            for (isPlayed, type) in [(false, "read-self"), (true, "played-self")] {
                let read = try await ada.device.post(
                    "/messages/\(id)/read",
                    ["chat_jid": "12025550102", "sender_jid": "12025550102", "played": isPlayed])
                #expect(read.status == 200, "\(read.text)")
                let routed = try await eventually("the receipt \(type)") {
                    let receipts = try await dev.sandbox.get("/events?types=receipt.routed")
                    return receipts.json.array.first {
                        $0["data"]["id"].string == id && $0["data"]["type"].string == type
                    }
                }
                #expect(routed["data"]["targets"].array.isEmpty)
            }
            let messages = try await dev.sandbox.get("/accounts/12025550102/messages?direction=out")
            #expect(messages.json.array.first?["status"].string == "delivered", "\(messages.text)")
            let violations = try await dev.sandbox.get("/violations")
            #expect(violations.json.array.isEmpty, "\(violations.text)")
        }
    }

    @Test("one-time keys that hundreds of strangers use up are refilled before they run out")
    func refill() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let config = try await dev.sandbox.patch("/config", ["prekey_notice_interval": 0])
            #expect(config.status == 200, "\(config.text)")
            let before = try await eventually("the first upload") {
                try await Self.keys(of: ada).flatMap { $0 > 0 ? $0 : nil }
            }
            let strangers = try await dev.sandbox.post("/accounts", ["count": before, "prefix": "120266"])
            let phones = strangers.json.array.compactMap { $0["phone"].string }
            #expect(phones.count == before, "\(strangers.status)")
            // Each of them takes one key, until a few are left.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, phone) in phones.dropLast(4).enumerated() {
                    if index >= 8 { try await group.next() }
                    group.addTask {
                        let sent = try await dev.sandbox.post(
                            "/accounts/\(phone)/send", ["to": ada.phone, "text": "hello"])
                        #expect(sent.status == 200, "\(sent.text)")
                    }
                }
                try await group.waitForAll()
            }
            let after = try await eventually("the refill") {
                try await Self.keys(of: ada).flatMap { $0 >= 50 ? $0 : nil }
            }
            #expect(after < before)
            let uploads = try await dev.sandbox.get("/events?types=prekeys.uploaded")
            #expect(uploads.json.array.last?["data"]["count"].int == 50, "\(uploads.text)")
            let violations = try await dev.sandbox.get("/violations")
            #expect(violations.json.array.isEmpty, "\(violations.text)")
        }
    }

    // MARK: Moves

    /// One-time keys that the server still has of the device.
    private static func keys(of customer: Customer) async throws -> Int? {
        let devices = try await customer.dev.sandbox.get("/accounts/\(customer.phone)/devices")
        return devices.json.array.first { $0["id"].int ?? $0["device"].int ?? 0 > 0 }?["prekeys"].int
    }

    private static func failNextLogin(of customer: Customer, _ reason: Int) async throws {
        let rule = try await customer.dev.sandbox.post(
            "/faults",
            [
                "match": ["account": customer.phone, "kind": "login"],
                "action": ["type": "failure", "reason": reason] as [String: any Sendable],
            ])
        #expect(rule.status == 200, "\(rule.text)")
    }

    private static func disconnect(_ customer: Customer) async throws {
        let devices = try await customer.dev.sandbox.get("/accounts/\(customer.phone)/devices")
        let companion = try #require(
            devices.json.array.compactMap { $0["id"].int ?? $0["device"].int }.first { $0 > 0 }, "\(devices.text)")
        let cut = try await customer.dev.sandbox.post(
            "/accounts/\(customer.phone)/devices/\(companion)/disconnect", ["how": "reset"])
        #expect(cut.status == 200, "\(cut.text)")
    }

    /// Waits for the refusal at the server and then for a login; `between` runs while the device waits.
    private static func expectLogin(
        of customer: Customer, refusedWith reason: String, _ dev: DevProcess,
        between: () async throws -> Void = {}
    ) async throws {
        _ = try await eventually("the refusal with \(reason)") {
            let logins = try await dev.sandbox.get("/events?types=device.login")
            return logins.json.array.last { $0["data"]["reason"].string == reason }
        }
        try await between()
        try await customer.waitUntilLoggedIn()
        let status = try await customer.device.get("/devices/me/status")
        #expect(status.json["data"]["state_reason"].isNull, "\(status.text)")
    }
}

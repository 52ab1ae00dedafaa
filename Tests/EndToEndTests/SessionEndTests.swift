import Foundation
import TestSupport
import Testing

@Suite("How sessions end", .serialized)
struct SessionEndTests {
    private static let newVersion = 1_045_649_400

    @Test(
        "each end is told by the device's state, the operator's lists and a webhook, also after a restart, and is undone"
    )
    func ends() async throws {
        try await withDirectory { directory in
            var dev = try await DevProcess.start(in: directory)
            do {
                let sink = try await WebhookSink.start()
                var ends = try await Self.make(dev, sink)
                try await Self.end(ends, dev, sink)
                try await Self.expect(ends, dev)
                #expect(try await dev.stop() == 0)

                dev = try await DevProcess.start(in: directory)
                ends = ends.map { $0.moved(to: dev) }
                try await Self.expect(ends, dev)
                try await Self.undo(ends, dev, sink)
                try await sink.stop()
            } catch {
                _ = try? await dev.stop()
                let log = try? String(contentsOf: directory.appending(path: "test-output.log"), encoding: .utf8)
                print("switchboard dev said:\n\(log?.suffix(6000) ?? "nothing")")
                throw error
            }
            try await dev.stop()
        }
    }

    @Test("a device whose ban is over comes back by itself, not before")
    func banOver() async throws {
        try await withDev { dev in
            let ada = try await Customer.create(dev, phone: "12025550100", name: "Ada")
            try await ada.linkByQR()
            let banned = try await dev.sandbox.post("/faults/preset/ban_temp", ["account": ada.phone, "seconds": 25])
            #expect(banned.status == 200, "\(banned.text)")
            let refused = try await ada.device.post("/devices/me/reconnect")
            #expect(refused.status == 403, "\(refused.text)")
            #expect(refused.json["data"]["error_code"].string == "temporarily_banned")
            #expect(refused.json["data"]["until"].string != nil)
            try await ada.waitUntilLoggedIn()
            let logins = try await dev.sandbox.get("/events?types=device.login")
            let answers = logins.json.array.compactMap { $0["data"]["accepted"].bool }
            #expect(answers.last == true && answers.count { !$0 } == 1, "\(logins.text)")
        }
    }

    // MARK: The steps

    private struct End: Sendable {
        let customer: Customer
        let reason: String
        let isHeld: Bool
        let error: String

        func moved(to dev: DevProcess) -> End {
            let old = customer
            return End(
                customer: Customer(
                    dev: dev, phone: old.phone, key: API(base: dev.api.base, headers: old.key.headers),
                    device: API(base: dev.api.base, headers: old.device.headers), deviceID: old.deviceID,
                    deviceSecret: old.deviceSecret),
                reason: reason, isHeld: isHeld, error: error)
        }
    }

    /// A linked device for each way to end.
    private static func make(_ dev: DevProcess, _ sink: WebhookSink) async throws -> [End] {
        let ways = [
            ("logged_out_by_phone", false, "WhatsApp Client is not Valid"),
            ("stream_replaced", true, "Session was opened elsewhere"),
            ("temporary_ban", true, "Account is temporarily banned"),
            ("account_banned", false, "WhatsApp Client is not Valid"),
            ("client_outdated", true, "WhatsApp client version is outdated"),
        ]
        var ends: [End] = []
        for (index, way) in ways.enumerated() {
            let customer = try await Customer.create(dev, phone: "1202555020\(index)", name: "C\(index)")
            try await customer.linkByQR()
            let hook = try await customer.device.post("/webhooks", ["url": sink.url])
            #expect(hook.status == 200, "\(hook.text)")
            ends.append(End(customer: customer, reason: way.0, isHeld: way.1, error: way.2))
        }
        return ends
    }

    private static func find(_ reason: String, _ ends: [End]) throws -> Customer {
        try #require(ends.first { $0.reason == reason }).customer
    }

    /// Has the sandbox end each in its way, and waits for the webhook that tells.
    private static func end(_ ends: [End], _ dev: DevProcess, _ sink: WebhookSink) async throws {
        func preset(_ name: String, _ customer: Customer, _ more: [String: any Sendable] = [:]) async throws {
            let done = try await dev.sandbox.post(
                "/faults/preset/\(name)", more.merging(["account": customer.phone]) { $1 })
            #expect(done.status == 200, "\(done.text)")
        }
        func told(_ event: String, _ customer: Customer, _ check: (JSON) -> Bool = { _ in true }) async throws {
            let id = customer.deviceID
            let delivery = try await sink.delivery(of: event) { $0.json["device_id"].string == id }
            #expect(check(delivery.json["data"]), "\(delivery.json)")
        }
        let unlinked = try find("logged_out_by_phone", ends)
        try await preset("kick", unlinked)
        try await told("connection.logged_out", unlinked) {
            $0["initiated_by"].string == "phone" && $0["reason"].int == 401
        }
        let replaced = try find("stream_replaced", ends)
        try await preset("replaced", replaced)
        try await told("connection.stream_replaced", replaced)

        // The account's standing shows at the next login.
        let banned = try find("temporary_ban", ends)
        try await preset("ban_temp", banned, ["seconds": 86_400, "code": 104])
        #expect(try await banned.device.post("/devices/me/reconnect").status == 403)
        try await told("connection.temporary_ban", banned) { $0["reason"].int == 104 && $0["expires_at"].string != nil }
        let gone = try find("account_banned", ends)
        try await preset("ban", gone)
        #expect(try await gone.device.post("/devices/me/reconnect").status == 409)
        try await told("connection.logged_out", gone) { $0["reason"].int == 406 && $0["on_connect"].bool == true }
        let outdated = try find("client_outdated", ends)
        let config = try await dev.sandbox.patch("/config", ["minimum_revision": newVersion])
        #expect(config.status == 200, "\(config.text)")
        #expect(try await outdated.device.post("/devices/me/reconnect").status == 503)
        try await told("connection.client_outdated", outdated)
        // It is told before a newer version is looked for; the hold comes when there is none.
        _ = try await eventually("the hold") {
            try await outdated.device.get("/devices/me/status").json["data"]["held_reason"].string
        }
    }

    private static func expect(_ ends: [End], _ dev: DevProcess) async throws {
        let list = try await dev.admin.get("/admin/devices/status")
        for end in ends {
            let own = try await end.customer.device.get("/devices/me/status")
            let me = try await end.customer.device.get("/devices/me")
            #expect(me.json["data"]["state_reason"].string == end.reason, "\(me.text)")
            let listed = list.json["data"]["devices"].array.first { $0["device_id"].string == end.customer.deviceID }
            for shown in [own.json["data"], try #require(listed)] {
                #expect(shown["state_reason"].string == end.reason, "\(shown)")
                #expect(shown["error"].string == end.error, "\(shown)")
                #expect(shown["held_reason"].isNull != end.isHeld, "\(shown)")
                #expect(shown["db_status"].string == (end.isHeld ? "disconnected" : "logged_out"), "\(shown)")
            }
        }
    }

    /// What each device needs to be of use again, or to be done with.
    private static func undo(_ ends: [End], _ dev: DevProcess, _ sink: WebhookSink) async throws {
        // A held device is logged out where it lies.
        let replaced = try find("stream_replaced", ends)
        let logout = try await replaced.device.delete("/devices/me/session")
        #expect(logout.status == 200, "\(logout.text)")
        let id = replaced.deviceID
        _ = try await sink.delivery(of: "connection.logged_out") {
            $0.json["device_id"].string == id && $0.json["data"]["initiated_by"].string == "api"
        }
        let status = try await replaced.device.get("/devices/me/status")
        #expect(status.json["data"]["state_reason"].string == "logged_out_by_api", "\(status.text)")
        #expect(try await replaced.device.delete("/devices/me/session").status == 409)

        // An outdated one comes back when the version that WhatsApp wants becomes known.
        let outdated = try find("client_outdated", ends)
        let config = try await dev.sandbox.patch(
            "/config", ["minimum_revision": newVersion, "client_revision": newVersion])
        #expect(config.status == 200, "\(config.text)")
        let refreshed = try await dev.admin.post("/admin/whatsapp/version/refresh")
        #expect(refreshed.status == 200, "\(refreshed.text)")
        try await outdated.waitUntilLoggedIn()

        // One that was unlinked is linked again.
        let unlinked = try find("logged_out_by_phone", ends)
        try await unlinked.linkByQR()
        let linked = try await unlinked.device.get("/devices/me/status")
        #expect(linked.json["data"]["state_reason"].isNull, "\(linked.text)")
    }
}

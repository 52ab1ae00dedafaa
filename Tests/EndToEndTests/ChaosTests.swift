import Foundation
import Synchronization
import TestSupport
import Testing

/// Processes die at any moment, and nothing is lost (16-performance-durability, section 1.12, the real one).
///
/// Two devices and two phones write to each other while the gateway and PostgreSQL are killed and sockets are cut.
/// A small run is one of the tests; `scripts/chaos` runs it in any size.
@Suite("Chaos", .serialized, .timeLimit(.minutes(60)))
struct ChaosTests {
    @Test("under SIGKILL of gateway and PostgreSQL and cut sockets, every message arrives once and nothing is reused")
    func chaos() async throws {
        let plan = ChaosPlan.fromEnvironment()
        try await withDirectory { directory in
            let world = try await ChaosWorld.start(in: directory)
            do {
                let run = try await ChaosRun.start(in: world, plan: plan)
                try await run.storm()
                try await run.calm()
                try await run.judge()
            } catch {
                print(await world.logTail())
                await world.abort()
                throw error
            }
            #expect(try await world.stop() == 0)
        }
    }
}

/// One run: who writes to whom, what was accepted, what arrived.
private struct ChaosRun: Sendable {
    /// One side: a phone, and a device linked to it.
    struct Side: Sendable {
        let name: String
        let phone: String
        let token: String
        let deviceID: String
    }

    let world: ChaosWorld
    let plan: ChaosPlan
    let ada: Side
    let bob: Side
    let sink: WebhookSink
    private let accepted = Counter()
    private let began = ContinuousClock.now

    final class Counter: Sendable {
        private let value = Mutex(0)
        func add() { value.withLock { $0 += 1 } }
        var count: Int { value.withLock { $0 } }
    }

    static func start(in world: ChaosWorld, plan: ChaosPlan) async throws -> ChaosRun {
        let sink = try await WebhookSink.start()
        return ChaosRun(
            world: world, plan: plan, ada: try await side("ada", "12025550100", world, sink),
            bob: try await side("bob", "12025550101", world, sink), sink: sink)
    }

    private static func side(_ name: String, _ phone: String, _ world: ChaosWorld, _ sink: WebhookSink) async throws
        -> Side
    {
        let account = try await world.sandbox.post("/accounts", ["phone": phone, "push_name": name])
        #expect(account.status < 300, "\(account.text)")
        let tenant = try await world.admin.post(
            "/admin/api-keys", ["customer_name": name, "max_devices": 2, "rate_limit_per_hour": 1_000_000])
        let key = try #require(tenant.json["data"]["api_key"].string, "\(tenant.text)")
        let created = try await world.api.with("X-API-Key", key).post("/devices", ["device_name": name])
        let side = Side(
            name: name, phone: phone, token: try #require(created.json["data"]["token"].string, "\(created.text)"),
            deviceID: try #require(created.json["data"]["device_id"].string))
        let device = world.api.with("Authorization", "Bearer \(side.token)")
        let login = try await device.post("/devices/me/login?output=json")
        let code = try #require(login.json["data"]["code"].string, "\(login.text)")
        let scan = try await world.sandbox.post("/accounts/\(phone)/scan?wait=paired", ["qr": code])
        #expect(scan.status == 200, "\(scan.text)")
        let hook = try await device.post("/webhooks", ["url": sink.url])
        #expect(hook.status == 200, "\(hook.text)")
        _ = try await eventually("the login of \(name)", within: .seconds(60)) {
            let status = try await device.get("/devices/me/status")
            return status.json["data"]["is_logged_in"].bool == true ? true : nil
        }
        return side
    }

    private func device(_ side: Side) -> API { world.api.with("Authorization", "Bearer \(side.token)") }

    // MARK: The storm

    /// Everybody writes while everything breaks.
    func storm() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (from, to) in [(ada, bob), (bob, ada)] {
                group.addTask {
                    for number in 0..<plan.messages {
                        try await sendFromDevice(from, to, number)
                        accepted.add()
                    }
                }
                group.addTask {
                    for number in 0..<plan.messages {
                        try await sendFromPhone(from, to, number)
                        accepted.add()
                        // Phones have nobody to wait for: they keep pace with the devices.
                        try await pace(number)
                    }
                }
            }
            group.addTask { try await strike() }
            try await group.waitForAll()
        }
    }

    private func text(_ side: Side, fromDevice: Bool, _ number: Int) -> String {
        "\(side.name) \(fromDevice ? "device" : "phone") \(number)"
    }

    /// Sends under an idempotency key and asks again until the answer is a success.
    private func sendFromDevice(_ from: Side, _ to: Side, _ number: Int) async throws {
        let text = text(from, fromDevice: true, number)
        _ = try await eventually("the send of \"\(text)\"", within: .seconds(600)) {
            let answer = try? await device(from).post(
                "/chats/\(to.phone)/messages", ["text": text], headers: ["Idempotency-Key": text])
            // What was accepted for later must not be lost either.
            if let answer, [200, 202].contains(answer.status) { return true }
            if let answer, ![409, 429, 500, 502, 503, 504].contains(answer.status) {
                throw NeverHappened(description: "\(text): \(answer.status) \(answer.text)")
            }
            return nil
        }
    }

    private func sendFromPhone(_ from: Side, _ to: Side, _ number: Int) async throws {
        let text = text(from, fromDevice: false, number)
        let answer = try await world.sandbox.post("/accounts/\(from.phone)/send", ["to": to.phone, "text": text])
        guard answer.status == 200 else { throw NeverHappened(description: "\(text): \(answer.text)") }
    }

    private func pace(_ number: Int) async throws {
        _ = try await eventually("the devices keeping up", within: .seconds(600)) {
            accepted.count >= number * 3 ? true : nil
        }
    }

    private func strike() async throws {
        var random = Dice(plan.seed &+ 99)
        for (moment, blow) in plan.blows() {
            _ = try await eventually("message \(moment)", within: .seconds(900)) {
                accepted.count >= moment ? true : nil
            }
            switch blow {
            case .node: try await world.killNode()
            case .database: try await world.killPostgres(pause: .milliseconds(Int(random.next() % 1500)))
            case .cut: try await world.cutSocket(of: random.next() % 2 == 0 ? ada.phone : bob.phone)
            }
        }
    }

    // MARK: The calm

    /// Waits until everything has arrived everywhere.
    func calm() async throws {
        for (side, other) in [(ada, bob), (bob, ada)] {
            _ = try await eventually("\(side.name) logged in after the storm", within: .seconds(120)) {
                let status = try? await device(side).get("/devices/me/status")
                return status?.json["data"]["is_logged_in"].bool == true ? true : nil
            }
            let incoming = texts(of: other)
            let own = texts(of: side)
            try await arrival("the phone of \(side.name)", incoming + own.filter { $0.contains("device") }) {
                Set(try await phoneTexts(side))
            }
            try await arrival("the device of \(side.name)", incoming + own) { Set(try await storedTexts(side)) }
            try await arrival("webhooks of \(side.name)", incoming) { Set(webhooks(side).map(\.text)) }
        }
    }

    private func texts(of side: Side) -> [String] {
        [true, false].flatMap { fromDevice in
            (0..<plan.messages).map { text(side, fromDevice: fromDevice, $0) }
        }
    }

    private func arrival(_ place: String, _ wanted: [String], _ found: () async throws -> Set<String>) async throws {
        var missing = wanted
        do {
            _ = try await eventually("everything at \(place)", within: .seconds(180)) {
                let there = try await found()
                missing = wanted.filter { !there.contains($0) }
                return missing.isEmpty ? true : nil
            }
        } catch {
            throw NeverHappened(description: "lost at \(place): \(missing.prefix(20)) of \(wanted.count)")
        }
    }

    private func phoneTexts(_ side: Side) async throws -> [String] {
        let answer = try await world.sandbox.get("/accounts/\(side.phone)/messages?limit=100000")
        return answer.json.array.compactMap { $0["text"].string }
    }

    private func storedTexts(_ side: Side) async throws -> [String] { try await world.bodies(of: side.deviceID) }

    private func webhooks(_ side: Side) -> [(text: String, eventID: String, messageID: String)] {
        sink.deliveries.compactMap { delivery in
            let json = delivery.json
            guard delivery.event == "message.received", json["device_id"].string == side.deviceID,
                let id = json["event_id"].string, let message = json["data"]["message_id"].string,
                let text = json["data"]["text"].string ?? json["data"]["message"]["conversation"].string
            else { return nil }
            return (text, id, message)
        }
    }

    // MARK: The judgement

    func judge() async throws {
        var doubled: [String] = []
        func note(_ place: String, _ texts: [String]) {
            for (text, times) in Dictionary(texts.map { ($0, 1) }, uniquingKeysWith: +) where times > 1 {
                doubled.append("\(text): \(times) times at \(place)")
            }
        }
        for side in [ada, bob] {
            note("the phone of \(side.name)", try await phoneTexts(side))
            note("the device of \(side.name)", try await storedTexts(side))
            // A webhook may come again, with its old event id; never under another one.
            let events = Dictionary(
                webhooks(side).map { ($0.eventID, $0.text) }, uniquingKeysWith: { first, _ in first })
            note("webhooks of \(side.name)", Array(events.values))
        }
        #expect(doubled.isEmpty, "\(doubled.prefix(10))")

        let checks = try await world.sandbox.get("/checks").json
        #expect(checks["key_reuse"].int == 0, "\(checks)")
        #expect(checks["acked_twice"].int == 0, "\(checks)")
        // A socket whose reset is still on its way may overlap with the next, once for a blow and each device that it hits;
        // nothing comes over the older one any more, and it does not stay.
        let overlaps = checks["two_sockets"].int ?? -1
        let explained = 2 * (plan.nodeKills + plan.databaseKills) + plan.cuts
        #expect((0...explained).contains(overlaps), "\(checks)")
        #expect(checks["frames_during_overlap"].int == 0, "\(checks)")
        let violations = try await world.sandbox.get("/violations").json.array.filter { violation in
            let kind = violation["data"]["kind"].string
            return kind != "two_sockets" && (kind != "socket_overlap" || violation["data"]["frames"].int != 0)
        }
        #expect(violations.isEmpty, "\(violations.prefix(5))")
        let broken = try await world.unreadable()
        #expect(broken == 0, "messages that could not be read")

        // No session is broken: one more each way, read at once.
        for (from, to) in [(ada, bob), (bob, ada)] {
            try await sendFromDevice(from, to, plan.messages)
            let last = text(from, fromDevice: true, plan.messages)
            try await arrival("the phone of \(to.name)", [last]) { Set(try await phoneTexts(to)) }
            try await arrival("the device of \(to.name)", [last]) { Set(try await storedTexts(to)) }
        }
        // Whatever was killed, nobody had to ask for a message again: what was not acknowledged comes again and is read then.
        let retries = try await world.sandbox.get("/events?types=retry.requested").json.array
        #expect(retries.isEmpty, "\(retries.prefix(3))")
        let unread = try await world.sandbox.get("/events?types=phone.decrypt_failed").json.array
        #expect(unread.isEmpty, "\(unread.prefix(3))")
        let after = try await world.sandbox.get("/checks").json
        #expect(after["two_sockets"].int == overlaps, "\(after)")
        #expect(after["two_sockets_now"].array.isEmpty, "\(after)")
        try await sink.stop()
        try write(reused: checks["key_reuse"].int ?? -1, doubled: doubled.count, retries: retries.count)
    }

    private func write(reused: Int, doubled: Int, retries: Int) throws {
        let result: [String: any Sendable] = [
            "messages_each": plan.messages, "messages": plan.total, "gateway_kills": plan.nodeKills,
            "postgres_kills": plan.databaseKills, "socket_cuts": plan.cuts, "seed": Int(plan.seed), "lost": 0,
            "doubled": doubled, "reused_positions": reused, "retry_receipts": retries,
            "seconds": Int((ContinuousClock.now - began).components.seconds),
        ]
        let json = try JSONSerialization.data(withJSONObject: result, options: [.sortedKeys, .prettyPrinted])
        if let path = plan.resultPath { try json.write(to: URL(filePath: path)) }
    }
}

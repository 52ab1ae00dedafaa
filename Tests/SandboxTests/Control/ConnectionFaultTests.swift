import Cryptography
import Testing
import Transport

@testable import Sandbox

@Suite("Faults of a whole connection")
struct ConnectionFaultTests {
    @Test("latency and throttle hold every stanza back and keep their order")
    @SandboxActor
    func pace() throws {
        let world = try PhoneWorld().world
        let direction = DirectionFaults()
        var seen: [Int] = []
        var latency = Pace()
        latency.add(.latency(milliseconds: 100, jitter: 0), size: 10, random: world.random)
        direction.pass({ seen.append(1) }, at: latency, in: world)
        // What has no pace of its own waits behind what has.
        direction.pass({ seen.append(2) }, at: Pace(), in: world)
        world.clock.advance(by: 99)
        #expect(seen.isEmpty)
        world.clock.advance(by: 1)
        #expect(seen == [1, 2])
        var throttle = Pace()
        throttle.add(.throttle(bytesPerSecond: 100), size: 50, random: world.random)
        for number in 3...5 { direction.pass({ seen.append(number) }, at: throttle, in: world) }
        world.clock.advance(by: 1000)
        #expect(seen == [1, 2, 3, 4])
        world.clock.advance(by: 500)
        #expect(seen == [1, 2, 3, 4, 5])
        direction.pass({ seen.append(6) }, at: Pace(), in: world)
        #expect(seen.last == 6)
    }

    @Test("rules for a whole connection have no end unless they are given one")
    func lasting() throws {
        let lasting = try FaultRule(json: ["action": ["type": "latency", "ms": 10]])
        #expect(lasting.remaining == nil)
        let once = try FaultRule(json: ["action": ["type": "throttle", "bytes_per_s": 10], "count": 1])
        #expect(once.remaining == 1)
        #expect(throws: FaultEffect.ParsingError.self) { try FaultRule(json: ["action": ["type": "latency"]]) }
        #expect(throws: FaultEffect.ParsingError.self) {
            try FaultRule(json: ["action": ["type": "http_status", "code": 42]])
        }
    }

    @Test("a flooded device finds its queue full at login, with messages of a phone or with notices")
    func flood() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            _ = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            await client.drop()
            let rule = try FaultRule(
                json: [
                    "match": ["kind": "login"],
                    "action": ["type": "offline_flood", "n": 30, "from": "12025550101"],
                ])
            _ = await home.world.faultRules?.add(rule)
            let again = try await home.online(companion)
            var texts: [String] = []
            while texts.count < 30 {
                let message = try await home.message(companion, again, "flood") { $0["offline"] != nil }
                guard message.stanza["category"] == nil else { continue }
                texts.append(try ReceivedContent(message.plaintext).content?.text ?? "")
            }
            #expect(texts == (1...30).map { "flood \($0)" })
            _ = account
        }
    }

    @Test("a wrong identity can come with the notice that it changed")
    func identity() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, _) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            let eve = try await home.world.createAccount(AccountDraft(phone: "12025550102"))
            let rule = try FaultRule(
                json: ["action": ["type": "wrong_identity", "account": "12025550102", "notify": true]])
            _ = await home.world.faultRules?.add(rule)
            let answer = try await client.query(
                "get", "encrypt", Stanza("key", children: [Stanza("user", ["jid": .jid(bob.lidJID)])]))
            let key = answer.child("list", "user")?.child("identity")?.bytesContent
            #expect(await key == eve.identity.publicKey.raw)
            let told = try await client.next("identity") { $0.type == "encrypt" && $0.child("identity") != nil }
            #expect(told.from == bob.pn || told.from == bob.lidJID)
        }
    }

    @Test("a rule is used up only where its effect can be brought about")
    func places() throws {
        var engine = FaultEngine()
        engine.add(try FaultRule(json: ["match": ["kind": "prekey_fetch"], "action": "no_prekeys"]))
        var subject = FaultSubject()
        subject.kinds = [.prekeyFetch]
        subject.stage = .inbound
        #expect(engine.fire(on: subject, now: 0, draw: { 0 }).isEmpty)
        subject.stage = .prekeyFetch
        #expect(engine.fire(on: subject, now: 0, draw: { 0 }).count == 1)
        #expect(engine.fire(on: subject, now: 0, draw: { 0 }).isEmpty)
    }
}

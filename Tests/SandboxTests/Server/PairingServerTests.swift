import Cryptography
import Sandbox
import Testing
import Transport

@Suite("Pairing and login against the sandbox server")
struct PairingServerTests {
    @Test("a companion pairs by QR, is restarted by 515, logs in and becomes active")
    func pairAndLogin() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = try await sandbox.pair(account)
            #expect(companion.jid == JID.user("12025550100", device: 1))
            let lid = account.lid
            #expect(companion.lid == JID.lid(lid, device: 1))

            let client = try await ScriptedClient.connect(
                sandbox.target, noiseKey: companion.noiseKey, payload: companion.loginPayload())
            let success = try await client.next("success") { $0.tag == "success" }
            #expect(success.attributes["lid"] == .jid(JID.lid(lid, device: 1)))
            #expect(success.int("t") != nil)
            let before = try await client.query("get", "encrypt", Stanza("count"))
            #expect(before.child("count")?["value"] == "0")
            try await sandbox.upload(companion, 812, on: client)
            let after = try await client.query("get", "encrypt", Stanza("count"))
            #expect(after.child("count")?["value"] == "812")
            let marker = try await sandbox.activate(client)
            #expect(marker.child("offline")?["count"] == "0")
            await client.drop()
            let ready = await sandbox.phone.ready
            #expect(ready == ["12025550100:1"])
        }
    }

    @Test("six refs are shown, and keepalives are answered before pairing")
    func refs() async throws {
        try await TestSandbox.with { sandbox in
            let (client, refs) = try await sandbox.register(Companion())
            #expect(refs.count == 6)
            #expect(refs.allSatisfy { $0.hasPrefix("2@") && $0.utf8.count == 62 && !$0.contains(",") })
            #expect(try await client.query("get", "w:p").type == "result")
            let refused = try await client.query("get", "encrypt", Stanza("count"))
            #expect(refused.child("error")?["code"] == "401")
        }
    }

    @Test("refs run out: the session expires, the stream ends, the QR is refused")
    func expiry() async throws {
        try await TestSandbox.with({ $0.clock = .virtual }) { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = Companion()
            let (client, refs) = try await sandbox.register(companion)
            await sandbox.world.clock.advance(by: 171_000)
            _ = try await client.next("stream end") { $0.tag == "xmlstreamend" }
            try await client.sendClose()
            #expect(await client.ended())
            let qr = companion.qr(ref: refs[0])
            await #expect(throws: WorldError.noSuchPairing) {
                try await sandbox.phone.scan(qr, with: account, secret: companion.advSecret)
            }
        }
    }

    @Test("a companion that reports a bad HMAC fails the pairing and does not become a device")
    func refusedByClient() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = Companion()
            let (client, refs) = try await sandbox.register(companion)
            try await sandbox.phone.scan(
                companion.qr(ref: refs[0]), with: account, secret: Bytes(repeating: 9, count: 32))
            let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
            #expect(throws: TestFailure.self) { try companion.answer(pairSuccess: success) }
            try await client.send(
                Stanza(
                    "iq", ["to": .jid(.serverJID), "id": success.attributes["id"], "type": "error"],
                    children: [Stanza("error", ["code": "401", "text": "hmac-mismatch"])]))
            #expect(await client.ended())
            #expect(await account.companions.isEmpty)
            #expect(await sandbox.world.pairingSessions.last?.state == .failed("hmac-mismatch"))
        }
    }

    @Test("a registration whose signed prekey is not signed by its identity gets failure 400")
    func badSignature() async throws {
        try await TestSandbox.with { sandbox in
            let companion = Companion()
            let client = try await ScriptedClient.connect(
                sandbox.target, noiseKey: companion.noiseKey,
                payload: companion.registrationPayload(signature: Bytes(repeating: 0, count: 64)))
            #expect(try await client.next("failure") { $0.tag == "failure" }["reason"] == "400")
        }
    }

    @Test("a login with another noise key gets failure 401, and the socket stays open until the client closes it")
    func wrongNoiseKey() async throws {
        try await TestSandbox.with({ $0.settings.closeDelay = 3_600_000 }) { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let client = try await ScriptedClient.connect(
                sandbox.target, noiseKey: .generate(), payload: companion.loginPayload())
            #expect(try await client.next("failure") { $0.tag == "failure" }["reason"] == "401")
            #expect(await client.ended(within: 0.1) == false)
            try await client.sendClose()
            #expect(await client.ended())
        }
    }

    @Test(
        "the account's standing and the client's version decide the failure",
        arguments: [
            (Account.Standing.banned, "406"), (.temporarilyBanned(code: 101, until: .max), "402"),
            (.locked(header: "Gone", subtext: nil), "403"),
        ])
    func failures(standing: Account.Standing, reason: String) async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = try await sandbox.pair(account)
            await sandbox.world.setStanding(standing, of: account)
            let client = try await ScriptedClient.connect(
                sandbox.target, noiseKey: companion.noiseKey, payload: companion.loginPayload())
            let failure = try await client.next("failure") { $0.tag == "failure" }
            #expect(failure["reason"] == reason)
            if reason == "402" { #expect(failure["code"] == "101" && failure.int("expire") != nil) }
            if reason == "403" { #expect(failure["logout_message_header"] == "Gone") }
        }
    }

    @Test("a client below the lowest version gets failure 405, at login and at registration")
    func outdated() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = try await sandbox.pair(account)
            await SandboxActor.run(on: sandbox.world) { $0.settings.minimumRevision = 2_000_000_000 }
            for payload in [companion.loginPayload(), Companion().registrationPayload()] {
                let client = try await ScriptedClient.connect(
                    sandbox.target, noiseKey: companion.noiseKey, payload: payload)
                #expect(try await client.next("failure") { $0.tag == "failure" }["reason"] == "405")
            }
        }
    }

    @Test("a second login replaces the first connection")
    func replaced() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let first = try await sandbox.online(companion)
            let second = try await sandbox.online(companion, keys: 0)
            let error = try await first.next("stream error") { $0.tag == "stream:error" }
            #expect(error.child("conflict")?["type"] == "replaced")
            #expect(error["code"] == nil)
            #expect(await first.ended())
            #expect(try await second.query("get", "w:p").type == "result")
        }
    }

    @Test("logout: the answer first, then 401 device_removed; the next login gets failure 401")
    func logout() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = try await sandbox.pair(account)
            let other = try await sandbox.pair(account)
            let watching = try await sandbox.online(other)
            let client = try await sandbox.online(companion)
            let answer = try await client.query(
                "set", "md",
                Stanza(
                    "remove-companion-device", ["jid": .jid(try #require(companion.jid)), "reason": "user_initiated"]))
            #expect(answer.type == "result")
            let error = try await client.next("stream error") { $0.tag == "stream:error" }
            #expect(error["code"] == "401" && error.child("conflict")?["type"] == "device_removed")
            let notice = try await watching.next("account_sync") {
                $0["type"] == "account_sync" && $0.child("devices")?.children("device").count == 2
            }
            #expect(notice.child("devices")?["dhash"]?.hasPrefix("2:") == true)
            let again = try await ScriptedClient.connect(
                sandbox.target, noiseKey: companion.noiseKey, payload: companion.loginPayload())
            #expect(try await again.next("failure") { $0.tag == "failure" }["reason"] == "401")
        }
    }
}

extension SandboxActor {
    /// Runs `body` on the sandbox's thread.
    @SandboxActor
    static func run<Result: Sendable>(on world: World, _ body: @SandboxActor (World) -> Result) -> Result {
        body(world)
    }
}

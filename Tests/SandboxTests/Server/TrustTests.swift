import Cryptography
import Foundation
import Sandbox
import Testing
import Transport

/// A fault engine that does what the test says at every point of one stage.
@SandboxActor
final class ScriptedFaults: FaultInjector {
    var stage: FaultPoint.Stage
    var actions: [FaultAction]
    var matches: (FaultPoint) -> Bool = { _ in true }
    private(set) var fired = 0

    init(_ stage: FaultPoint.Stage, _ actions: [FaultAction]) {
        self.stage = stage
        self.actions = actions
    }

    func fire(at point: FaultPoint) -> [FaultAction] {
        guard point.stage == stage, matches(point) else { return [] }
        fired += 1
        return actions
    }
}

@Suite("Certificates and faults of the sandbox server")
struct TrustTests {
    @Test(
        "a client refuses each flawed certificate",
        arguments: [
            FaultAction.CertificateFault.expired, .notYet, .wrongRoot, .wrongLeaf, .serial, .noSignature,
        ])
    func badCertificates(flaw: FaultAction.CertificateFault) async throws {
        try await TestSandbox.with { sandbox in
            await SandboxActor.run(on: sandbox.world) {
                $0.faults = ScriptedFaults(.handshake, [.badCertificate(flaw)])
            }
            let companion = Companion()
            await #expect(throws: NoiseError.self) {
                try await ScriptedClient.connect(
                    sandbox.target, noiseKey: companion.noiseKey, payload: companion.registrationPayload())
            }
        }
    }

    @Test("the root key follows from the seed")
    func rootKey() async throws {
        let one = try await TestSandbox.start { $0.seed = "a" }
        let two = try await TestSandbox.start { $0.seed = "a" }
        let three = try await TestSandbox.start { $0.seed = "b" }
        #expect(one.addresses.rootPublicKey == two.addresses.rootPublicKey)
        #expect(one.addresses.rootPublicKey != three.addresses.rootPublicKey)
        for sandbox in [one, two, three] { await sandbox.server.stop() }
    }

    @Test("the compose file tells the gateway the root key of the seed that it gives the sandbox")
    func deployedRootKey() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "deploy/compose.sandbox.yaml"), encoding: .utf8)
        let seed = try #require(text.firstMatch(of: /SANDBOX_SEED: (\w+)/)?.1)
        let key = try #require(text.firstMatch(of: /WHATSAPP_NOISE_ROOT_KEY: ([0-9a-f]{64})/)?.1)
        let sandbox = try await TestSandbox.start { $0.seed = String(seed) }
        #expect(sandbox.addresses.rootPublicKey == String(key))
        await sandbox.server.stop()
    }

    @Test("a dropped request has no answer, a dropped answer leaves the effect, an injected error is the answer")
    func requestFaults() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let client = try await sandbox.online(try await sandbox.pair(account))
            func faults(_ actions: FaultAction...) async {
                await SandboxActor.run(on: sandbox.world) { world in
                    let script = ScriptedFaults(.inbound, actions)
                    script.matches = { $0.stanza?["xmlns"] == "disappearing_mode" }
                    world.faults = script
                }
            }
            func ask(_ id: String, _ duration: String) async throws {
                try await client.send(
                    Stanza(
                        "iq", ["id": .text(id), "type": "set", "xmlns": "disappearing_mode", "to": .jid(.serverJID)],
                        children: [Stanza("disappearing_mode", ["duration": .text(duration)])]))
                _ = try await client.query("get", "w:p")
            }
            await faults(.drop)
            try await ask("a", "86400")
            #expect(await account.disappearing.duration == 0)
            await faults(.dropAnswer)
            try await ask("b", "86400")
            #expect(await account.disappearing.duration == 86_400)
            #expect(await client.pending.contains { $0.id == "a" || $0.id == "b" } == false)
            await faults(.iqError(code: 429, text: "rate-overlimit"))
            try await ask("c", "0")
            #expect(try await client.next("error") { $0.id == "c" }.child("error")?["code"] == "429")
            await faults(.end(with: Stanza("stream:error", ["code": "503"]), abrupt: false))
            try await client.send(
                Stanza("iq", ["id": "d", "type": "set", "xmlns": "disappearing_mode", "to": .jid(.serverJID)]))
            #expect(try await client.next("stream error") { $0.tag == "stream:error" }["code"] == "503")
        }
    }

    @Test("a lost ack is repeated for the same bytes, and the message is delivered once")
    func lostAck() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let message = Stanza.message("M1", to: try #require(two.lid?.bare), devices: [try #require(two.lid)])
            await SandboxActor.run(on: sandbox.world) { world in
                let script = ScriptedFaults(.outbound, [.drop])
                script.matches = { $0.stanza?.tag == "ack" }
                world.faults = script
            }
            try await sender.send(message)
            _ = try await receiver.next("message") { $0.tag == "message" }
            await SandboxActor.run(on: sandbox.world) { $0.faults = nil }
            #expect(try await sender.sendForAck(message)["error"] == nil)
            #expect(try await receiver.query("get", "w:p").type == "result")
            #expect(await receiver.pending.contains { $0.tag == "message" } == false)
        }
    }

    @Test("corrupt, unavailable, duplicate and reorder change what is delivered, each in its way")
    func deliveryFaults() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            func send(_ id: String, _ actions: FaultAction...) async throws {
                await SandboxActor.run(on: sandbox.world) { world in
                    let script = ScriptedFaults(.outbound, actions)
                    script.matches = { $0.stanza?.tag == "message" }
                    world.faults = script
                }
                _ = try await sender.sendForAck(
                    .message(id, to: try #require(two.lid?.bare), devices: [try #require(two.lid)]))
            }
            try await send("A", .corruptEnc)
            let corrupt = try await receiver.next("corrupt") { $0.id == "A" }
            #expect(
                corrupt.child("enc")?.bytesContent != [1, 2, 3, 1] && corrupt.child("enc")?.bytesContent?.count == 4)
            try await send("B", .unavailable(type: "view_once"))
            let missing = try await receiver.next("unavailable") { $0.id == "B" }
            #expect(missing.child("unavailable")?["type"] == "view_once" && missing.child("enc") == nil)
            try await send("C", .duplicate(times: 1, gap: 0))
            for _ in 0..<2 { _ = try await receiver.next("duplicate") { $0.id == "C" } }
            for id in ["D", "E", "F"] { try await send(id, .reorder(window: 3)) }
            var ids: [String] = []
            for _ in 0..<3 {
                ids.append(try await receiver.next("reordered") { ["D", "E", "F"].contains($0.id) }.id ?? "")
            }
            #expect(Set(ids) == ["D", "E", "F"])
        }
    }
}

import Cryptography
import Sandbox
import Testing
import Transport

/// What clients written by others do and expect, each found by connecting one.
@Suite("The sandbox server and the habits of genuine clients")
struct GenuineClientTests {
    @Test("a client that remembers the server's key is logged in by its first message")
    func resumption() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let key = await SandboxActor.run(on: sandbox.world) { $0.trust.staticKey.publicKey }
            let (client, accepted) = try await ScriptedClient.resume(
                sandbox.target, noiseKey: companion.noiseKey, serverKey: key, payload: companion.loginPayload())
            #expect(accepted)
            _ = try await client.next("success") { $0.tag == "success" }
            try await sandbox.upload(companion, 3, on: client)
            try await sandbox.activate(client)
        }
    }

    @Test("a client that remembers another key falls back and is logged in all the same")
    func fallback() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let (client, accepted) = try await ScriptedClient.resume(
                sandbox.target, noiseKey: companion.noiseKey, serverKey: KeyPair.generate().publicKey,
                payload: companion.loginPayload())
            #expect(!accepted)
            _ = try await client.next("success") { $0.tag == "success" }
            try await sandbox.activate(client)
        }
    }

    @Test("the answer to active and passive names the mode")
    func mode() async throws {
        try await TestSandbox.with { sandbox in
            let client = try await sandbox.online(try await sandbox.pair(try await sandbox.account("12025550100")))
            for mode in ["passive", "active"] {
                let answer = try await client.query("set", "passive", Stanza(mode))
                #expect(answer.type == "result" && answer.childrenContent == [Stanza(mode)])
            }
        }
    }

    @Test("a corrupted message still parses: only its MAC or its signature is wrong")
    func corruption() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let to = try #require(two.lid)
            // Version, field 1, the message in field 4 with its MAC, field 6.
            let preKeyMessage: Bytes = [0x33, 0x08, 1, 0x22, 3, 0xA, 0xB, 0xC, 0x30, 7]
            for stage in [FaultPoint.Stage.outbound, .inbound] {
                await SandboxActor.run(on: sandbox.world) {
                    let faults = ScriptedFaults(stage, [.corruptEnc])
                    faults.matches = { $0.stanza?.tag == "message" }
                    $0.faults = faults
                }
                for (type, body, changed) in [("pkmsg", preKeyMessage, 7), ("msg", [0x33, 1, 2, 3], 3)] {
                    let id = "\(stage)-\(type)"
                    try await sender.send(
                        Stanza(
                            "message", ["id": .text(id), "to": .jid(to.bare), "type": "text"],
                            children: [
                                Stanza(
                                    "participants",
                                    children: [
                                        Stanza(
                                            "to", ["jid": .jid(to)],
                                            children: [Stanza("enc", ["v": "2", "type": .text(type)], bytes: body)])
                                    ])
                            ]))
                    let copy = try await receiver.next(id) { $0.tag == "message" && $0.id == id }
                    var wanted = body
                    wanted[changed] ^= 1
                    #expect(copy.child("enc")?.bytesContent == wanted)
                }
            }
        }
    }
}

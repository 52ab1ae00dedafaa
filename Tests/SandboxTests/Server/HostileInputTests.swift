import Cryptography
import Foundation
import NIOCore
import Sandbox
import Testing
import Transport

@Suite("Bad peers of the sandbox server")
struct HostileInputTests {
    @Test("a wrong header, a wrong dictionary version and garbage instead of a hello end the connection")
    func badHeaders() async throws {
        try await TestSandbox.with { sandbox in
            for bytes in [
                Bytes("GET / HTTP".utf8), [0x57, 0x41, 0x06, 0x02, 0, 0, 1, 0],
                [0x57, 0x41, 0x06, 0x03, 0, 0, 3, 1, 2, 3],
            ] {
                let socket = try await RawSocket.connect(sandbox.target.url)
                try await socket.send(bytes)
                var ended = false
                for await event in socket.events where event == .ended { ended = true }
                #expect(ended)
            }
            #expect(await sandbox.world.counters.violations == 3)
        }
    }

    @Test("malformed stanzas are counted and the session goes on")
    func malformedStanzas() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let client = try await sandbox.online(companion)
            let before = await sandbox.world.counters.violations
            let deep = Bytes([0]) + (0..<10_000).flatMap { _ in [0xF8, 0x02, 0x03, 0xF8, 0x01] as Bytes }
            let junk: [Bytes] = [
                [], [0], [0xFF, 1, 2], [0, 0xF8, 0], [0, 0xF8, 0x05, 0x03], [2, 0x78, 0x9C, 1, 2], [0, 0xFE], deep,
                [0, 0xF9, 0xFF, 0xFF, 3],
            ]
            for bytes in junk { try await client.send(plaintext: bytes) }
            try await client.send(Stanza("nonsense", ["id": "1"]))
            try await client.send(Stanza("message", ["type": "text"]))
            try await client.send(Stanza("receipt"))
            try await client.send(Stanza("ack"))
            try await client.send(Stanza("iq", ["type": "get"]))
            #expect(try await client.query("get", "w:p").type == "result")
            #expect(await sandbox.world.counters.violations - before == junk.count + 5)
        }
    }

    @Test("a frame that does not authenticate ends its connection and no other")
    func wrongMAC() async throws {
        try await TestSandbox.with { sandbox in
            let account = try await sandbox.account("12025550100")
            let companion = try await sandbox.pair(account)
            let other = try await sandbox.online(try await sandbox.pair(account))
            let client = try await sandbox.online(companion)
            try await client.send(raw: [0, 0, 20] + Bytes(repeating: 0xAA, count: 20))
            #expect(await client.ended())
            #expect(try await other.query("get", "w:p").type == "result")
        }
    }

    @Test("unknown requests get error 501 and an event, in every shape")
    func unknownQueries() async throws {
        try await TestSandbox.with { sandbox in
            let client = try await sandbox.online(try await sandbox.pair(try await sandbox.account("12025550100")))
            for xmlns in ["w:nothing", "encrypt", "md", "usync", "w:g2", "privacy", "w:m"] {
                let answer = try await client.query("get", xmlns, Stanza("what"))
                let code = answer.child("error")?["code"]
                #expect(code == "501" || code == "400", "\(xmlns): \(answer)")
            }
            #expect(await sandbox.world.counters.unknownIQs >= 4)
        }
    }

    @Test("fragments, frames split and joined over messages, and a routing preamble are read as one stream")
    func streamShapes() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let client = try await ScriptedClient.connect(
                sandbox.target, noiseKey: companion.noiseKey, payload: companion.loginPayload(),
                routingInfo: [8, 2, 8, 5])
            _ = try await client.next("success") { $0.tag == "success" }
            #expect(try await client.query("get", "w:p").type == "result")
        }
    }
}

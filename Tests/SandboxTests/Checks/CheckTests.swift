import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Sandbox

@Suite("What the sandbox watches its clients for")
struct CheckTests {
    /// A `msg` that nobody can open, at one position of a chain.
    private static func ciphertext(chain: UInt8, counter: UInt64, body: UInt8) throws -> Bytes {
        let key = try KeyPair(privateKey: PrivateKey(raw: Bytes(repeating: chain, count: 32))).publicKey
        var writer = ProtoWriter()
        writer.bytes(1, key.serialized)
        writer.varint(2, counter)
        writer.varint(3, 0)
        writer.bytes(4, Bytes(repeating: body, count: 16))
        return [0x33] + writer.bytes + Bytes(repeating: 9, count: 8)
    }

    private static func message(_ id: String, to: JID, _ body: Bytes) -> Stanza {
        Stanza(
            "message", ["id": .text(id), "to": .jid(to), "type": "text"],
            children: [
                Stanza(
                    "participants",
                    children: [
                        Stanza(
                            "to", ["jid": .jid(to)],
                            children: [Stanza("enc", ["v": "2", "type": "msg"], bytes: body)])
                    ])
            ])
    }

    private static func violations(_ kind: String, _ world: World) async -> [SandboxEvent] {
        await world.events.events(since: 0) { $0.type == .violation && $0.data["kind"]?.stringValue == kind }
    }

    @Test(
        "a chain position that encrypts a second message is reported; the next position and a repeated stanza are not")
    func keyReuse() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let bob = try await sandbox.account("12025550101").lidJID
            let client = try await sandbox.online(one)
            let first = Self.message("M1", to: bob, try Self.ciphertext(chain: 7, counter: 3, body: 1))
            _ = try await client.sendForAck(first)
            _ = try await client.sendForAck(first)
            _ = try await client.sendForAck(
                Self.message("M2", to: bob, try Self.ciphertext(chain: 7, counter: 4, body: 1)))
            #expect(await Self.violations("key_reuse", sandbox.world).isEmpty)
            _ = try await client.sendForAck(
                Self.message("M3", to: bob, try Self.ciphertext(chain: 7, counter: 3, body: 2)))
            let found = await Self.violations("key_reuse", sandbox.world)
            #expect(found.count == 1)
            #expect(found.first?.account == "12025550100" && found.first?.device == 1)
            #expect(found.first?.data["detail"]?.stringValue?.contains("message M1") == true)
            #expect(await sandbox.world.checks.keyReuses == 1)
        }
    }

    @Test("the same position is reused by another message, by another ciphertext, but not by itself")
    func ledger() throws {
        var ledger = CiphertextLedger(capacity: 2)
        func position(_ counter: UInt64, receiver: String = "b:0") throws -> CiphertextLedger.Position {
            try #require(
                CiphertextLedger.Position(
                    type: "msg", ciphertext: Self.ciphertext(chain: 1, counter: counter, body: 0), sender: "a:1",
                    receiver: receiver))
        }
        #expect(ledger.note(try position(0), message: "M1", ciphertext: [1]) == .fresh)
        #expect(ledger.note(try position(0), message: "M1", ciphertext: [1]) == .repeated)
        #expect(ledger.note(try position(0), message: "M1", ciphertext: [2]) == .reused(by: "M1"))
        #expect(ledger.note(try position(0), message: "M2", ciphertext: [1]) == .reused(by: "M1"))
        #expect(ledger.note(try position(0, receiver: "c:0"), message: "M2", ciphertext: [1]) == .fresh)
        #expect(ledger.note(try position(1), message: "M3", ciphertext: [1]) == .fresh)
        // The oldest position is forgotten.
        #expect(ledger.note(try position(0), message: "M4", ciphertext: [3]) == .fresh)
    }

    @Test("a second receipt for one delivery is reported; one for each delivery is not")
    func ackedTwice() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let to = try #require(two.lid)
            _ = try await sender.sendForAck(.message("M1", to: to.bare, devices: [to]))
            let copy = try await receiver.next("message") { $0.tag == "message" }
            await receiver.drop()
            let again = try await sandbox.online(two, keys: 0)
            let redelivered = try await again.next("message") { $0.tag == "message" }
            #expect(redelivered.id == copy.id)
            for _ in 1...2 {
                try await again.send(redelivered.deliveryReceipt)
                _ = try await again.next("ack") { $0.tag == "ack" && $0["class"] == "receipt" }
            }
            #expect(await Self.violations("acked_twice", sandbox.world).isEmpty)
            try await again.send(redelivered.deliveryReceipt)
            _ = try await again.next("ack") { $0.tag == "ack" && $0["class"] == "receipt" }
            #expect(await Self.violations("acked_twice", sandbox.world).count == 1)
            #expect(await sandbox.world.checks.ackedTwice == 1)
        }
    }

    @Test("two sockets of one device are reported with the time both were open")
    func twoSockets() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let first = try await sandbox.online(companion)
            let second = try await sandbox.login(companion)
            let conflict = try await first.next("conflict") { $0.tag == "stream:error" }
            #expect(conflict.child("conflict")?["type"] == "replaced")
            try await first.sendClose()
            #expect(await first.ended())
            let overlap = try #require(
                await sandbox.world.events.first(since: 0, timeout: 60_000) {
                    $0.type == .violation && $0.data["kind"] == "socket_overlap"
                })
            #expect((overlap.data["milliseconds"]?.intValue ?? -1) >= 0)
            let found = await Self.violations("two_sockets", sandbox.world)
            #expect(found.count == 1)
            #expect(found.first?.data["old_connection"] == overlap.data["old_connection"])
            #expect(await sandbox.world.checks.overlaps == 1)
            _ = try await second.query("get", "w:p")
        }
    }

    @Test("a device that reconnects after its socket ended has one socket")
    func oneSocket() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let first = try await sandbox.online(companion)
            await first.drop()
            _ = await sandbox.world.events.first(since: 0, timeout: 60_000) {
                $0.type == .connectionClosed && $0.connection == 2
            }
            _ = try await sandbox.login(companion)
            #expect(await sandbox.world.checks.overlaps == 0)
        }
    }

    @Test("the control API tells what the checks found")
    func control() async throws {
        try await ControlClient.with { control in
            let checks = try await control.get("/checks")
            #expect(checks["key_reuse"] == 0 && checks["acked_twice"] == 0 && checks["two_sockets"] == 0)
            #expect(checks["longest_overlap_ms"] == 0 && checks["violations"] == .object([:]))
        }
    }
}

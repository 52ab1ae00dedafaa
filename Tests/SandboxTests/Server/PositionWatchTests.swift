import Cryptography
import Sandbox
import Signal
import Testing
import Transport

@Suite("Positions of sending chains")
struct PositionWatchTests {
    @Test("a position that is used for two texts is a violation; a ciphertext that comes again is none")
    func reuse() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let to = try #require(two.lid)
            let identity = KeyPair.generate()
            let preKey = SignedPreKey.generate(id: 1, identity: identity, random: SystemRandom())
            var record = SessionRecord()
            try SessionBuilder.process(
                bundle: PreKeyBundle(
                    registrationID: 1, deviceID: 1, identityKey: identity.publicKey, signedPreKeyID: 1,
                    signedPreKey: preKey.keyPair.publicKey, signedPreKeySignature: preKey.signature),
                record: &record, identity: KeyPair.generate(), registrationID: 2, random: SystemRandom())
            // Two processes that each believe the position is theirs.
            var twin = record
            let first = try SessionCipher.encrypt([1], record: &record)
            let second = try SessionCipher.encrypt([2], record: &twin)
            for (id, ciphertext) in [
                ("M1", first), ("M2", first), ("M3", try SessionCipher.encrypt([3], record: &record)),
            ] {
                _ = try await sender.sendForAck(Self.message(id, to: to, ciphertext))
                #expect(await sandbox.world.counters.reusedPositions == 0)
            }
            let before = await sandbox.world.counters.violations
            _ = try await sender.sendForAck(Self.message("M4", to: to, second))
            #expect(await sandbox.world.counters.reusedPositions == 1)
            #expect(await sandbox.world.counters.violations > before)
        }
    }

    private static func message(_ id: String, to: JID, _ ciphertext: SessionCiphertext) -> Stanza {
        let enc = Stanza("enc", ["v": "2", "type": .text(ciphertext.type.encType)], bytes: ciphertext.bytes)
        return Stanza(
            "message", ["id": .text(id), "to": .jid(to.bare), "type": "text"],
            children: [
                Stanza("participants", children: [Stanza("to", ["jid": .jid(to)], children: [enc])])
            ])
    }
}

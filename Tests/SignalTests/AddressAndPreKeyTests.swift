import Cryptography
import Testing
import Transport

@testable import Signal

@Suite("Addresses, identities, prekeys and stored records")
struct AddressAndPreKeyTests {
    @Test("a device's address is its user, domain and device; hosted devices share their home's")
    func addresses() throws {
        let cases = [
            ("15551234567:3@s.whatsapp.net", "15551234567:3"), ("15551234567@s.whatsapp.net", "15551234567:0"),
            ("9876543210:12@lid", "9876543210_1:12"), ("15551234567:99@hosted", "15551234567:99"),
            ("9876543210:99@hosted.lid", "9876543210_1:99"),
        ]
        for (text, expected) in cases {
            let address = SignalAddress(try #require(JID(text)))
            #expect(address.description == expected)
            #expect(SignalAddress(expected) == address)
        }
        for bad in ["", ":", "123", "123:", ":1", "123:x", "123:-1", "123:99999999999"] {
            #expect(SignalAddress(bad) == nil)
        }
        #expect(SignalAddress(name: "a", device: 2) < SignalAddress(name: "a", device: 10))
    }

    @Test("a first identity and an equal one are trusted; a changed one by policy")
    func trust() throws {
        let (one, two) = (KeyPair.generate().publicKey, KeyPair.generate().publicKey)
        #expect(try IdentityTrust.evaluate(one, stored: nil, policy: .strict) == .firstUse)
        #expect(try IdentityTrust.evaluate(one, stored: one, policy: .strict) == .known)
        #expect(try IdentityTrust.evaluate(one, stored: two, policy: .automatic) == .changed)
        #expect(throws: SignalError.untrustedIdentity) {
            try IdentityTrust.evaluate(one, stored: two, policy: .strict)
        }
    }

    @Test("prekey ids rise, wrap to 1 and are never 0 or the sentinel")
    func preKeyIDs() {
        #expect(SignalNumbers.preKeyID(after: 0) == 1)
        #expect(SignalNumbers.preKeyID(after: 0xFF_FFFD) == 0xFF_FFFE)
        #expect(SignalNumbers.preKeyID(after: 0xFF_FFFE) == 1)
        #expect(SignalNumbers.preKeyID(after: 0xFF_FFFF) == 1)
        let keys = OneTimePreKey.generate(3, after: 0xFF_FFFD, random: SystemRandom())
        #expect(keys.map(\.id) == [0xFF_FFFE, 1, 2])
        for _ in 0..<200 {
            #expect((1...0x3FFF).contains(SignalNumbers.registrationID(random: SystemRandom())))
            #expect(SignalNumbers.senderKeyID(random: SystemRandom()) < 0x8000_0000)
        }
    }

    @Test("a signed prekey is signed over its 33-byte form")
    func signedPreKey() {
        let identity = KeyPair.generate()
        let key = SignedPreKey.generate(id: 1, identity: identity, random: SystemRandom())
        #expect(identity.publicKey.verify(signature: key.signature, of: [5] + key.keyPair.publicKey.raw))
    }

    @Test("records come back from storage as they were, and damaged ones are told from good ones")
    func coding() throws {
        var (alice, bob) = try Party.acquainted()
        for _ in 0..<3 { try bob.receive(alice.send([1], to: "bob"), from: "alice") }
        _ = try alice.send([1], to: "bob")
        try bob.receive(alice.send([1], to: "bob"), from: "alice")
        try bob.start(with: "alice", alice.bundle())
        let bytes = bob.snapshot("alice")
        let copy = try SessionRecord(parsing: bytes)
        #expect(copy.serialized() == bytes)
        #expect(copy.archived.count == 1)
        #expect(copy.current?.pending == bob.records["alice"]?.current?.pending)
        #expect(try SessionRecord(current: [1], archived: []).isEmpty)
        for damaged in [Bytes(), [0], [1], [2, 3], Bytes(bytes.dropLast()), [0x11, 0x0A, 0x05, 1, 2, 3, 4, 5]] {
            do {
                _ = try SessionRecord(parsing: damaged)
                Issue.record("accepted \(damaged.count) bytes")
            } catch let error as SignalError {
                guard case .corruptRecord = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
        var choices = Choices(seed: 4)
        for _ in 0..<2_000 {
            var mutated = bytes
            mutated[choices.below(mutated.count)] = UInt8(truncatingIfNeeded: choices.next())
            if let record = try? SessionRecord(parsing: mutated) { #expect(record.archived.count <= 40) }
        }
    }

    @Test("the reason codes of retry receipts follow the error class")
    func retryReasons() {
        #expect(SignalError.duplicateMessage(counter: 1).retryReason == nil)
        #expect(SignalError.noSession.retryReason == 1)
        #expect(SignalError.invalidKey.retryReason == 2)
        #expect(SignalError.missingPreKey(id: 1).retryReason == 3)
        #expect(SignalError.missingSignedPreKey(id: 1).retryReason == 3)
        #expect(SignalError.invalidMessage("").retryReason == 4)
        #expect(SignalError.unknownVersion(4).retryReason == 4)
        #expect(SignalError.invalidSignature.retryReason == 5)
        #expect(SignalError.tooFarAhead(counter: 1).retryReason == 6)
        #expect(SignalError.badMAC.retryReason == 7)
        #expect(SignalError.noValidSession.retryReason == 8)
        #expect(SignalError.untrustedIdentity.retryReason == 12)
        #expect(SignalError.noSenderKey.retryReason == 1)
        #expect(SignalError.noSenderKeyState(keyID: 1).retryReason == 1)
    }
}

import Cryptography
import Testing

@testable import Signal

@Suite("Sessions")
struct SessionTests {
    @Test("a pkmsg is sent until the first answer decrypts, also over a restart")
    func pendingPreKey() throws {
        var (alice, bob) = (Party("alice"), Party("bob"))
        try alice.start(with: "bob", bob.bundle())
        let first = try alice.send([1], to: "bob")
        #expect(first.type == .preKey)
        alice.records["bob"] = try SessionRecord(parsing: alice.snapshot("bob"))
        let second = try alice.send([2], to: "bob")
        #expect(second.type == .preKey)
        #expect(second.counter == 1)
        #expect(try PreKeySignalMessage(parsing: second.bytes).preKeyID == 1)
        #expect(try bob.receive(first, from: "alice").plaintext == [1])
        #expect(try bob.receive(second, from: "alice").plaintext == [2])
        try alice.receive(bob.send([3], to: "alice"), from: "bob")
        #expect(try alice.send([4], to: "bob").type == .whisper)
    }

    @Test("the one-time prekey is used up only by a message that decrypts, and not needed by the session's later ones")
    func oneTimePreKey() throws {
        var (alice, bob) = (Party("alice"), Party("bob"))
        try alice.start(with: "bob", bob.bundle())
        let first = try alice.send([1], to: "bob")
        let second = try alice.send([2], to: "bob")
        var damaged = first.bytes
        damaged[damaged.count - 12] ^= 1
        #expect(throws: SignalError.self) { try bob.receive(.preKey, damaged, from: "alice") }
        #expect(bob.oneTimePreKeys[1] != nil)
        #expect(bob.records["alice"]?.isEmpty == true)
        let result = try bob.receive(first, from: "alice")
        #expect(result.usedPreKeyID == 1)
        #expect(result.startedSession)
        #expect(result.remoteIdentity == alice.identity.publicKey)
        #expect(bob.oneTimePreKeys[1] == nil)
        let later = try bob.receive(second, from: "alice")
        #expect(later.usedPreKeyID == nil)
        #expect(!later.startedSession)
    }

    @Test("a pkmsg whose prekeys are gone is classified, and changes nothing")
    func missingPreKeys() throws {
        var (alice, bob) = (Party("alice"), Party("bob"))
        try alice.start(with: "bob", bob.bundle())
        let message = try PreKeySignalMessage(parsing: alice.send([1], to: "bob").bytes)
        var record = SessionRecord()
        func decrypt(signed: KeyPair?, oneTime: KeyPair?) throws {
            _ = try SessionCipher.decrypt(
                message, record: &record, identity: bob.identity, registrationID: 1, signedPreKey: signed,
                oneTimePreKey: oneTime, random: bob.random)
        }
        #expect(throws: SignalError.missingSignedPreKey(id: 1)) {
            try decrypt(signed: nil, oneTime: bob.oneTimePreKeys[1])
        }
        #expect(throws: SignalError.missingPreKey(id: 1)) {
            try decrypt(signed: bob.signedPreKey.keyPair, oneTime: nil)
        }
        #expect(record.isEmpty)
        bob.oneTimePreKeys = [:]
        #expect(throws: SignalError.missingPreKey(id: 1)) {
            try bob.receive(.preKey, alice.send([2], to: "bob").bytes, from: "alice")
        }
    }

    @Test("a bundle that is not signed by its identity, or names a small-order key, starts nothing")
    func badBundles() throws {
        var alice = Party("alice")
        let bob = Party("bob")
        var forged = bob.bundle()
        forged.signedPreKey = KeyPair.generate().publicKey
        #expect(throws: SignalError.invalidSignature) { try alice.start(with: "bob", forged) }
        var small = bob.bundle()
        small.oneTimePreKey = try PublicKey(raw: Bytes(repeating: 0, count: 32))
        #expect(throws: SignalError.invalidKey) { try alice.start(with: "bob", small) }
        #expect(alice.records["bob"]?.isEmpty == true)
        #expect(throws: SignalError.noSession) { try alice.send([1], to: "bob") }
    }

    @Test("any changed bit of a message fails and leaves the record as it was")
    func tampering() throws {
        var (alice, bob) = try Party.acquainted()
        let message = try alice.send(Bytes("attack at dawn".utf8), to: "bob").bytes
        let before = bob.snapshot("alice")
        for bit in 0..<message.count * 8 {
            var damaged = message
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: SignalError.self, "bit \(bit)") { try bob.receive(.whisper, damaged, from: "alice") }
            #expect(bob.snapshot("alice") == before)
        }
        #expect(try bob.receive(.whisper, message, from: "alice").plaintext == Bytes("attack at dawn".utf8))
    }

    @Test("a message of another session is refused by all states")
    func foreignMessage() throws {
        var (_, bob) = try Party.acquainted()
        var (mallory, _) = try Party.acquainted(seed: [9])
        let before = bob.snapshot("alice")
        let message = try mallory.send([1], to: "bob")
        #expect(throws: SignalError.badMAC) { try bob.receive(message, from: "alice") }
        #expect(bob.snapshot("alice") == before)
        #expect(throws: SignalError.noSession) { try bob.receive(message, from: "nobody") }
    }

    @Test("a gap of 2000 keeps every key; a jump of 25000 keeps the newest 2000; one more is refused")
    func jumps() throws {
        var (alice, bob) = try Party.acquainted()
        var sent: [SessionCiphertext] = []
        for number in 0..<2_001 { sent.append(try alice.send([UInt8(truncatingIfNeeded: number)], to: "bob")) }
        #expect(
            try bob.receive(sent[2_000], from: "alice", limits: SignalLimits(forwardJump: 2_000)).plaintext == [208])
        for number in [0, 1_999, 1_000] {
            #expect(try bob.receive(sent[number], from: "alice").plaintext == [UInt8(truncatingIfNeeded: number)])
            #expect(throws: SignalError.duplicateMessage(counter: UInt32(number))) {
                try bob.receive(sent[number], from: "alice")
            }
        }
        bob.records["alice"] = try SessionRecord(parsing: bob.snapshot("alice"))
        #expect(try bob.receive(sent[500], from: "alice").plaintext == [244])

        // Past the limit nothing is derived; at the limit only the newest keys stay.
        var (carol, dave) = try Party.acquainted(seed: [3])
        let first = try carol.send([0], to: "bob")
        for _ in 0..<24_999 { carol.skip(to: "bob") }
        let far = try carol.send([1], to: "bob")
        let before = dave.snapshot("alice")
        #expect(throws: SignalError.tooFarAhead(counter: far.counter)) {
            try dave.receive(far, from: "alice", limits: SignalLimits(forwardJump: 24_999))
        }
        #expect(dave.snapshot("alice") == before)
        #expect(try dave.receive(far, from: "alice").plaintext == [1])
        #expect(dave.records["alice"]?.current?.receivers.last?.chain.skipped.count == 2_000)
        #expect(throws: SignalError.duplicateMessage(counter: first.counter)) { try dave.receive(first, from: "alice") }
        for _ in 0..<25_001 { carol.skip(to: "bob") }
        let tooFar = try carol.send([2], to: "bob")
        #expect(throws: SignalError.tooFarAhead(counter: tooFar.counter)) { try dave.receive(tooFar, from: "alice") }
    }

    @Test("five receiving chains are kept; a message of the sixth last is lost, of the fifth last it is not")
    func receivingChains() throws {
        var (alice, bob) = try Party.acquainted()
        var late: [SessionCiphertext] = []
        for _ in 0..<6 {
            late.append(try alice.send([UInt8(late.count)], to: "bob"))
            try bob.receive(alice.send([9], to: "bob"), from: "alice")
            try alice.receive(bob.send([9], to: "alice"), from: "bob")
        }
        #expect(bob.records["alice"]?.current?.receivers.count == 5)
        #expect(throws: SignalError.self) { try bob.receive(late[0], from: "alice") }
        for number in 1..<6 { #expect(try bob.receive(late[number], from: "alice").plaintext == [UInt8(number)]) }
    }

    @Test("the previous counter tells the last message of the chain before, and 0 for an unused chain")
    func previousCounter() throws {
        var (alice, bob) = try Party.acquainted()
        // Bob has sent one message on his chain, Alice none on hers since she answered.
        try bob.receive(alice.send([1], to: "bob"), from: "alice")
        #expect(try SignalMessage(parsing: bob.send([2], to: "alice").bytes).previousCounter == 0)
        for _ in 0..<3 { _ = try bob.send([3], to: "alice") }
        try bob.receive(alice.answer(to: &bob), from: "alice")
        #expect(try SignalMessage(parsing: bob.send([4], to: "alice").bytes).previousCounter == 4)
    }

    @Test("crossing first messages converge, whoever reads first", arguments: 0..<8)
    func simultaneousInitiation(_ order: Int) throws {
        var (alice, bob) = (Party("alice"), Party("bob"))
        try alice.start(with: "bob", bob.bundle())
        try bob.start(with: "alice", alice.bundle())
        var (toBob, toAlice): ([SessionCiphertext], [SessionCiphertext]) = ([], [])
        toBob.append(try alice.send([1], to: "bob"))
        toAlice.append(try bob.send([2], to: "alice"))
        // A third crossing message: Alice starts once more before she has heard of Bob.
        if order & 4 != 0 {
            try alice.start(with: "bob", bob.bundle(oneTime: false))
            toBob.append(try alice.send([5], to: "bob"))
        }
        func bobReads() throws { for message in toBob { try bob.receive(message, from: "alice") } }
        func aliceReads() throws { for message in toAlice { try alice.receive(message, from: "bob") } }
        if order & 1 == 0 {
            try bobReads()
            try aliceReads()
        } else {
            try aliceReads()
            try bobReads()
        }
        for round in 0..<6 {
            let (a, b) = (try alice.send([10], to: "bob"), try bob.send([20], to: "alice"))
            if (round & 1 == 0) == (order & 2 == 0) {
                #expect(try bob.receive(a, from: "alice").plaintext == [10])
                #expect(try alice.receive(b, from: "bob").plaintext == [20])
            } else {
                #expect(try alice.receive(b, from: "bob").plaintext == [20])
                #expect(try bob.receive(a, from: "alice").plaintext == [10])
            }
        }
        // From then on one message suffices for both to use the same session.
        try alice.receive(bob.send([30], to: "alice"), from: "bob")
        try bob.receive(alice.send([31], to: "bob"), from: "alice")
        #expect(alice.records["bob"]?.baseKey == bob.records["alice"]?.baseKey)
        #expect(try alice.send([32], to: "bob").type == .whisper)
    }

    @Test("forty archived states are kept; a message of the fortieth decrypts and makes it current")
    func archive() throws {
        var (alice, bob) = try Party.acquainted()
        let oldest = try bob.send([1], to: "alice")
        let name = try #require(bob.records["alice"]?.baseKey)
        for number in 0..<40 { try alice.start(with: "bob", Party("other \(number)").bundle()) }
        #expect(alice.records["bob"]?.archived.count == 40)
        #expect(alice.records["bob"]?.archived.last?.baseKey == name)
        var evicted = alice
        try evicted.start(with: "bob", Party("last").bundle())
        #expect(evicted.records["bob"]?.archived.count == 40)
        #expect(throws: SignalError.badMAC) { try evicted.receive(oldest, from: "bob") }

        #expect(try alice.receive(oldest, from: "bob").plaintext == [1])
        #expect(alice.records["bob"]?.baseKey == name)
        #expect(alice.records["bob"]?.archived.count == 40)
        #expect(alice.records["bob"]?.archived.contains { $0.baseKey == name } == false)
        #expect(try bob.receive(alice.send([2], to: "bob"), from: "alice").plaintext == [2])
    }

    @Test("archived sessions are not walked far along a chain that none of them knows")
    func archivedJump() throws {
        var (alice, bob) = try Party.acquainted()
        // Bob answers on a chain that Alice has not seen, and she has put the session away meanwhile.
        try alice.receive(bob.send([1], to: "alice"), from: "bob")
        try bob.receive(alice.send([2], to: "bob"), from: "alice")
        var sent = try bob.send([0], to: "alice")
        let near = sent
        for _ in 0...SignalLimits.archivedJump { sent = try bob.send([9], to: "alice") }
        alice.records["bob"]?.archiveCurrent()
        var other = alice
        #expect(throws: SignalError.tooFarAhead(counter: sent.counter)) { try alice.receive(sent, from: "bob") }
        #expect(try other.receive(near, from: "bob").plaintext == [0])
        // Now the chain is known.
        #expect(try other.receive(sent, from: "bob").plaintext == [9])
    }

    @Test("an archived session sends nothing, and still decrypts when nothing is current")
    func archived() throws {
        var (alice, bob) = try Party.acquainted()
        let late = try bob.send([7], to: "alice")
        alice.records["bob"]?.archiveCurrent()
        #expect(alice.records["bob"]?.hasCurrent == false)
        #expect(throws: SignalError.noSession) { try alice.send([1], to: "bob") }
        #expect(try alice.receive(late, from: "bob").plaintext == [7])
        #expect(alice.records["bob"]?.hasCurrent == true)
        #expect(throws: SignalError.duplicateMessage(counter: late.counter)) { try alice.receive(late, from: "bob") }
    }

    @Test("a record that moves to a LID keeps decrypting what was encrypted before, with and without one there")
    func migration() throws {
        var (alice, bob) = try Party.acquainted()
        let late = try bob.send([7], to: "alice")
        var moved = try #require(alice.records["bob"])
        var lid = SessionRecord()
        lid.absorb(moved)
        #expect(!lid.hasCurrent)
        moved.forgetStorage()
        let image = moved.imageForStorage()
        #expect(image.archived.count == moved.archived.count)

        alice.records["lid"] = moved
        #expect(try alice.receive(late, from: "lid").plaintext == [7])

        let other = Party("bob's lid")
        try alice.start(with: "both", other.bundle())
        var both = try #require(alice.records["both"])
        let kept = both.baseKey
        both.absorb(try #require(alice.records["bob"]))
        #expect(both.baseKey == kept)
        #expect(both.archived.count == 1)
        alice.records["both"] = both
        #expect(try alice.receive(late, from: "both").plaintext == [7])
    }
}

extension Party {
    /// Advances the sending chain without making a ciphertext.
    fileprivate mutating func skip(to peer: String) {
        var engine = HMACEngine(.sha256)
        _ = try? records[peer]?.current?.sender.chain.take(&engine)
    }

    /// Reads what `peer` says next, so that the answer comes on a fresh chain.
    fileprivate mutating func answer(to peer: inout Party) throws -> SessionCiphertext {
        try receive(peer.send([0], to: name), from: peer.name)
        return try send([0], to: peer.name)
    }
}

import Cryptography
import Testing

@testable import Signal

@Suite("Sender keys")
struct SenderKeyTests {
    private let random = SeededRandom(seed: [5], label: "groups")

    private func send(_ number: UInt8, _ own: inout SenderKeyRecord) throws -> SenderKeyMessage {
        try SenderKeyMessage(parsing: GroupCipher.encrypt([number], record: &own, random: random).bytes)
    }

    private func own() -> SenderKeyRecord {
        var record = SenderKeyRecord()
        _ = GroupCipher.createDistribution(record: &record, random: random)
        return record
    }

    @Test("a distribution opens its own message and all later ones, with gaps, and none before")
    func fromTheMiddle() throws {
        var own = own()
        let early = try send(0, &own)
        let distribution = GroupCipher.createDistribution(record: &own, random: random)
        #expect(distribution.iteration == 1)
        let messages = try (1...5).map { try send(UInt8($0), &own) }
        var member = SenderKeyRecord()
        #expect(try GroupCipher.process(distribution, record: &member))
        #expect(throws: SignalError.duplicateMessage(counter: 0)) { try GroupCipher.decrypt(early, record: &member) }
        #expect(try GroupCipher.decrypt(messages[4], record: &member) == [5])
        #expect(try GroupCipher.decrypt(messages[2], record: &member) == [3])
        #expect(try GroupCipher.decrypt(messages[0], record: &member) == [1])
        #expect(throws: SignalError.duplicateMessage(counter: 3)) {
            try GroupCipher.decrypt(messages[2], record: &member)
        }
        #expect(try GroupCipher.decrypt(send(6, &own), record: &member) == [6])
    }

    @Test("a distribution that arrives late, after a newer one and its message, still opens the messages in between")
    func overtaken() throws {
        var own = own()
        let first = GroupCipher.createDistribution(record: &own, random: random)
        let zero = try send(0, &own)
        let one = try send(1, &own)
        let second = GroupCipher.createDistribution(record: &own, random: random)
        let two = try send(2, &own)
        var member = SenderKeyRecord()
        try GroupCipher.process(second, record: &member)
        #expect(try GroupCipher.decrypt(two, record: &member) == [2])
        #expect(try GroupCipher.process(first, record: &member))
        #expect(member.states.count == 1)
        #expect(try GroupCipher.decrypt(zero, record: &member) == [0])
        #expect(try GroupCipher.decrypt(one, record: &member) == [1])
        #expect(throws: SignalError.duplicateMessage(counter: 2)) { try GroupCipher.decrypt(two, record: &member) }
        #expect(throws: SignalError.duplicateMessage(counter: 0)) { try GroupCipher.decrypt(zero, record: &member) }
    }

    @Test("a distribution repeated with every message, as one peer does, loses nothing")
    func repeated() throws {
        var own = own()
        var pairs: [(SenderKeyDistributionMessage, SenderKeyMessage)] = []
        for number in 0..<6 {
            pairs.append((GroupCipher.createDistribution(record: &own, random: random), try send(UInt8(number), &own)))
        }
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3]] {
            var member = SenderKeyRecord()
            for index in order {
                try GroupCipher.process(pairs[index].0, record: &member)
                #expect(try GroupCipher.decrypt(pairs[index].1, record: &member) == [UInt8(index)])
            }
            #expect(member.states.count == 1)
        }
    }

    @Test("a known id with another signing key replaces the old state; a sixth id pushes out the first")
    func generations() throws {
        var member = SenderKeyRecord()
        var senders: [SenderKeyRecord] = []
        for id in 0..<6 {
            var record = SenderKeyRecord()
            let distribution = GroupCipher.start(
                keyID: UInt32(id), chainKey: SecretBytes(random.bytes(32)), signing: .generate(random: random),
                record: &record)
            try GroupCipher.process(distribution, record: &member)
            senders.append(record)
        }
        #expect(member.states.map(\.keyID) == [5, 4, 3, 2, 1])
        #expect(throws: SignalError.noSenderKeyState(keyID: 0)) {
            try GroupCipher.decrypt(send(1, &senders[0]), record: &member)
        }
        #expect(try GroupCipher.decrypt(send(1, &senders[1]), record: &member) == [1])

        var impostor = SenderKeyRecord()
        let other = GroupCipher.start(
            keyID: 3, chainKey: SecretBytes(random.bytes(32)), signing: .generate(random: random), record: &impostor)
        #expect(throws: SignalError.invalidSignature) { try GroupCipher.decrypt(send(1, &impostor), record: &member) }
        try GroupCipher.process(other, record: &member)
        #expect(member.states.map(\.keyID) == [3, 5, 4, 2, 1])
        #expect(try GroupCipher.decrypt(send(2, &impostor), record: &member) == [2])
        #expect(throws: SignalError.invalidSignature) { try GroupCipher.decrypt(send(1, &senders[3]), record: &member) }
    }

    @Test("rotation makes a new key that the old one's holders cannot read; the old state stays for reading")
    func rotation() throws {
        var own = own()
        var member = SenderKeyRecord()
        try GroupCipher.process(GroupCipher.createDistribution(record: &own, random: random), record: &member)
        let before = own.keyID
        let fresh = GroupCipher.rotate(record: &own, random: random)
        #expect(own.keyID == fresh.keyID)
        #expect(own.keyID != before)
        #expect(own.states.count == 2)
        let message = try send(1, &own)
        #expect(throws: SignalError.noSenderKeyState(keyID: fresh.keyID)) {
            try GroupCipher.decrypt(message, record: &member)
        }
        try GroupCipher.process(fresh, record: &member)
        #expect(try GroupCipher.decrypt(message, record: &member) == [1])
    }

    @Test("no record, no state, a wrong signature and a jump too far change nothing")
    func refusals() throws {
        var own = own()
        var member = SenderKeyRecord()
        let message = try send(1, &own)
        #expect(throws: SignalError.noSenderKey) { try GroupCipher.decrypt(message, record: &member) }
        #expect(throws: SignalError.noSenderKey) { try GroupCipher.encrypt([1], record: &member, random: random) }
        var distributor = SenderKeyRecord()
        let distribution = GroupCipher.start(
            keyID: 9, chainKey: SecretBytes(random.bytes(32)), signing: .generate(random: random), record: &distributor)
        try GroupCipher.process(distribution, record: &member)
        #expect(throws: SignalError.noSenderKey) { try GroupCipher.encrypt([1], record: &member, random: random) }
        let before = member.serialized()
        let genuine = try GroupCipher.encrypt(Bytes(repeating: 4, count: 40), record: &distributor, random: random)
            .bytes
        for bit in 0..<genuine.count * 8 {
            var damaged = genuine
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: SignalError.self) {
                try GroupCipher.decrypt(SenderKeyMessage(parsing: damaged), record: &member)
            }
        }
        for _ in 0..<11 { _ = try send(0, &distributor) }
        let far = try send(7, &distributor)
        #expect(throws: SignalError.tooFarAhead(counter: 12)) {
            try GroupCipher.decrypt(far, record: &member, limits: SignalLimits(forwardJump: 11))
        }
        #expect(member.serialized() == before)
        #expect(try GroupCipher.decrypt(far, record: &member, limits: SignalLimits(forwardJump: 12)) == [7])
    }

    @Test("an earlier distribution too far back is refused, and so is nothing else")
    func tooFarBack() throws {
        var own = own()
        let early = GroupCipher.createDistribution(record: &own, random: random)
        for _ in 0..<30 { _ = try send(0, &own) }
        var member = SenderKeyRecord()
        try GroupCipher.process(GroupCipher.createDistribution(record: &own, random: random), record: &member)
        #expect(throws: SignalError.tooFarAhead(counter: 0)) {
            try GroupCipher.process(early, record: &member, limits: SignalLimits(forwardJump: 29))
        }
        #expect(try GroupCipher.process(early, record: &member))
        #expect(try !GroupCipher.process(early, record: &member))
    }

    @Test("a jump over 2000 keeps the newest 2000 keys, also over a restart")
    func manySkipped() throws {
        var own = own()
        var member = SenderKeyRecord()
        try GroupCipher.process(GroupCipher.createDistribution(record: &own, random: random), record: &member)
        var engine = HMACEngine(.sha256)
        let first = try send(1, &own)
        for _ in 0..<2_000 { try own.states[0].withReserved { _ = try $0.take(&engine) } }
        let late = try send(2, &own)
        #expect(try GroupCipher.decrypt(late, record: &member) == [2])
        guard case .remote(let chain, _) = member.states[0].role else {
            Issue.record("not a remote state")
            return
        }
        #expect(chain.skipped.count == 2_000)
        #expect(chain.skipped.counters.first == 1)
        #expect(throws: SignalError.duplicateMessage(counter: 0)) { try GroupCipher.decrypt(first, record: &member) }
        let copy = try SenderKeyRecord(parsing: member.serialized())
        #expect(copy.serialized() == member.serialized())
    }
}

import Cryptography
import Testing
import WhatsAppProtobuf

@testable import Signal

@Suite("Signal wire formats")
struct WireFormatTests {
    private let key = KeyPair.generate().publicKey

    @Test("what is emitted has every field, ascending, minimal: the bytes of a generic encoder")
    func canonical() throws {
        let message = SignalMessage.encode(
            ratchetKey: key, counter: 0, previousCounter: 0, ciphertext: Bytes(repeating: 9, count: 16))
        #expect(
            message == [0x33, 0x0A, 33] + key.serialized + [0x10, 0, 0x18, 0, 0x22, 16] + Bytes(repeating: 9, count: 16)
        )
        let large = SignalMessage.encode(
            ratchetKey: key, counter: .max, previousCounter: 300, ciphertext: Bytes(repeating: 9, count: 16))
        #expect(
            large.suffix(28) == [0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x18, 0xAC, 0x02, 0x22, 16]
                + Bytes(repeating: 9, count: 16) || large.count == 1 + 35 + 6 + 3 + 18)
        let group = SenderKeyMessage.encode(keyID: 0, iteration: 0, ciphertext: [1])
        #expect(group == [0x33, 0x08, 0, 0x10, 0, 0x1A, 1, 1])
        let distribution = SenderKeyDistributionMessage(
            keyID: 0, iteration: 0, chainKey: SecretBytes(Bytes(repeating: 3, count: 32)), signingKey: key)
        #expect(
            distribution.serialized()
                == [0x33, 0x08, 0, 0x10, 0, 0x1A, 32] + Bytes(repeating: 3, count: 32) + [0x22, 33] + key.serialized)
        let wrapped = PreKeySignalMessage.encode(
            pending: PendingPreKey(oneTimePreKeyID: nil, signedPreKeyID: 0), baseKey: key, identityKey: key,
            registrationID: 0, message: [1])
        #expect(
            wrapped == [0x33, 0x12, 33] + key.serialized + [0x1A, 33] + key.serialized + [0x22, 1, 1, 0x28, 0, 0x30, 0])
    }

    @Test("a one-time prekey id of 0 means none")
    func zeroPreKeyID() throws {
        let inner =
            SignalMessage.encode(
                ratchetKey: key, counter: 1, previousCounter: 0, ciphertext: Bytes(repeating: 0, count: 16))
            + Bytes(repeating: 0, count: 8)
        let bytes = PreKeySignalMessage.encode(
            pending: PendingPreKey(oneTimePreKeyID: 0, signedPreKeyID: 5), baseKey: key, identityKey: key,
            registrationID: 9, message: inner)
        let parsed = try PreKeySignalMessage(parsing: bytes)
        #expect(parsed.preKeyID == nil)
        #expect(parsed.signedPreKeyID == 5)
        #expect(parsed.registrationID == 9)
    }

    @Test("only version nibble 3 is accepted, whatever the low nibble", arguments: UInt8.min...UInt8.max)
    func versions(_ byte: UInt8) throws {
        let message =
            [byte] + SignalMessage.encode(ratchetKey: key, counter: 1, previousCounter: 0, ciphertext: [1]).dropFirst()
            + Bytes(repeating: 0, count: 8)
        let expected: SignalError? =
            switch byte >> 4 {
            case 3: nil
            case 0...2: .legacyVersion(byte >> 4)
            default: .unknownVersion(byte >> 4)
            }
        if let expected {
            #expect(throws: expected) { try SignalMessage(parsing: message) }
            #expect(throws: expected) { try PreKeySignalMessage(parsing: message) }
            #expect(throws: expected) { try SenderKeyMessage(parsing: message) }
            #expect(throws: expected) { try SenderKeyDistributionMessage(parsing: message) }
        } else {
            #expect(try SignalMessage(parsing: message).counter == 1)
        }
    }

    @Test("missing fields are incomplete, wrong keys are invalid, wrong wire types are refused")
    func incomplete() throws {
        let mac = Bytes(repeating: 0, count: 8)
        func build(_ fill: (inout ProtoWriter) -> Void) -> Bytes {
            var writer = ProtoWriter()
            fill(&writer)
            return [0x33] + writer.bytes
        }
        func isInvalid(_ error: any Error) -> Bool {
            if case .invalidMessage = error as? SignalError { true } else { false }
        }
        let noKey = build { $0.bytes(4, [1]) }
        #expect(performing: { try SignalMessage(parsing: noKey + mac) }, throws: isInvalid)
        let noText = build { $0.bytes(1, key.serialized) }
        #expect(performing: { try SignalMessage(parsing: noText + mac) }, throws: isInvalid)
        let emptyText = build {
            $0.bytes(1, key.serialized)
            $0.bytes(4, [])
        }
        #expect(performing: { try SignalMessage(parsing: emptyText + mac) }, throws: isInvalid)
        let keyAsNumber = build {
            $0.varint(1, 5)
            $0.bytes(4, [1])
        }
        #expect(performing: { try SignalMessage(parsing: keyAsNumber + mac) }, throws: isInvalid)
        let wrongType = build {
            $0.bytes(1, [4] + key.raw)
            $0.bytes(4, [1])
        }
        #expect(throws: SignalError.invalidKey) { try SignalMessage(parsing: wrongType + mac) }
        #expect(performing: { try SignalMessage(parsing: [0x33] + mac) }, throws: isInvalid)
        #expect(performing: { try SignalMessage(parsing: Bytes()) }, throws: isInvalid)
        #expect(
            performing: { try SenderKeyMessage(parsing: [0x33] + Bytes(repeating: 0, count: 64)) }, throws: isInvalid)
        let shortChain = build {
            $0.bytes(3, [1, 2, 3])
            $0.bytes(4, key.serialized)
        }
        #expect(performing: { try SenderKeyDistributionMessage(parsing: shortChain) }, throws: isInvalid)
    }

    @Test("unknown fields are skipped, and of a repeated field the last one counts")
    func unknownFields() throws {
        var writer = ProtoWriter()
        writer.bytes(1, Bytes(repeating: 5, count: 33))
        writer.bytes(1, key.serialized)
        writer.fixed64(9, 1)
        writer.fixed32(10, 1)
        writer.varint(2, 3)
        writer.varint(2, 4)
        writer.bytes(4, [7])
        let message = try SignalMessage(parsing: [0x33] + writer.bytes + Bytes(repeating: 0, count: 8))
        #expect(message.ratchetKey == key)
        #expect(message.counter == 4)
        #expect(message.ciphertext == [7])
    }

    @Test("nesting 10,000 deep, oversized lengths and endless varints are refused or skipped without harm")
    func hostileShapes() throws {
        var nested = Bytes()
        for _ in 0..<10_000 {
            var writer = ProtoWriter()
            writer.bytes(4, nested.suffix(20_000))
            nested = writer.bytes
        }
        var deep = ProtoWriter()
        deep.bytes(1, key.serialized)
        deep.bytes(15, nested)
        deep.bytes(4, nested)
        let message = try SignalMessage(parsing: [0x33] + deep.bytes + Bytes(repeating: 0, count: 8))
        #expect(message.ciphertext.count == nested.count)
        let groups = [0x33] + Bytes(repeating: 0x0B, count: 10_000)
        #expect(throws: SignalError.self) { try SignalMessage(parsing: groups) }
        #expect(throws: SignalError.self) { try PreKeySignalMessage(parsing: groups) }
        let huge: Bytes =
            [0x33, 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F] + Bytes(repeating: 0, count: 80)
        #expect(throws: SignalError.self) { try SignalMessage(parsing: huge) }
        #expect(throws: SignalError.self) { try SenderKeyMessage(parsing: huge) }
        let endless = [0x33] + Bytes(repeating: 0xFF, count: 200)
        #expect(throws: SignalError.self) { try SenderKeyDistributionMessage(parsing: endless) }
        #expect(throws: SignalError.self) { try PreKeySignalMessage(parsing: endless) }
    }

    @Test("random and mutated bytes never do more than throw")
    func fuzz() throws {
        var choices = Choices(seed: 0xF022)
        var (alice, bob) = try Party.acquainted()
        var own = SenderKeyRecord()
        let distribution = GroupCipher.createDistribution(record: &own, random: alice.random).serialized()
        var eve = Party("eve")
        try eve.start(with: "bob", bob.bundle())
        let genuine = [
            try alice.send(Bytes(repeating: 1, count: 40), to: "bob").bytes,
            try eve.send(Bytes(repeating: 1, count: 40), to: "bob").bytes,
            try GroupCipher.encrypt([1, 2, 3], record: &own, random: alice.random).bytes, distribution,
        ]
        let before = bob.snapshot("alice")
        for round in 0..<8_000 {
            var bytes: Bytes
            if round % 4 == 0 {
                bytes = [0x33] + (0..<choices.below(160)).map { _ in UInt8(truncatingIfNeeded: choices.next()) }
            } else {
                bytes = genuine[choices.below(genuine.count)]
                for _ in 0...choices.below(4) {
                    switch choices.below(4) {
                    case 0 where !bytes.isEmpty:
                        bytes[choices.below(bytes.count)] = UInt8(truncatingIfNeeded: choices.next())
                    case 1 where !bytes.isEmpty: bytes.removeLast(choices.below(bytes.count))
                    case 2: bytes.insert(UInt8(truncatingIfNeeded: choices.next()), at: choices.below(bytes.count + 1))
                    default: bytes += bytes.prefix(choices.below(20))
                    }
                }
            }
            if genuine.contains(bytes) { continue }
            _ = try? SenderKeyMessage(parsing: bytes)
            _ = try? SenderKeyDistributionMessage(parsing: bytes)
            var record = bob.records["alice"] ?? SessionRecord()
            if let message = try? SignalMessage(parsing: bytes) {
                _ = try? SessionCipher.decrypt(message, record: &record, random: bob.random)
            }
            #expect(record.serialized() == before, "round \(round)")
            _ = try? PreKeySignalMessage(parsing: bytes)
            _ = try? SessionRecord(parsing: bytes)
            _ = try? SessionRecord(current: [1] + bytes, archived: [])
            _ = try? SenderKeyRecord(parsing: [0x21] + bytes.dropFirst())
        }
    }
}

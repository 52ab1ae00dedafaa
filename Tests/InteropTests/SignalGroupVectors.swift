import Cryptography
import Testing

@testable import Signal

@Suite("Sender keys against the reference's transcripts")
struct SignalGroupVectors {
    @Test("every step of signal-group.json: distributions, wire bytes, plaintexts, errors and states")
    func transcripts() throws {
        var steps = 0
        try VectorFile("signal-group").run { vector in
            var transcript = GroupTranscript()
            for step in try vector.objects("steps") {
                try transcript.replay(step)
                steps += 1
            }
        }
        print("vectors: signal-group: \(steps) steps replayed")
    }
}

/// What each party knows of the one sender's keys.
private struct GroupTranscript {
    static let limits = SignalLimits(forwardJump: 2_000)

    var records: [String: SenderKeyRecord] = [:]
    var sent: [Int: Bytes] = [:]

    mutating func replay(_ step: VectorCase) throws {
        let name = try step.string("by")
        var record = records[name] ?? SenderKeyRecord()
        switch try step.string("op") {
        case "create": try create(step, &record)
        case "process":
            try GroupCipher.process(SenderKeyDistributionMessage(parsing: step.hex("skdm")), record: &record)
        case "encrypt": try encrypt(step, &record)
        case "decrypt": try decrypt(step, &record)
        case "forget": record = SenderKeyRecord()
        case let operation: throw step.unknown(operation)
        }
        records[name] = record
    }

    private func create(_ step: VectorCase, _ record: inout SenderKeyRecord) throws {
        if step.has("random_draws") {
            // Draws: signing key, key id (4 bytes, all 32 bits used by the reference), chain key.
            let draws = try step.hexes("random_draws")
            let signing = KeyPair.generate(random: ScriptedRandom([draws[0]]))
            #expect(try signing.privateKey.secret.bytes == step.object("signing_key").hex("private"))
            #expect(record.isEmpty)
            _ = GroupCipher.start(
                keyID: UInt32(try step.int("key_id")), chainKey: SecretBytes(draws[2]), signing: signing,
                record: &record)
        }
        let distribution = GroupCipher.createDistribution(record: &record, random: ScriptedRandom([]))
        #expect(try distribution.serialized() == step.hex("skdm"))
        #expect(try Int(distribution.keyID) == step.int("key_id"))
        #expect(try Int(distribution.iteration) == step.int("iteration"))
        #expect(try distribution.chainKey.bytes == step.hex("chain_key"))
        #expect(try distribution.signingKey.serialized == step.hex("signing_public"))
        #expect(try SenderKeyDistributionMessage(parsing: distribution.serialized()) == distribution)
        try compare(record, step)
    }

    private mutating func encrypt(_ step: VectorCase, _ record: inout SenderKeyRecord) throws {
        let iteration = try step.int("iteration")
        // Messages that the transcript leaves out were encrypted all the same.
        while let next = record.states.first?.reserved?.live.index, next < iteration {
            _ = try GroupCipher.encrypt([0], record: &record, random: SystemRandom())
        }
        let random = ScriptedRandom([try step.hex("signature_random64")])
        let ciphertext = try GroupCipher.encrypt(step.hex("plaintext"), record: &record, random: random)
        #expect(random.isEmpty)
        #expect(try ciphertext.bytes == step.hex("wire"), "\(step.path)")
        #expect(Int(ciphertext.iteration) == iteration)
        #expect(try Int(ciphertext.keyID) == step.int("key_id"))
        try compare(record, step)
        sent[try step.int("message")] = ciphertext.bytes
    }

    private func decrypt(_ step: VectorCase, _ record: inout SenderKeyRecord) throws {
        guard let wire = try step.has("wire") ? step.hex("wire") : sent[step.int("message")] else {
            throw step.unknown("message")
        }
        let before = record.serialized()
        do {
            let plaintext = try GroupCipher.decrypt(
                SenderKeyMessage(parsing: wire), record: &record, limits: Self.limits)
            #expect(!step.has("error"), "\(step.path) decrypts although the reference refuses it")
            #expect(try plaintext == step.hex("plaintext"))
        } catch let error as SignalError {
            guard let text = try step.optionalString("error") else { throw error }
            let matches =
                switch error {
                case .duplicateMessage: text.hasPrefix("received message with old counter")
                case .noSenderKey: text.hasPrefix("no sender key for")
                case .invalidSignature: text == "sender key state failed verification with given public key"
                case .unknownVersion(let version): text == "unknown message version \(version) (sender key message)"
                case .tooFarAhead: text.contains("messages into the future")
                default: false
                }
            guard matches else { throw step.unknown("\(error) for: \(text)") }
            #expect(record.serialized() == before, "a refused message changed the record")
            if case .tooFarAhead = error {
                // Ours accepts jumps that the reference refuses.
                _ = try GroupCipher.decrypt(SenderKeyMessage(parsing: wire), record: &record)
            }
        }
    }

    private func compare(_ record: SenderKeyRecord, _ step: VectorCase) throws {
        let expected = try step.objects("state_after")
        #expect(record.states.count == expected.count)
        for (ours, theirs) in zip(record.states, expected) {
            guard case .own(let chain, let signing) = ours.role else { throw step.unknown("state of another") }
            #expect(try Int(ours.keyID) == theirs.int("key_id"))
            #expect(try Int(chain.live.index) == theirs.int("iteration"))
            #expect(try chain.live.key.bytes == theirs.hex("chain_key"))
            #expect(try ours.signingKey.serialized == theirs.hex("signing_public"))
            #expect(try signing.secret.bytes == theirs.hex("signing_private"))
            #expect(try theirs.int("stored_message_keys") == 0)
        }
    }
}

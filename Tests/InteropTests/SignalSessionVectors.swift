import Cryptography
import Synchronization
import Testing

@testable import Signal

@Suite("X3DH and double ratchet against the reference's transcripts")
struct SignalSessionVectors {
    @Test("every step of signal-session.json: wire bytes, plaintexts, errors and states")
    func transcripts() throws {
        var steps = 0
        try VectorFile("signal-session").run { vector in
            var transcript = try SessionTranscript(vector)
            for step in try vector.objects("steps") {
                try transcript.replay(step)
                steps += 1
            }
        }
        print("vectors: signal-session: \(steps) steps replayed")
    }
}

/// Random bytes that a transcript prescribes; drawing more than it lists is an error of ours.
final class ScriptedRandom: RandomSource {
    private let pieces: Mutex<[Bytes]>

    init(_ pieces: [Bytes]) { self.pieces = Mutex(pieces) }

    func bytes(_ count: Int) -> Bytes {
        pieces.withLock { pieces in
            guard let first = pieces.first, first.count == count else {
                Issue.record("drew \(count) random bytes that the transcript does not list")
                return Bytes(repeating: 1, count: count)
            }
            return pieces.removeFirst()
        }
    }

    var isEmpty: Bool { pieces.withLock { $0.isEmpty } }
}

/// The parties of one transcript and what they have sent so far.
private struct SessionTranscript {
    struct Party {
        let identity: KeyPair
        let registrationID: UInt32
        let signedPreKey: SignedPreKey
        var preKeys: [UInt32: KeyPair]
        /// By the name of the other side.
        var records: [String: SessionRecord] = [:]
    }

    /// The reference's own limit, under which its last case was made.
    static let limits = SignalLimits(forwardJump: 2_000)

    var parties: [String: Party] = [:]
    var sent: [Int: (type: String, wire: Bytes)] = [:]

    init(_ vector: VectorCase) throws {
        for party in try vector.objects("parties") {
            let signed = try party.object("signed_prekey")
            var preKeys: [UInt32: KeyPair] = [:]
            for key in try party.objects("prekeys") { preKeys[UInt32(try key.int("id"))] = try Self.pair(key) }
            parties[try party.string("name")] = Party(
                identity: try Self.pair(party.object("identity")),
                registrationID: UInt32(try party.int("registration_id")),
                signedPreKey: SignedPreKey(
                    id: UInt32(try signed.int("id")), keyPair: try Self.pair(signed),
                    signature: try signed.hex("signature")),
                preKeys: preKeys)
        }
    }

    static func pair(_ key: VectorCase) throws -> KeyPair {
        let pair = try KeyPair(privateKey: PrivateKey(raw: key.hex("private")))
        #expect(try pair.publicKey.raw == key.hex("public"))
        return pair
    }

    mutating func replay(_ step: VectorCase) throws {
        switch try step.string("op") {
        case "process_bundle": try processBundle(step)
        case "encrypt": try encrypt(step)
        case "decrypt": try decrypt(step)
        case "note": break
        case let operation: throw step.unknown(operation)
        }
    }

    private func party(_ step: VectorCase) throws -> (String, Party) {
        let name = try step.string("by")
        guard let party = parties[name] else { throw step.unknown("party \(name)") }
        return (name, party)
    }

    private mutating func processBundle(_ step: VectorCase) throws {
        var (name, party) = try party(step)
        let bundle = try step.object("bundle")
        let other = try bundle.string("of")
        let preKeys = PreKeyBundle(
            registrationID: UInt32(try bundle.int("registration_id")), deviceID: 0,
            identityKey: try PublicKey(raw: bundle.hex("identity_key")),
            signedPreKeyID: UInt32(try bundle.int("signed_prekey_id")),
            signedPreKey: try PublicKey(raw: bundle.hex("signed_prekey")),
            signedPreKeySignature: try bundle.hex("signed_prekey_signature"),
            oneTimePreKeyID: try bundle.optionalInt("prekey_id").map { UInt32($0) },
            oneTimePreKey: try bundle.optionalHex("prekey").map { try PublicKey(raw: $0) })
        var record = party.records[other] ?? SessionRecord()
        let before = record.serialized()
        guard !step.has("error") else {
            #expect(try step.string("error") == "invalid signature on device key")
            #expect(throws: SignalError.invalidSignature) {
                try SessionBuilder.process(
                    bundle: preKeys, record: &record, identity: party.identity,
                    registrationID: party.registrationID, random: SystemRandom())
            }
            #expect(record.serialized() == before)
            return
        }
        let random = ScriptedRandom([
            try step.object("base_key").hex("private"), try step.object("ratchet_key").hex("private"),
        ])
        try SessionBuilder.process(
            bundle: preKeys, record: &record, identity: party.identity, registrationID: party.registrationID,
            random: random)
        #expect(random.isEmpty)
        try Self.compare(&record, step)
        party.records[other] = record
        parties[name] = party
    }

    private mutating func encrypt(_ step: VectorCase) throws {
        var (name, party) = try party(step)
        let other = try step.string("to")
        var record = party.records[other] ?? SessionRecord()
        let wire = try step.hex("wire")
        let counter = try Self.counter(of: wire, type: step.string("type"))
        // Messages that the transcript leaves out ("never delivered") were encrypted all the same.
        while let next = record.current?.sender.chain.live.index, next < counter {
            _ = try SessionCipher.encrypt([0], record: &record)
        }
        let ciphertext = try SessionCipher.encrypt(step.hex("plaintext"), record: &record)
        #expect(try ciphertext.type.encType == step.string("type"))
        #expect(ciphertext.bytes == wire, "\(step.path)")
        try Self.compare(&record, step)
        sent[try step.int("message")] = (ciphertext.type.encType, wire)
        party.records[other] = record
        parties[name] = party
    }

    private static func counter(of wire: Bytes, type: String) throws -> UInt32 {
        type == "pkmsg"
            ? try PreKeySignalMessage(parsing: wire).message.counter : try SignalMessage(parsing: wire).counter
    }

    private mutating func decrypt(_ step: VectorCase) throws {
        var (name, party) = try party(step)
        let other = try step.string("from")
        let message: (type: String, wire: Bytes)
        if step.has("wire") {
            message = (try step.string("type"), try step.hex("wire"))
        } else {
            guard let earlier = sent[try step.int("message")] else { throw step.unknown("message") }
            message = earlier
        }
        var record = party.records[other] ?? SessionRecord()
        let before = record.serialized()
        let random = ScriptedRandom(try step.optionalObject("new_ratchet_key").map { [try $0.hex("private")] } ?? [])
        do {
            let result = try Self.decrypt(message, &record, party, random, Self.limits)
            #expect(!step.has("error"), "\(step.path) decrypts although the reference refuses it")
            #expect(try result.plaintext == step.hex("plaintext"))
            #expect(random.isEmpty)
            if let used = result.usedPreKeyID { party.preKeys[used] = nil }
            try Self.compare(&record, step)
            party.records[other] = record
            parties[name] = party
        } catch let error as SignalError {
            guard let expected = try step.optionalString("error") else { throw error }
            try Self.expect(error, for: expected, step)
            #expect(record.serialized() == before, "a refused message changed the record")
            if case .tooFarAhead = error {
                // Ours accepts jumps that the reference refuses.
                _ = try Self.decrypt(message, &record, party, SystemRandom(), SignalLimits())
            }
        }
    }

    private static func decrypt(
        _ message: (type: String, wire: Bytes), _ record: inout SessionRecord, _ party: Party,
        _ random: some RandomSource, _ limits: SignalLimits
    ) throws -> SessionCipher.DecryptResult {
        guard message.type == "pkmsg" else {
            return try SessionCipher.decrypt(
                SignalMessage(parsing: message.wire), record: &record, random: random, limits: limits)
        }
        let parsed = try PreKeySignalMessage(parsing: message.wire)
        return try SessionCipher.decrypt(
            parsed, record: &record, identity: party.identity, registrationID: party.registrationID,
            signedPreKey: parsed.signedPreKeyID == party.signedPreKey.id ? party.signedPreKey.keyPair : nil,
            oneTimePreKey: parsed.preKeyID.flatMap { party.preKeys[$0] }, random: random, limits: limits)
    }

    private static func expect(_ error: SignalError, for text: String, _ step: VectorCase) throws {
        let matches =
            switch error {
            case .duplicateMessage: text.contains("received message with old counter")
            case .missingSignedPreKey(let id): text == "no signed prekey found in bundle with ID \(id)"
            case .missingPreKey(let id): text == "prekey store didn't return one-time key with ID \(id)"
            case .unknownVersion(let version): text == "unknown message version \(version) (prekey message)"
            case .badMAC: text.contains("mismatching MAC")
            case .tooFarAhead: text.contains("messages into the future")
            default: false
            }
        guard matches else { throw step.unknown("\(error) for: \(text)") }
    }

    /// A chain that was archived and came back goes on past its reserved block, so it may be ahead of the reference's by
    /// less than a block; then it must be the same chain.
    private static func compareSender(_ chain: ReservedChain, _ expected: VectorCase) throws {
        let index = UInt32(try expected.int("sender_chain_index"))
        #expect(chain.used == index, "\(expected.path)")
        let ahead = chain.live.index - index
        #expect(ahead < 64, "\(expected.path)")
        var engine = HMACEngine(.sha256)
        let position = ChainKey(key: SecretBytes(try expected.hex("sender_chain_key")), index: index)
        #expect(position.advanced(by: ahead, &engine) == chain.live, "\(expected.path)")
    }

    /// Compares the record with the reference's after a step.
    private static func compare(_ record: inout SessionRecord, _ step: VectorCase) throws {
        let expected = try step.object("state_after")
        // The reference counts 0 − 1 as 4294967295 where a chain was never used; ours says 0. Follow the transcript.
        if try expected.int("previous_counter") == Int(UInt32.max), record.current?.previousCounter == 0 {
            record.current?.previousCounter = .max
        }
        let state = try #require(record.current)
        #expect(try record.archived.count == expected.int("archived_sessions"), "\(step.path)")
        #expect(try (state.pending != nil) == expected.bool("pending_prekey_message"), "\(step.path)")
        #expect(try Int(state.previousCounter) == expected.int("previous_counter"), "\(step.path)")
        #expect(try Int(state.remoteRegistrationID) == expected.int("remote_registration_id"), "\(step.path)")
        #expect(try state.rootKey.bytes == expected.hex("root_key"), "\(step.path)")
        #expect(try state.baseKey.serialized == expected.hex("sender_base_key"), "\(step.path)")
        try compareSender(state.sender.chain, expected)
        #expect(try state.sender.ratchetKey.publicKey.serialized == expected.hex("sender_ratchet_public"))
        #expect(try state.sender.ratchetKey.privateKey.secret.bytes == expected.hex("sender_ratchet_private"))
        let receivers = try expected.objects("receiver_chains")
        #expect(state.receivers.count == receivers.count, "\(step.path)")
        for (ours, theirs) in zip(state.receivers, receivers) {
            #expect(try ours.ratchetKey.serialized == theirs.hex("ratchet_public"), "\(theirs.path)")
            #expect(try Int(ours.chain.position.index) == theirs.int("chain_index"), "\(theirs.path)")
            #expect(try ours.chain.position.key.bytes == theirs.hex("chain_key"), "\(theirs.path)")
            #expect(try ours.chain.skipped.count == theirs.int("stored_message_keys"), "\(theirs.path)")
        }
    }
}

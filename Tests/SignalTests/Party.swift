import Cryptography
import Synchronization

@testable import Signal

/// A device in memory with its keys and one session record per peer name.
struct Party {
    let name: String
    let identity: KeyPair
    let registrationID: UInt32
    let signedPreKey: SignedPreKey
    var oneTimePreKeys: [UInt32: KeyPair]
    var records: [String: SessionRecord] = [:]
    let random: SeededRandom

    init(_ name: String, seed: Bytes = [7]) {
        self.name = name
        random = SeededRandom(seed: seed, label: "party \(name)")
        identity = KeyPair.generate(random: random)
        registrationID = SignalNumbers.registrationID(random: random)
        signedPreKey = SignedPreKey.generate(id: 1, identity: identity, random: random)
        oneTimePreKeys = [:]
        for key in OneTimePreKey.generate(20, after: 0, random: random) { oneTimePreKeys[key.id] = key.keyPair }
    }

    /// A bundle with the lowest one-time prekey that is left, or with none.
    func bundle(oneTime: Bool = true) -> PreKeyBundle {
        let key = oneTime ? oneTimePreKeys.min { $0.key < $1.key } : nil
        return PreKeyBundle(
            registrationID: registrationID, deviceID: 0, identityKey: identity.publicKey,
            signedPreKeyID: signedPreKey.id, signedPreKey: signedPreKey.keyPair.publicKey,
            signedPreKeySignature: signedPreKey.signature, oneTimePreKeyID: key?.key,
            oneTimePreKey: key?.value.publicKey)
    }

    mutating func start(with peer: String, _ bundle: PreKeyBundle) throws {
        try SessionBuilder.process(
            bundle: bundle, record: &records[peer, default: SessionRecord()], identity: identity,
            registrationID: registrationID, random: random)
    }

    mutating func send(_ text: Bytes, to peer: String) throws -> SessionCiphertext {
        try SessionCipher.encrypt(text, record: &records[peer, default: SessionRecord()])
    }

    @discardableResult
    mutating func receive(
        _ ciphertext: SessionCiphertext, from peer: String, limits: SignalLimits = SignalLimits()
    ) throws -> SessionCipher.DecryptResult {
        try receive(ciphertext.type, ciphertext.bytes, from: peer, limits: limits)
    }

    @discardableResult
    mutating func receive(
        _ type: CiphertextType, _ bytes: Bytes, from peer: String, limits: SignalLimits = SignalLimits()
    ) throws -> SessionCipher.DecryptResult {
        let result: SessionCipher.DecryptResult
        switch type {
        case .whisper:
            result = try SessionCipher.decrypt(
                SignalMessage(parsing: bytes), record: &records[peer, default: SessionRecord()], random: random,
                limits: limits)
        case .preKey:
            let message = try PreKeySignalMessage(parsing: bytes)
            result = try SessionCipher.decrypt(
                message, record: &records[peer, default: SessionRecord()], identity: identity,
                registrationID: registrationID,
                signedPreKey: message.signedPreKeyID == signedPreKey.id ? signedPreKey.keyPair : nil,
                oneTimePreKey: message.preKeyID.flatMap { oneTimePreKeys[$0] }, random: random, limits: limits)
        }
        if let used = result.usedPreKeyID { oneTimePreKeys[used] = nil }
        return result
    }

    /// The record as bytes, for comparison before and after.
    func snapshot(_ peer: String) -> Bytes { records[peer, default: SessionRecord()].serialized() }

    mutating func image(of peer: String) -> SessionRecordImage {
        records[peer, default: SessionRecord()].imageForStorage()
    }

    mutating func cleanImage(of peer: String) -> SessionRecordImage {
        records[peer, default: SessionRecord()].cleanImage()
    }

    /// Alice and Bob after a message in each direction.
    static func acquainted(seed: Bytes = [7]) throws -> (alice: Party, bob: Party) {
        var (alice, bob) = (Party("alice", seed: seed), Party("bob", seed: seed))
        try alice.start(with: "bob", bob.bundle())
        try bob.receive(alice.send([1], to: "bob"), from: "alice")
        try alice.receive(bob.send([2], to: "alice"), from: "bob")
        return (alice, bob)
    }
}

/// A small generator for choices in simulations (SplitMix64): same seed, same run.
struct Choices: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

/// Gives out prescribed bytes, then system randomness.
final class Prescribed: RandomSource {
    private let pieces: Mutex<[Bytes]>

    init(_ pieces: [Bytes]) { self.pieces = Mutex(pieces) }

    func bytes(_ count: Int) -> Bytes {
        pieces.withLock { $0.isEmpty ? nil : $0.removeFirst() } ?? SystemRandom().bytes(count)
    }
}

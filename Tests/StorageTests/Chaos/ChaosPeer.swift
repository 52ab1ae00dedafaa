import Cryptography
import Messaging
import Transport

@testable import Signal

/// Another device with its real receiving code: sessions, sender keys, and what it read.
struct ChaosPeer {
    let jid: JID
    let address: SignalAddress
    let identity: KeyPair
    let random: SeededRandom
    private let signedPreKey: SignedPreKey
    private var preKeys: [OneTimePreKey]
    private var used: Set<UInt32> = []
    private var record = SessionRecord()
    private var groups: [String: SenderKeyRecord] = [:]
    /// Base keys of every session that a message of the device started here, also of those that were lost.
    private var met: Set<PublicKey> = []
    private var reborn: Set<PublicKey> = []
    /// Ids of messages it has read, in order.
    private(set) var read: Set<String> = []

    /// What became of a ciphertext.
    enum Outcome: Equatable { case read, unreadable }

    init(_ number: Int, seed: [UInt8]) {
        jid = .lid("90\(number)", device: 1)
        address = SignalAddress(jid)
        random = SeededRandom(seed: seed, label: "peer \(number)")
        identity = KeyPair.generate(random: random)
        signedPreKey = SignedPreKey.generate(id: 1, identity: identity, random: random)
        preKeys = OneTimePreKey.generate(4, after: 0, random: random)
    }

    /// A bundle with the next one-time key, if any is left.
    mutating func bundle() -> PreKeyBundle {
        let key = preKeys.first { used.insert($0.id).inserted }
        return PreKeyBundle(
            registrationID: 77, deviceID: 0, identityKey: identity.publicKey, signedPreKeyID: signedPreKey.id,
            signedPreKey: signedPreKey.keyPair.publicKey, signedPreKeySignature: signedPreKey.signature,
            oneTimePreKeyID: key?.id, oneTimePreKey: key?.keyPair.publicKey)
    }

    /// Forgets all sessions and group keys, as a device restored from nothing but its identity.
    mutating func loseState() {
        record = SessionRecord()
        groups = [:]
    }

    var hasSession: Bool { record.hasCurrent }

    /// Whether it writes in a session that it had lost and began anew from an old message, while the device went on: the
    /// device cannot read that, and has to ask.
    var isReborn: Bool { record.baseKey.map(reborn.contains) ?? false }

    mutating func start(_ bundle: PreKeyBundle) throws {
        try SessionBuilder.process(
            bundle: bundle, record: &record, identity: identity, registrationID: 77, random: random)
    }

    mutating func encrypt(_ text: [UInt8]) throws -> SessionCiphertext {
        try SessionCipher.encrypt(text, record: &record)
    }

    /// Reads a pairwise copy; its text may hold a group key in front: `group ‖ 0 ‖ distribution`.
    mutating func receive(_ copy: ChaosFrame.Copy, of frame: ChaosFrame) throws -> Outcome {
        let plaintext: [UInt8]
        do {
            switch copy.type {
            case .whisper:
                plaintext = try SessionCipher.decrypt(
                    SignalMessage(parsing: copy.bytes), record: &record, random: random
                ).plaintext
            case .preKey:
                let message = try PreKeySignalMessage(parsing: copy.bytes)
                let result = try SessionCipher.decrypt(
                    message, record: &record, identity: identity, registrationID: 77,
                    signedPreKey: signedPreKey.keyPair,
                    oneTimePreKey: message.preKeyID.flatMap { id in preKeys.first { $0.id == id }?.keyPair },
                    random: random)
                if result.startedSession, !met.insert(message.baseKey).inserted { reborn.insert(message.baseKey) }
                if let id = result.usedPreKeyID { preKeys.removeAll { $0.id == id } }
                plaintext = result.plaintext
            }
        } catch let error as SignalError {
            if case .duplicateMessage = error { return .read }
            return .unreadable
        }
        if let group = frame.group, let split = plaintext.firstIndex(of: 0) {
            let distribution = try SenderKeyDistributionMessage(parsing: Array(plaintext[(split + 1)...]))
            try GroupCipher.process(distribution, record: &groups[group, default: SenderKeyRecord()])
            if frame.groupText == nil { read.insert(frame.id) }
        } else {
            read.insert(frame.id)
        }
        return .read
    }

    /// Reads a group message.
    mutating func receiveGroup(_ bytes: [UInt8], of frame: ChaosFrame) throws -> Outcome {
        guard let group = frame.group else { return .unreadable }
        do {
            _ = try GroupCipher.decrypt(
                SenderKeyMessage(parsing: bytes), record: &groups[group, default: SenderKeyRecord()])
        } catch let error as SignalError {
            if case .duplicateMessage = error { return .read }
            return .unreadable
        }
        read.insert(frame.id)
        return .read
    }
}

/// What leaves the device: one message, as copies for devices and maybe a group ciphertext.
struct ChaosFrame: Sendable {
    struct Copy: Sendable {
        let peer: Int
        let type: CiphertextType
        let bytes: [UInt8]
    }

    let id: String
    var group: String?
    var copies: [Copy]
    var groupText: [UInt8]?
    /// Devices that hold the group key once this is acknowledged.
    var marks: [SenderKeyMark] = []
    /// Commits it depends on, whatever the gate was told.
    let cover: CommitTicket
    /// Who was no member of the group when it was encrypted.
    var excluded: [Int] = []
    /// How often the session had forgotten what it held when this was made.
    var generation: UInt64 = 0
    /// Set for an acknowledgement of a received message: its event must be stored.
    var acknowledges: String?
    /// Set for a resend: the retry receipt that it answers.
    var answers: String?
}

/// A peer's retry receipt.
struct ChaosRetry: Sendable {
    let frame: ChaosFrame
    let peer: Int
    /// Not handed to the device yet.
    var isFresh = true
}

import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Another person's device (or another of one's own): real Signal state, no connection. What it encrypts and decrypts goes
/// through the test's hands.
final class FakeDevice {
    let jid: JID
    let identity = KeyPair.generate()
    let registrationID: UInt32 = 4242
    let signedPreKey: SignedPreKey
    var preKeys: [UInt32: OneTimePreKey]
    /// Sessions by the address of the other side.
    var records: [SignalAddress: SessionRecord] = [:]
    var senderKeys: [String: SenderKeyRecord] = [:]
    var ownSenderKeys: [String: SenderKeyRecord] = [:]
    var handsOutPreKeys = true

    init(_ jid: JID) {
        self.jid = jid
        signedPreKey = SignedPreKey.generate(id: 7, identity: identity, random: SystemRandom())
        let keys = OneTimePreKey.generate(20, after: 100, random: SystemRandom())
        preKeys = Dictionary(uniqueKeysWithValues: keys.map { ($0.id, $0) })
    }

    /// `<user>` of a bundle answer; each hands out another one-time key.
    func bundleNode(as jid: JID? = nil) -> Stanza {
        var children = [
            Stanza("registration", bytes: bigEndian(registrationID, 4)), Stanza("type", bytes: [5]),
            Stanza("identity", bytes: identity.publicKey.raw),
            PreKeyStanzas.signedKey(
                id: signedPreKey.id, signedPreKey.keyPair.publicKey, signature: signedPreKey.signature),
        ]
        if handsOutPreKeys, let id = handedOut() {
            children.append(PreKeyStanzas.key(id: id, preKeys[id]!.keyPair.publicKey))
        }
        return Stanza("user", ["jid": .jid(jid ?? self.jid)], children: children)
    }

    private var nextHandout: UInt32 = 101
    private func handedOut() -> UInt32? {
        defer { nextHandout += 1 }
        return preKeys[nextHandout] == nil ? nil : nextHandout
    }

    /// Decrypts an `<enc>` from `sender` and unpads it.
    func decrypt(_ enc: Stanza, from sender: JID) throws -> ProtoMessage {
        let address = SignalAddress(sender)
        var record = records[address] ?? SessionRecord()
        let bytes = try #require(enc.bytesContent)
        let result: SessionCipher.DecryptResult
        if enc.type == "pkmsg" {
            let message = try PreKeySignalMessage(parsing: bytes)
            result = try SessionCipher.decrypt(
                message, record: &record, identity: identity, registrationID: registrationID,
                signedPreKey: message.signedPreKeyID == signedPreKey.id ? signedPreKey.keyPair : nil,
                oneTimePreKey: message.preKeyID.flatMap { preKeys[$0]?.keyPair }, random: SystemRandom())
            if let used = result.usedPreKeyID { preKeys[used] = nil }
        } else {
            result = try SessionCipher.decrypt(
                try SignalMessage(parsing: bytes), record: &record, random: SystemRandom())
        }
        records[address] = record
        return try ProtoMessage(.message, parsing: MessagePadding.unpad(result.plaintext, version: 2))
    }

    /// Decrypts an `skmsg` of `sender` in a group.
    func decryptGroup(_ enc: Stanza, group: JID, from sender: JID) throws -> ProtoMessage {
        let key = "\(group) \(SignalAddress(sender))"
        var record = senderKeys[key] ?? SenderKeyRecord()
        let message = try SenderKeyMessage(parsing: try #require(enc.bytesContent))
        let padded = try GroupCipher.decrypt(message, record: &record)
        senderKeys[key] = record
        return try ProtoMessage(.message, parsing: MessagePadding.unpad(padded, version: 2))
    }

    func learnSenderKey(_ message: ProtoMessage, group: JID, from sender: JID) throws {
        let body = try #require(message[message: "senderKeyDistributionMessage"])
        let bytes = try #require(body[bytes: "axolotlSenderKeyDistributionMessage"])
        var record = senderKeys["\(group) \(SignalAddress(sender))"] ?? SenderKeyRecord()
        try GroupCipher.process(try SenderKeyDistributionMessage(parsing: bytes), record: &record)
        senderKeys["\(group) \(SignalAddress(sender))"] = record
    }

    /// Starts a session with a device from its bundle.
    func start(with jid: JID, bundle: PreKeyBundle) throws {
        var record = records[SignalAddress(jid)] ?? SessionRecord()
        try SessionBuilder.process(
            bundle: bundle, record: &record, identity: identity, registrationID: registrationID, random: SystemRandom())
        records[SignalAddress(jid)] = record
    }

    /// An `<enc>` for a device.
    func encrypt(_ message: ProtoMessage, to jid: JID) throws -> Stanza {
        var record = try #require(records[SignalAddress(jid)])
        let ciphertext = try SessionCipher.encrypt(
            MessagePadding.pad(message.serialized(), random: 3), record: &record)
        records[SignalAddress(jid)] = record
        return Stanza("enc", ["v": "2", "type": .text(ciphertext.type.encType)], bytes: ciphertext.bytes)
    }

    /// The own group key's distribution and an `skmsg`.
    func encryptGroup(_ message: ProtoMessage, group: JID) throws -> (distribution: ProtoMessage, enc: Stanza) {
        var record = ownSenderKeys[group.description] ?? SenderKeyRecord()
        let distribution = GroupCipher.createDistribution(record: &record, random: SystemRandom())
        let padded = MessagePadding.pad(message.serialized(), random: 5)
        let ciphertext = try GroupCipher.encrypt(padded, record: &record, random: SystemRandom())
        ownSenderKeys[group.description] = record
        return (
            MessagePlaintext.senderKeyDistribution(distribution.serialized(), group: group),
            Stanza("enc", ["v": "2", "type": "skmsg"], bytes: ciphertext.bytes)
        )
    }
}

/// `Message{conversation}`.
func conversation(_ text: String) -> ProtoMessage { ProtoMessage(.message) { $0[string: "conversation"] = text } }

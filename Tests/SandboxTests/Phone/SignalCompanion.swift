import Cryptography
import Foundation
import Sandbox
import Signal
import Transport

/// A scripted companion that speaks Signal: the other end of what phones send.
final class SignalCompanion: @unchecked Sendable {
    // Safe: a test uses one companion from one task.
    let keys = Companion()
    private var sessions: [SignalAddress: SessionRecord] = [:]
    private var senderKeys: [String: SenderKeyRecord] = [:]

    private var identity: KeyPair { keys.identity }

    /// Opens the first `<enc>` of a message and takes its padding off.
    func open(_ message: Stanza) throws -> Bytes {
        guard let enc = message.child("enc"), let from = message.jid("participant") ?? message.from else {
            throw TestFailure("no enc: \(message)")
        }
        return try open(enc, from: SignalAddress(lid(of: message, from)))
    }

    /// Sessions are kept under LIDs; peer messages come from the own PN.
    private func lid(of message: Stanza, _ from: JID) -> JID {
        if from.isLID { return from }
        if from.user == keys.jid?.user, let own = keys.lid { return own.bare.device(from.device) }
        return (message.jid("sender_lid") ?? message.jid("participant_lid") ?? from).device(from.device)
    }

    func open(_ enc: Stanza, from address: SignalAddress) throws -> Bytes {
        let ciphertext = enc.bytesContent ?? []
        var record = sessions[address] ?? SessionRecord()
        let padded: Bytes
        if enc.type == "pkmsg" {
            let message = try PreKeySignalMessage(parsing: ciphertext)
            let preKey = message.preKeyID.map { keys.oneTimePreKeys[Int($0) - 1] }
            padded = try SessionCipher.decrypt(
                message, record: &record, identity: identity, registrationID: keys.registrationID,
                signedPreKey: keys.signedPreKey, oneTimePreKey: preKey, random: SystemRandom()
            ).plaintext
        } else {
            padded = try SessionCipher.decrypt(
                SignalMessage(parsing: ciphertext), record: &record, random: SystemRandom()
            ).plaintext
        }
        sessions[address] = record
        guard let plaintext = MessagePadding.unpad(padded) else { throw TestFailure("padding") }
        return plaintext
    }

    /// `<to jid><enc/></to>` of a plaintext for one device; builds a session by asking the server when there is none.
    func seal(_ plaintext: Bytes, for device: JID, on client: ScriptedClient) async throws -> Stanza {
        let address = SignalAddress(device)
        if sessions[address]?.hasCurrent != true {
            let answer = try await client.query(
                "get", "encrypt", Stanza("key", children: [Stanza("user", ["jid": .jid(device)])]))
            guard let user = answer.child("list", "user") else { throw TestFailure("no bundle: \(answer)") }
            try start(address, with: user, registration: user.child("registration"))
        }
        var record = sessions[address] ?? SessionRecord()
        let sealed = try SessionCipher.encrypt(MessagePadding.pad(plaintext, random: 5), record: &record)
        sessions[address] = record
        return Stanza(
            "to", ["jid": .jid(device)],
            children: [Stanza("enc", ["v": "2", "type": .text(sealed.type.encType)], bytes: sealed.bytes)])
    }

    /// Builds a session from the keys of a bundle or of a retry receipt.
    func start(_ address: SignalAddress, with node: Stanza, registration: Stanza?) throws {
        func number(_ bytes: Bytes?) -> UInt32 { (bytes ?? []).reduce(0) { $0 << 8 | UInt32($1) } }
        guard let identityKey = node.child("identity")?.bytesContent, let signed = node.child("skey"),
            let signedKey = signed.child("value")?.bytesContent, let signature = signed.child("signature")?.bytesContent
        else { throw TestFailure("malformed keys: \(node)") }
        let oneTime = node.child("key")
        let bundle = PreKeyBundle(
            registrationID: number(registration?.bytesContent), deviceID: address.device,
            identityKey: try PublicKey(raw: identityKey), signedPreKeyID: number(signed.child("id")?.bytesContent),
            signedPreKey: try PublicKey(raw: signedKey), signedPreKeySignature: signature,
            oneTimePreKeyID: oneTime.map { number($0.child("id")?.bytesContent) },
            oneTimePreKey: try oneTime?.child("value")?.bytesContent.map { try PublicKey(raw: $0) })
        var record = sessions[address] ?? SessionRecord()
        try SessionBuilder.process(
            bundle: bundle, record: &record, identity: identity, registrationID: keys.registrationID,
            random: SystemRandom())
        sessions[address] = record
    }

    /// The `<keys>` and `<registration>` of a retry receipt.
    func retryKeys(deviceIdentity: Bytes) -> [Stanza] {
        let upload = keys.upload(count: 1)
        let key = upload[3].childrenContent[0]
        return [
            upload[0],
            Stanza(
                "keys",
                children: [upload[1], upload[2], key, upload[4], Stanza("device-identity", bytes: deviceIdentity)]),
        ]
    }
}

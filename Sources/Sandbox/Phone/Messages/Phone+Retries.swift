import Cryptography
import OrderedCollections
import Signal
import Transport

/// Retries in both directions (04-message-pipeline, section 12).
extension Phone {
    /// From this many attempts on nothing is asked or answered any more.
    private static let attempts = 5

    // MARK: Asking

    /// A message did not decrypt: the sender is asked for it again, as a client would ask.
    func decryptionFailed(_ stanza: Stanza, _ origin: MessageOrigin, _ error: any Error, _ enc: Stanza) {
        let failure = error as? DecryptionFailure ?? .other(String(describing: error))
        let failed = FailedMessage(chat: origin.chat, sender: origin.sender, id: origin.id)
        let repeated = enc.int("count") ?? 0
        let count = (retriesAsked[failed] ?? repeated) + 1
        retriesAsked[failed] = count
        emit(
            .phoneDecryptFailed,
            [
                "id": .string(origin.id), "sender": .string(origin.sender.description),
                "chat": .string(origin.chat.description), "reason": .string(failure.word), "count": .number(count),
            ])
        guard count < Self.attempts else { return }
        var receipt = Stanza("receipt", ["id": .text(origin.id), "type": "retry", "to": .jid(origin.from)])
        for key in ["participant", "recipient", "category"] { receipt.attributes[key] = stanza.attributes[key] }
        var children = [
            Stanza(
                "retry",
                [
                    "count": .text(String(count)), "id": .text(origin.id), "t": .text(stanza["t"] ?? "0"), "v": "1",
                    "error": .text(String(failure.reasonCode)),
                ]),
            Stanza("registration", bytes: WireNumber.bytes(account.primary?.registrationID ?? 0, 4)),
        ]
        if count > 1 { children.append(retryKeys()) }
        receipt.content = .children(children)
        _ = world.sendFromPhone(account, receipt)
    }

    /// What a sender needs for a new session with this phone.
    private func retryKeys() -> Stanza {
        let preKey = makeOneTimePreKey()
        var children = [
            Stanza("type", bytes: [5]),
            Stanza("identity", bytes: account.identity.publicKey.raw),
            Stanza(
                "key",
                children: [
                    Stanza("id", bytes: WireNumber.bytes(preKey.id, 3)), Stanza("value", bytes: preKey.key.raw),
                ]),
        ]
        if let signed = account.primary?.signedPreKey {
            children.append(
                Stanza(
                    "skey",
                    children: [
                        Stanza("id", bytes: WireNumber.bytes(signed.id, 3)), Stanza("value", bytes: signed.key.raw),
                        Stanza("signature", bytes: signed.signature),
                    ]))
        }
        return Stanza("keys", children: children)
    }

    // MARK: Answering

    /// A device could not decrypt what this phone sent.
    func answerRetry(_ receipt: Stanza) {
        guard let id = receipt.id, let from = receipt.from, let retry = receipt.child("retry"),
            let wire = receipt.jid("participant") ?? receipt.from, let requester = world.device(wire)
        else { return }
        let count = retry.int("count") ?? 1
        let failed = FailedMessage(chat: from.bare, sender: wire, id: id)
        let answered = retriesAnswered[failed, default: 0]
        guard count <= Self.attempts, answered < Self.attempts else { return }
        retriesAnswered[failed] = answered + 1
        do {
            try renewSession(with: requester, receipt, count: count)
            if let peer = peerMessages[id], requester.account === account {
                try sendPeerMessage(peer.content, to: requester, id: id, count: count)
            } else if let message = log.sent(id, by: account.lidJID) {
                try resend(message, to: requester, wire: wire, receipt: receipt, count: count)
            }
        } catch {
            world.violation("phone.retry", "the resend of \(id) failed: \(error)", device: requester, stanza: receipt)
        }
    }

    /// The table of 04-message-pipeline, section 12.2, step 5.
    private func renewSession(with device: Device, _ receipt: Stanza, count: Int) throws {
        let address = SignalAddress(device.jid(in: .lid))
        if let keys = receipt.child("keys") {
            guard let bundle = RetryKeys(keys, registration: receipt.child("registration")) else {
                world.violation(
                    "phone.retry", "the keys of a retry receipt are malformed", device: device, stanza: receipt)
                return
            }
            try startSession(with: device, bundle)
            return
        }
        let registration = (receipt.child("registration")?.bytesContent).map(WireNumber.number)
        let isStale = keys.remoteRegistrationID(address).map { $0 != registration } ?? true
        if isStale || count > 1 { _ = try startSession(with: device) }
    }

    private func resend(
        _ message: PhoneMessage, to device: Device, wire: JID, receipt: Stanza, count: Int
    ) throws {
        let content = message.message
        let isRoom = message.chat.isGroup || message.chat.isBroadcast
        let plaintext: Bytes
        if isRoom {
            plaintext = currentDistribution(of: message.chat) + content.bytes
        } else if device.account === account {
            plaintext = content.deviceSent(to: message.chat)
        } else {
            plaintext = content.bytes
        }
        guard let enc = try encrypt(plaintext, for: device, content: content, count: count) else { return }
        var stanza = Stanza(
            "message",
            [
                "id": .text(message.id), "type": .text(content.stanzaType), "t": .text(String(message.time)),
                "notify": .text(account.pushName),
            ], children: [enc])
        stanza["edit"] = content.editAttribute
        if isRoom {
            stanza.attributes["to"] = .jid(message.chat)
            stanza.attributes["participant"] = .jid(wire)
            if message.chat.isGroup { stanza["addressing_mode"] = world.groups[message.chat.user]?.mode.word }
        } else {
            stanza.attributes["to"] = .jid(wire)
            stanza["device_fanout"] = "false"
            if device.account === account { stanza.attributes["recipient"] = .jid(message.chat) }
        }
        _ = world.sendFromPhone(account, stanza)
    }
}

/// The `<keys>` of a retry receipt (04-message-pipeline, section 12.1).
struct RetryKeys {
    let registrationID: UInt32
    let identity: PublicKey
    let signedPreKey: Device.SignedPreKey
    let oneTimePreKey: Device.OneTimePreKey?

    init?(_ keys: Stanza, registration: Stanza?) {
        guard let registration = registration?.bytesContent, registration.count == 4,
            let identity = keys.child("identity")?.bytesContent.flatMap({ try? PublicKey(raw: $0) }),
            let signed = keys.child("skey"), let (signedID, signedKey) = Self.key(signed),
            let signature = signed.child("signature")?.bytesContent, signature.count == 64
        else { return nil }
        registrationID = WireNumber.number(registration)
        self.identity = identity
        signedPreKey = Device.SignedPreKey(id: signedID, key: signedKey, signature: signature)
        oneTimePreKey = keys.child("key").flatMap(Self.key).map { Device.OneTimePreKey(id: $0.0, key: $0.1) }
    }

    private static func key(_ stanza: Stanza) -> (UInt32, PublicKey)? {
        guard let id = stanza.child("id")?.bytesContent, id.count == 3,
            let key = stanza.child("value")?.bytesContent.flatMap({ try? PublicKey(raw: $0) })
        else { return nil }
        return (WireNumber.number(id), key)
    }
}

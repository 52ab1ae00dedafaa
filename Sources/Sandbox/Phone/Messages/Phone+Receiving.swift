import Cryptography
import Signal
import Transport

/// Where an incoming message belongs (04-message-pipeline, section 13.3), all in LID space.
struct MessageOrigin {
    let id: String
    /// `from` of the stanza, as receipts must repeat it.
    let from: JID
    /// `participant` of the stanza.
    let participant: JID?
    /// The sending device.
    let sender: JID
    let senderAccount: Account
    /// A bare LID, a group or `status@broadcast`.
    let chat: JID
    let fromMe: Bool
    let isPeer: Bool
}

extension Phone {
    /// Decrypts a message for device 0, acts on it and sends its receipts (09-sandbox-server, section 19.3).
    func receiveMessage(_ stanza: Stanza) {
        guard let origin = origin(of: stanza) else {
            world.violation("phone.message", "no id, sender or chat can be made out", stanza: stanza)
            return
        }
        var contents: [ReceivedContent] = []
        var wasDuplicate = false
        let encrypted = stanza.children("enc")
        for enc in encrypted.filter({ $0.type != "skmsg" }) + encrypted.filter({ $0.type == "skmsg" }) {
            do {
                contents.append(try open(enc, of: stanza, origin))
            } catch DecryptionFailure.duplicate {
                wasDuplicate = true
            } catch {
                decryptionFailed(stanza, origin, error, enc)
                return
            }
        }
        guard !contents.isEmpty || wasDuplicate else {
            emit(
                .phoneDecryptFailed,
                ["id": .string(origin.id), "reason": stanza.child("unavailable") == nil ? "no_enc" : "unavailable"])
            return
        }
        sendDeliveryReceipt(stanza, origin)
        for received in contents {
            guard let content = received.content else { continue }
            if origin.isPeer {
                receivePeerMessage(content, origin)
            } else {
                receive(content, stanza, origin)
            }
        }
    }

    private func origin(of stanza: Stanza) -> MessageOrigin? {
        guard let id = stanza.id, let from = stanza.from else { return nil }
        let isRoom = from.isGroup || from.isBroadcast
        guard let wire = isRoom ? stanza.jid("participant") : from, let author = world.account(wire) else { return nil }
        let fromMe = author === account
        let chat: JID
        if isRoom {
            chat = from
        } else if fromMe, let recipient = stanza.jid("recipient") {
            guard let other = world.account(recipient) else { return nil }
            chat = other.lidJID
        } else {
            chat = author.lidJID
        }
        return MessageOrigin(
            id: id, from: from, participant: stanza.jid("participant"),
            sender: author.jid(in: .lid, device: wire.device), senderAccount: author, chat: chat, fromMe: fromMe,
            isPeer: stanza["category"] == "peer")
    }

    /// Decrypts one `<enc>` and takes in the sender key it may carry.
    private func open(_ enc: Stanza, of stanza: Stanza, _ origin: MessageOrigin) throws -> ReceivedContent {
        guard let ciphertext = enc.bytesContent, let type = enc.type else { throw DecryptionFailure.malformed }
        let padded: Bytes
        switch type {
        case "pkmsg", "msg":
            padded = try decryptPairwise(ciphertext, type: type, from: SignalAddress(origin.sender))
            if type == "pkmsg", origin.sender.device != 0 {
                checkDeviceIdentity(stanza, origin)
            }
        case "skmsg":
            padded = try decryptGroup(ciphertext, group: origin.chat, from: SignalAddress(origin.sender))
        default:
            throw DecryptionFailure.malformed
        }
        guard let plaintext = MessagePadding.unpad(padded) else { throw DecryptionFailure.malformed }
        guard let received = try? ReceivedContent(plaintext) else { throw DecryptionFailure.malformed }
        if received.isDeviceSent, !origin.fromMe {
            world.violation("phone.device_sent", "a device-sent message from another account", stanza: stanza)
        }
        if let key = received.senderKey, type != "skmsg", origin.chat.isGroup || origin.chat.isBroadcast {
            try takeSenderKey(key.distribution, group: origin.chat, from: SignalAddress(origin.sender))
        }
        return received
    }

    /// A companion's first message must prove that its account vouches for it (09-sandbox-server, section 19.3).
    private func checkDeviceIdentity(_ stanza: Stanza, _ origin: MessageOrigin) {
        func report(_ detail: String) {
            world.violation(
                "phone.device_identity", detail, device: world.device(origin.sender), stanza: stanza)
        }
        guard let bytes = stanza.child("device-identity")?.bytesContent,
            let signed = try? DeviceIdentity.Signed(parsing: bytes)
        else { return report("a pkmsg of a companion without a readable device-identity") }
        guard let identity = keys.identity(of: SignalAddress(origin.sender)) else { return }
        let accountKey = origin.senderAccount.identity.publicKey
        guard signed.isSigned(byAccount: accountKey, for: identity.raw) else {
            return report("the account signature of device-identity does not verify")
        }
        guard signed.isSigned(byCompanion: identity, for: signed.accountSignatureKey ?? accountKey.raw) else {
            return report("the device signature of device-identity does not verify")
        }
    }

    /// Delivery is confirmed as a client confirms it (04-message-pipeline, section 15.2).
    private func sendDeliveryReceipt(_ stanza: Stanza, _ origin: MessageOrigin) {
        guard account.automatic.deliver else { return }
        var receipt = Stanza("receipt", ["id": .text(origin.id), "to": .jid(origin.from)])
        for key in ["participant", "recipient"] { receipt.attributes[key] = stanza.attributes[key] }
        if origin.isPeer {
            receipt["type"] = "peer_msg"
        } else if origin.fromMe {
            receipt["type"] = "sender"
        }
        _ = world.sendFromPhone(account, receipt)
    }

    /// A message for the person at the phone, or one that another own device sent.
    private func receive(_ content: MessageContent, _ stanza: Stanza, _ origin: MessageOrigin) {
        let message = PhoneMessage(
            sequence: 0, id: origin.id, chat: origin.chat, sender: origin.sender,
            direction: origin.fromMe ? .outgoing : .incoming, time: Int64(stanza.int("t") ?? 0),
            pushName: stanza["notify"], content: content)
        guard remember(message) else { return }
        apply(content, in: origin.chat, from: origin.sender.bare)
        if let numbered = log.message(origin.id, in: origin.chat, sender: origin.sender) {
            emit(.phoneMessage, numbered.json(in: world).objectValue ?? [:])
        }
        if !origin.fromMe { react(to: message) }
    }

    /// Lets an edit, revoke or reaction change the message it is about.
    func apply(_ content: MessageContent, in chat: JID, from author: JID) {
        guard let target = content.target else { return }
        switch content.kind {
        case "revoke":
            update(target.id, in: chat) { $0.isRevoked = true }
        case "edit":
            guard let edited = content.editedContent else { return }
            update(target.id, in: chat, sender: author) { $0.edited = edited.bytes }
        case "reaction":
            let emoji = content.text ?? ""
            update(target.id, in: chat) { $0.reactions[author.description] = emoji.isEmpty ? nil : emoji }
        default: break
        }
    }
}

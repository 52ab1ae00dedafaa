import Cryptography
import OrderedCollections
import Signal
import Transport

/// Why a phone did not send.
package enum PhoneError: Error, Equatable {
    /// No such person, or the number is not on WhatsApp.
    case unknownRecipient(String)
    case unknownGroup(String)
    /// The message to answer, edit, revoke or react to is not in the phone's log.
    case unknownMessage(String)
    case unsupportedDestination(String)
    case encryptionFailed(String)
}

/// What became of a message that a phone sent.
package struct PhoneSendOutcome: Sendable, Equatable {
    package let id: String
    /// Server time, Unix seconds.
    package let time: Int64
    /// `error` of the server's ack, when it refused.
    package let error: Int?
}

extension Phone {
    /// Sends `content` to a person (any form of JID) or a group, as device 0, to all devices that should have it.
    ///
    /// Throws ``PhoneError``. A refusal by the server is no error here but in the result.
    package func send(_ content: MessageContent, to destination: JID, id: String? = nil) throws -> PhoneSendOutcome {
        let id = id ?? newMessageID()
        if destination.isGroup { return try sendToGroup(content, group: destination, id: id) }
        guard let recipient = world.account(destination), recipient.isRegistered else {
            guard destination.isPerson else { throw PhoneError.unsupportedDestination(destination.description) }
            throw PhoneError.unknownRecipient(destination.description)
        }
        return try sendDirect(content, to: recipient, id: id)
    }

    /// Steps: 09-sandbox-server, section 19.2.
    private func sendDirect(_ content: MessageContent, to recipient: Account, id: String) throws -> PhoneSendOutcome {
        let chat = recipient.lidJID
        var copies: [Stanza] = []
        if recipient !== account {
            for device in recipient.devices.values {
                if let copy = try participant(device, space: .lid, plaintext: content.bytes, content: content) {
                    copies.append(copy)
                }
            }
        }
        let own = content.deviceSent(to: chat)
        for device in account.companions {
            if let copy = try participant(device, space: .lid, plaintext: own, content: content) { copies.append(copy) }
        }
        var stanza = Stanza(
            "message",
            [
                "id": .text(id), "type": .text(content.stanzaType), "to": .jid(chat),
                "peer_recipient_pn": .jid(recipient.pn), "notify": .text(account.pushName),
            ], children: [Stanza("participants", children: copies)])
        stanza["edit"] = content.editAttribute
        return finish(stanza, content: content, chat: chat, id: id)
    }

    /// Hands a stanza to the relay and writes the message down.
    func finish(_ stanza: Stanza, content: MessageContent, chat: JID, id: String) -> PhoneSendOutcome {
        let result = world.sendFromPhone(account, stanza)
        if result.error == nil {
            remember(
                PhoneMessage(
                    sequence: 0, id: id, chat: chat, sender: account.lidJID, direction: .outgoing, time: result.time,
                    pushName: account.pushName, content: content))
            apply(content, in: chat, from: account.lidJID)
        }
        return PhoneSendOutcome(id: id, time: result.time, error: result.error)
    }

    /// `<to jid><enc/></to>` for one device, with a session built when there is none; nil when the device has no keys.
    func participant(
        _ device: Device, space: AddressSpace, plaintext: Bytes, content: MessageContent?
    ) throws -> Stanza? {
        guard let enc = try encrypt(plaintext, for: device, content: content) else { return nil }
        return Stanza("to", ["jid": .jid(device.jid(in: space))], children: [enc])
    }

    /// The `<enc>` of `plaintext` for one device; `count` marks a resend. Nil when no session can be had.
    func encrypt(
        _ plaintext: Bytes, for device: Device, content: MessageContent?, count: Int? = nil
    ) throws -> Stanza? {
        let address = SignalAddress(device.jid(in: .lid))
        guard try keys.hasSession(address) || startSession(with: device) else { return nil }
        let padded = MessagePadding.pad(plaintext, random: random("padding").bytes(1).first ?? 1)
        let (type, bytes) = try encryptPairwise(padded, to: address)
        var enc = Stanza("enc", ["v": "2", "type": .text(type)], bytes: bytes)
        enc["mediatype"] = content?.mediaType
        if content?.isHiddenOnFailure == true { enc["decrypt-fail"] = "hide" }
        enc["count"] = count.map { String($0) }
        return enc
    }

    // MARK: Small stanzas

    /// Says that messages of one chat were read; they may be by several senders. Unknown ids are reported too.
    package func markRead(_ ids: [String], in chat: JID) {
        var bySender: [(sender: JID?, ids: [String])] = []
        for id in ids {
            let sender = log.message(id, in: chat)?.sender.bare
            if let index = bySender.firstIndex(where: { $0.sender == sender }) {
                bySender[index].ids.append(id)
            } else {
                bySender.append((sender, [id]))
            }
        }
        for (sender, ids) in bySender {
            guard let first = ids.first, sender != account.lidJID else { continue }
            var receipt = Stanza(
                "receipt",
                [
                    "id": .text(first), "type": "read", "to": .jid(chat), "t": .text(String(world.clock.seconds)),
                ])
            if !chat.isPerson, let sender { receipt.attributes["participant"] = .jid(sender) }
            if ids.count > 1 {
                receipt.content = .children([
                    Stanza("list", children: ids.dropFirst().map { Stanza("item", ["id": .text($0)]) })
                ])
            }
            _ = world.sendFromPhone(account, receipt)
            for id in ids { update(id, in: chat) { $0.status = max($0.status, .read) } }
        }
    }

    /// What a person at the phone is doing in a chat.
    package enum Typing: String, Sendable { case composing, paused, recording }

    package func setTyping(_ typing: Typing, in chat: JID) {
        let child =
            typing == .recording
            ? Stanza("composing", ["media": "audio"]) : Stanza(typing.rawValue)
        _ = world.sendFromPhone(account, Stanza("chatstate", ["to": .jid(chat)], children: [child]))
    }
}

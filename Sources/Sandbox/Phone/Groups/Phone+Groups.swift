import Cryptography
import OrderedCollections
import Signal
import Transport

/// Group messages with sender keys (03-signal, section 10; 04-message-pipeline, section 9.2).
extension Phone {
    /// One ciphertext for everybody, and the sender key pairwise for the devices that lack it.
    func sendToGroup(_ content: MessageContent, group jid: JID, id: String) throws -> PhoneSendOutcome {
        guard let group = world.groups[jid.user], !group.isDeleted else {
            throw PhoneError.unknownGroup(jid.description)
        }
        let devices = self.devices(of: group)
        let reached = Set(devices.map { $0.jid(in: .lid).description })
        if !keys.holders(of: jid).isSubset(of: reached) { keys.dropOwnSenderKey(of: jid) }
        // The distribution is taken before the message is encrypted, so that who gets it can read this message.
        let distribution = currentDistribution(of: jid)
        let missing = devices.filter { !keys.holders(of: jid).contains($0.jid(in: .lid).description) }
        let padded = MessagePadding.pad(content.bytes, random: random("padding").bytes(1).first ?? 1)
        let ciphertext = try encryptGroup(padded, group: jid)
        var supplied: [String] = []
        var children: [Stanza] = []
        if !missing.isEmpty {
            var copies: [Stanza] = []
            for device in missing {
                guard let copy = try participant(device, space: group.mode, plaintext: distribution, content: content)
                else { continue }
                copies.append(copy)
                supplied.append(device.jid(in: .lid).description)
            }
            children.append(Stanza("participants", children: copies))
        }
        var enc = Stanza("enc", ["v": "2", "type": "skmsg"], bytes: ciphertext)
        enc["mediatype"] = content.mediaType
        if content.isHiddenOnFailure { enc["decrypt-fail"] = "hide" }
        children.append(enc)
        var stanza = Stanza(
            "message",
            [
                "id": .text(id), "type": .text(content.stanzaType), "to": .jid(jid),
                "addressing_mode": .text(group.mode.word), "notify": .text(account.pushName),
            ], children: children)
        stanza["edit"] = content.editAttribute
        let sent = finish(stanza, content: content, chat: jid, id: id)
        if sent.error == nil { keys.addHolders(supplied, of: jid) }
        return sent
    }

    /// The devices of all members except this phone, by account number and device id.
    private func devices(of group: Group) -> [Device] {
        group.participants.keys.sorted().compactMap { world.accounts[$0] }.flatMap { member in
            member.devices.values.filter { !($0.account === account && $0.isPhone) }
        }
    }

    /// The own sender key of a group at its current position, wrapped in a `Message`; made when there is none.
    func currentDistribution(of group: JID) -> Bytes {
        MessageContent.senderKeyDistribution(ownDistribution(of: group), group: group)
    }
}

import Transport

/// Own addresses of the device, with device part.
package struct OwnAddresses: Sendable, Hashable {
    package var pn: JID
    package var lid: JID?

    package init(pn: JID, lid: JID?) {
        self.pn = pn
        self.lid = lid
    }

    /// Whether a JID is this account, in either form, hosted or not.
    package func contains(user jid: JID) -> Bool {
        switch jid.server {
        case .user, .legacyUser, .hosted: jid.user == pn.user
        case .lid, .hostedLID: jid.user == lid?.user
        default: false
        }
    }

    /// Whether a JID is exactly this device.
    package func isThisDevice(_ jid: JID) -> Bool { contains(user: jid) && jid.device == pn.device }
}

/// Who sent a `<message>` where (04-message-pipeline, sections 13.2 and 13.3).
package struct MessageInfo: Sendable, Equatable {
    package var id: String
    package var timestamp: Timestamp
    /// `from`, `participant` and `recipient` as on the wire: receipts copy them verbatim.
    package var from: JID
    package var participant: JID?
    package var recipient: JID?
    /// Where it was written: bare user, group, status, channel.
    package var chat: JID
    /// The sending device. Hosted servers are normalised to PN and LID.
    package var sender: JID
    /// The sender in the other namespace, with the sender's device.
    package var senderAlternative: JID?
    /// The chat partner in the other namespace, for own copies.
    package var recipientAlternative: JID?
    package var isFromMe: Bool
    package var pushName: String?
    package var type: String
    package var category: String?
    package var edit: String?
    package var isOffline: Bool
    package var serverID: Int64?

    package var isGroup: Bool { chat.isGroup }
    package var isPeer: Bool { category == "peer" }
    /// Says that an admin deletes another's message for everybody.
    package var isAdminRevocation: Bool { chat.isGroup && edit == "8" }

    /// Nil when a required attribute is missing or of the wrong kind: answered with nack 487.
    package init?(_ stanza: Stanza, own: OwnAddresses) {
        guard let id = stanza.id, MessageID.isStorable(id), let from = stanza.from, let time = stanza.int("t"),
            time >= 0
        else { return nil }
        self.id = id
        self.from = from
        timestamp = Timestamp(seconds: Int64(time))
        participant = stanza.jid("participant")
        recipient = stanza.jid("recipient")
        type = stanza.type ?? "text"
        category = stanza["category"]
        edit = stanza["edit"]
        isOffline = stanza["offline"] != nil
        serverID = stanza.int("server_id").map(Int64.init)
        pushName = stanza["notify"].flatMap { $0 == "-" || $0.isEmpty ? nil : $0 }

        switch from.server {
        case .group, .broadcast:
            guard let participant, participant.isPerson || participant.isBot else { return nil }
            sender = participant.withoutHosting
            isFromMe = own.contains(user: participant)
            chat = from.isBroadcastList && !isFromMe ? sender.bare : from
            senderAlternative = stanza.jid("participant_pn") ?? stanza.jid("participant_lid")
        case .newsletter:
            (chat, sender, isFromMe) = (from, from, false)
        default:
            sender = from.withoutHosting
            isFromMe = own.contains(user: from)
            if isFromMe {
                chat = (recipient ?? from).withoutHosting.bare
                recipientAlternative = stanza.jid("peer_recipient_pn") ?? stanza.jid("peer_recipient_lid")
            } else if from.isBot {
                chat = stanza.child("meta")?.jid("target_chat_jid")?.bare ?? from.bare
            } else {
                guard from.isPerson else { return nil }
                chat = sender.bare
            }
            senderAlternative = stanza.jid("sender_pn") ?? stanza.jid("sender_lid")
        }
        senderAlternative = senderAlternative.flatMap { alternative in
            guard alternative.isLID != sender.isLID, alternative.isPerson else { return nil }
            return alternative.withoutHosting.bare.device(sender.device)
        }
    }

    /// PN and LID of the sender, when the stanza names both.
    package var senderPair: LIDPair? {
        guard let alternative = senderAlternative else { return nil }
        return MessageInfo.pair(sender, alternative)
    }

    /// PN and LID of the chat partner of an own copy.
    package var recipientPair: LIDPair? {
        guard let alternative = recipientAlternative else { return nil }
        return MessageInfo.pair(chat, alternative)
    }

    private static func pair(_ one: JID, _ other: JID) -> LIDPair? {
        if one.isLID, other.server == .user { return LIDPair(lid: one.user, pn: other.user) }
        if one.server == .user, other.isLID { return LIDPair(lid: other.user, pn: one.user) }
        return nil
    }
}

extension JID {
    /// `hosted` → `s.whatsapp.net`, `hosted.lid` → `lid`: one device has one session under either name (03, section 12.2).
    package var withoutHosting: JID {
        var jid = self
        switch server {
        case .hosted, .legacyUser: jid.server = .user
        case .hostedLID: jid.server = .lid
        default: break
        }
        return jid
    }
}

import Transport

extension GroupInfo {
    /// `<iq xmlns="w:g2" type="get" to={group}><query request="interactive"/></iq>` (07-groups-communities, section 7.2).
    package static func query(id: String, group: JID) -> Stanza {
        IQ.get(id: id, namespace: "w:g2", to: group, Stanza("query", ["request": "interactive"]))
    }

    /// From the `<group>` node of an answer or notification. Only a missing id fails; what is malformed inside is left out.
    package init?(node: Stanza, defaultMode: AddressingMode = .pn) {
        guard let id = node.id else { return nil }
        let jid = JID.group(String(id.prefix { $0 != "@" }))
        self.init(jid: jid.description)
        subject = node["subject"] ?? ""
        owner = node.jid("creator")?.bare.description
        createdAt = Int64(node.int("creation") ?? 0)
        addressingMode = node["addressing_mode"].flatMap(AddressingMode.init(rawValue:)) ?? defaultMode
        participants = node.children("participant").compactMap(Participant.init(node:))
        if let text = node.child("description", "body")?.textContent { description = text }
        isAnnouncement = node.child("announcement") != nil
        isLocked = node.child("locked") != nil
        ephemeralSeconds = ChatUpdate.timer(node.child("ephemeral")?.int("expiration") ?? 0)
        isParentGroup = node.child("parent") != nil
        linkedParent = node.child("linked_parent")?.jid("jid")?.description
    }

    /// Pairs learnt from the member list.
    package var lidPairs: [LIDPair] { participants.compactMap(\.lidPair) }
}

extension GroupInfo.Participant {
    /// `<participant jid [type] [phone_number] [lid]/>` (07, section 5).
    package init?(node: Stanza) {
        guard let jid = node.jid("jid"), jid.isPerson else { return nil }
        self.init(jid: jid.bare.description)
        if jid.isLID {
            lid = self.jid
            phoneNumber = node.jid("phone_number")?.bare.description
        } else {
            phoneNumber = self.jid
            lid = node.jid("lid")?.bare.description
        }
        role = node.type.flatMap(Role.init(rawValue:)) ?? .member
    }

    var lidPair: LIDPair? {
        guard let lid = lid.flatMap(JID.init(_:)), let pn = phoneNumber.flatMap(JID.init(_:)) else { return nil }
        return LIDPair(lid: lid.user, pn: pn.user)
    }
}

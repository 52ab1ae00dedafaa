import OrderedCollections
import Transport

/// Who is in a group, who hears of its changes, and the versions that move with them (07, sections 2, 17, 18).
extension World {
    /// Accounts of the participants, in their order.
    func members(of group: Group) -> [Account] { group.participants.keys.compactMap { accounts[$0] } }

    /// Phone numbers of everybody who shares a group with `account`.
    func groupPeers(of account: Account) -> Set<String> {
        var peers: Set<String> = []
        for group in groups.values where !group.isDeleted && group.participants[account.phone] != nil {
            peers.formUnion(group.participants.keys)
        }
        peers.remove(account.phone)
        return peers
    }

    /// One `w:gp2` notification with one child, to all devices of `accounts`, the acting one included.
    func notify(_ group: Group, by actor: Account?, _ child: Stanza, to accounts: [Account]) {
        for account in accounts.sorted(by: { $0.phone < $1.phone }) {
            for device in account.devices.values {
                enqueue(
                    Stanza(
                        "notification",
                        [
                            "from": .jid(group.jid), "type": "w:gp2", "id": .text(newStanzaID()),
                            "t": .int(clock.seconds), "participant": actor.map { .jid($0.jid(in: group.mode)) },
                            "participant_pn": group.mode == .lid ? actor.map { .jid($0.pn) } : nil,
                            "notify": actor.map { .text($0.pushName) }, "addressing_mode": .text(group.mode.word),
                        ], children: [child]),
                    for: device)
            }
        }
    }

    func changed(_ group: Group, _ change: String, by actor: Account?, _ more: [String: JSONValue]) {
        events.emit(
            .groupChanged, account: actor?.phone,
            more.merging(["group": .string(group.jid.description), "change": .string(change)]) { $1 })
    }

    func versions(_ group: Group, _ previous: Int64, _ reason: String?) -> StanzaAttributes {
        [
            "reason": reason.map { .text($0) }, "prev_v_id": .int(previous), "v_id": .int(group.participantVersion),
        ]
    }

    func touchParticipants(of group: Group) {
        group.participantVersion = max(group.participantVersion + 1, clock.milliseconds * 1000)
    }

    func touchAnnouncement(of group: Group) {
        group.announcementVersion = max(group.announcementVersion + 1, clock.milliseconds * 1000)
    }

    /// The add check for one person (07, section 10.3).
    func admit(_ jid: JID, to group: Group, by actor: Account?) -> ParticipantOutcome {
        guard let account = account(jid), account.isRegistered else {
            return ParticipantOutcome(phone: nil, asked: jid, error: 404)
        }
        func outcome(_ error: Int) -> ParticipantOutcome {
            ParticipantOutcome(phone: account.phone, asked: jid, error: error)
        }
        if group.participants[account.phone] != nil { return outcome(409) }
        if let actor, account.blocked.contains(actor.lid) { return outcome(401) }
        if let actor, !maySee(actor, "groupadd", of: account) { return outcome(403) }
        if group.participants.count >= Self.groupSizeLimit { return outcome(419) }
        group.participants[account.phone] = Group.Participant(
            role: .member, joined: clock.seconds, addedBy: actor?.phone)
        return outcome(0)
    }

    /// A group with members and no admin: the one who joined first becomes admin, by nobody's hand (07, section 9).
    func replaceLastAdmin(of group: Group) {
        guard !group.participants.isEmpty, !group.participants.values.contains(where: \.role.isAdmin),
            let heir = group.participants.min(by: { $0.value.joined < $1.value.joined })?.key,
            let account = accounts[heir]
        else { return }
        setRole(.admin, of: [account.pn], in: group, by: nil)
    }
}

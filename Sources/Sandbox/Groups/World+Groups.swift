import OrderedCollections
import Transport

/// Groups as calls: what clients ask for by `w:g2`, the control API asks for directly (07, sections 8 to 12).
///
/// Nobody's rights are checked here; ``answerGroups(_:)`` does that for clients.
extension World {
    /// What became of one person in `add`, `remove`, `promote`, `demote`; `error` 0 = done (07, section 10.3).
    package struct ParticipantOutcome: Sendable, Equatable {
        /// Phone number digits; `nil` for an address nobody has.
        package let phone: String?
        /// As it was asked for.
        package let asked: JID
        package let error: Int
    }

    /// Settings of a group that a call may change; `nil` leaves one as it is.
    package struct GroupChanges: Sendable {
        package var isLocked: Bool?
        package var isAnnouncement: Bool?
        /// Seconds: 0, 86400, 604800 or 7776000.
        package var ephemeral: Int?
        /// `admin_add` or `all_member_add`.
        package var memberAddMode: String?
        package var membershipApproval: Bool?
        package var isSuspended: Bool?
        package init() {}
    }

    static let groupSizeLimit = 1024
    static let ephemeralTimes: Set<Int> = [0, 86_400, 604_800, 7_776_000]

    /// Makes a group with `creator` as superadmin and tells everybody in it. `mode` `nil` takes the world's setting; `prepare` sets
    /// what the group has from its beginning.
    @discardableResult
    package func createGroup(
        creator: Account, subject: String, participants: [JID], mode: AddressSpace? = nil, key: String? = nil,
        _ prepare: (Group) -> Void = { _ in }
    ) -> (group: Group, outcomes: [ParticipantOutcome]) {
        var id = "120363" + random.digits("group/ids", count: 12)
        while groups[id] != nil { id = "120363" + random.digits("group/ids", count: 12) }
        let group = Group(
            id: id, creator: creator.phone, subject: subject,
            mode: mode ?? (settings.groupAddressing == .pn ? .pn : .lid), created: clock.seconds)
        prepare(group)
        group.participants[creator.phone] = Group.Participant(role: .superadmin, joined: clock.seconds, addedBy: nil)
        groups[id] = group
        let outcomes = participants.filter { account($0) !== creator }.map { admit($0, to: group, by: creator) }
        save(group)
        for phone in group.participants.keys {
            guard let member = accounts[phone] else { continue }
            notify(
                group, by: creator,
                Stanza(
                    "create", ["type": "new", "key": phone == creator.phone ? key.map { .text($0) } : nil],
                    children: [stanza(of: group)]), to: [member])
        }
        changed(group, "create", by: creator, ["subject": .string(subject)])
        return (group, outcomes)
    }

    /// Adds people; those who came in get `create`, the others `add`.
    @discardableResult
    package func addParticipants(
        _ jids: [JID], to group: Group, by actor: Account?, reason: String? = nil
    ) -> [ParticipantOutcome] {
        let before = members(of: group)
        let outcomes = jids.map { admit($0, to: group, by: actor) }
        announceJoined(
            outcomes.filter { $0.error == 0 }.compactMap(\.phone), to: group, by: actor, reason: reason, before: before)
        return outcomes
    }

    /// Takes people in whatever their privacy says: those who came by themselves, or with a community.
    func addMembers(_ people: [Account], to group: Group, by actor: Account?, reason: String?) {
        let before = members(of: group)
        var joined: [String] = []
        for account in people where group.participants[account.phone] == nil {
            group.participants[account.phone] = Group.Participant(
                role: .member, joined: clock.seconds, addedBy: actor === account ? nil : actor?.phone)
            joined.append(account.phone)
        }
        announceJoined(joined, to: group, by: actor, reason: reason, before: before)
    }

    private func announceJoined(
        _ joined: [String], to group: Group, by actor: Account?, reason: String?, before: [Account]
    ) {
        guard !joined.isEmpty else { return }
        group.admission.requests.removeAll { joined.contains($0.phone) }
        group.admission.removed.removeAll { joined.contains($0) }
        let previous = group.participantVersion
        touchParticipants(of: group)
        save(group)
        let children = joined.compactMap { participant($0, in: group) }
        notify(
            group, by: actor,
            Stanza("add", versions(group, previous, reason), children: children), to: before)
        for phone in joined {
            guard let member = accounts[phone] else { continue }
            notify(
                group, by: actor,
                Stanza("create", ["reason": reason.map { .text($0) }], children: [stanza(of: group)]), to: [member])
        }
        changed(group, "add", by: actor, ["participants": .array(joined.map { .string($0) })])
        guard let parent = group.community.parent.flatMap({ groups[$0] }), !group.community.isDefaultSubGroup,
            let actor = actor ?? accounts[group.creator]
        else { return }
        join(group, with: parent, by: actor)
    }

    /// Takes people out. One who is `actor` leaves. The last admin's leaving promotes the oldest member.
    @discardableResult
    package func removeParticipants(
        _ jids: [JID], from group: Group, by actor: Account?
    ) -> [ParticipantOutcome] {
        let before = members(of: group)
        var gone: [(phone: String, node: Stanza?)] = []
        let outcomes = jids.map { jid in
            guard let account = account(jid), let entry = group.participants[account.phone] else {
                return ParticipantOutcome(phone: account(jid)?.phone, asked: jid, error: 404)
            }
            if entry.role == .superadmin, actor !== account, actor != nil {
                return ParticipantOutcome(phone: account.phone, asked: jid, error: 406)
            }
            gone.append((account.phone, participant(account.phone, in: group)))
            group.participants[account.phone] = nil
            if actor !== account { group.admission.removed.append(account.phone) }
            return ParticipantOutcome(phone: account.phone, asked: jid, error: 0)
        }
        guard !gone.isEmpty else { return outcomes }
        let previous = group.participantVersion
        touchParticipants(of: group)
        if group.participants.isEmpty { group.isDeleted = true }
        save(group)
        notify(
            group, by: actor, Stanza("remove", versions(group, previous, nil), children: gone.compactMap(\.node)),
            to: before)
        changed(group, "remove", by: actor, ["participants": .array(gone.map { .string($0.phone) })])
        replaceLastAdmin(of: group)
        return outcomes
    }

    /// `admin` promotes, `member` demotes; a superadmin keeps the role (error 406).
    @discardableResult
    package func setRole(
        _ role: Group.Role, of jids: [JID], in group: Group, by actor: Account?
    ) -> [ParticipantOutcome] {
        var changedPhones: [String] = []
        let outcomes = jids.map { jid in
            guard let account = account(jid), let entry = group.participants[account.phone] else {
                return ParticipantOutcome(phone: account(jid)?.phone, asked: jid, error: 404)
            }
            if entry.role == .superadmin {
                return ParticipantOutcome(phone: account.phone, asked: jid, error: role.isAdmin ? 0 : 406)
            }
            if entry.role != role {
                group.participants[account.phone]?.role = role
                changedPhones.append(account.phone)
            }
            return ParticipantOutcome(phone: account.phone, asked: jid, error: 0)
        }
        guard !changedPhones.isEmpty else { return outcomes }
        let previous = group.participantVersion
        touchParticipants(of: group)
        touchAnnouncement(of: group)
        save(group)
        let verb = role.isAdmin ? "promote" : "demote"
        notify(
            group, by: actor,
            Stanza(
                verb, versions(group, previous, nil),
                children: changedPhones.compactMap { participant($0, role: role, in: group) }),
            to: members(of: group))
        changed(group, verb, by: actor, ["participants": .array(changedPhones.map { .string($0) })])
        return outcomes
    }

    package func setSubject(_ subject: String, of group: Group, by actor: Account) {
        group.subject = subject
        group.subjectTime = clock.seconds
        group.subjectOwner = actor.phone
        save(group)
        notify(
            group, by: actor,
            Stanza(
                "subject",
                [
                    "subject": .text(subject), "s_t": .int(group.subjectTime), "s_o": .jid(actor.jid(in: group.mode)),
                    "s_o_pn": group.mode == .lid ? .jid(actor.pn) : nil,
                ]), to: members(of: group))
        changed(group, "subject", by: actor, ["subject": .string(subject)])
    }

    /// Sets the description, or with `nil` deletes it.
    package func setDescription(_ text: String?, id: String, of group: Group, by actor: Account) {
        group.description = text.map { Group.Description(id: id, text: $0, time: clock.seconds, owner: actor.phone) }
        save(group)
        let child = text.map { Stanza("body", bytes: Array($0.utf8)) } ?? Stanza("delete")
        notify(
            group, by: actor, Stanza("description", ["id": .text(id)], children: [child]), to: members(of: group))
        changed(group, "description", by: actor, [:])
    }

    /// Applies each change and tells all members of it.
    package func change(_ group: Group, _ changes: GroupChanges, by actor: Account?) {
        var children: [Stanza] = []
        if let value = changes.isLocked, value != group.isLocked {
            group.isLocked = value
            children.append(Stanza(value ? "locked" : "unlocked"))
        }
        if let value = changes.isAnnouncement, value != group.isAnnouncement {
            group.isAnnouncement = value
            touchAnnouncement(of: group)
            children.append(
                Stanza(value ? "announcement" : "not_announcement", ["v_id": .int(group.announcementVersion)]))
        }
        if let value = changes.ephemeral, value != group.ephemeral {
            group.ephemeral = value
            children.append(
                value == 0 ? Stanza("not_ephemeral") : Stanza("ephemeral", ["expiration": .int(value)]))
        }
        if let value = changes.memberAddMode, value != group.memberAddMode {
            group.memberAddMode = value
            children.append(Stanza("member_add_mode", bytes: Array(value.utf8)))
        }
        if let value = changes.membershipApproval, value != group.membershipApproval {
            group.membershipApproval = value
            children.append(
                Stanza(
                    "membership_approval_mode", children: [Stanza("group_join", ["state": value ? "on" : "off"])]))
        }
        if let value = changes.isSuspended, value != group.isSuspended {
            group.isSuspended = value
            children.append(Stanza(value ? "suspended" : "unsuspended"))
        }
        guard !children.isEmpty else { return }
        save(group)
        for child in children {
            notify(group, by: actor, child, to: members(of: group))
            changed(group, child.tag, by: actor, [:])
        }
    }
}

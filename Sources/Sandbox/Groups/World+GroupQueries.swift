import OrderedCollections
import Transport

/// `xmlns="w:g2"` of clients (09, section 11.8; 07, sections 6 to 12): checks in the order of 07 section 6, then the call.
extension World {
    private static let subjectLimit = 100
    private static let descriptionLimit = 2048

    func answerGroups(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        guard let child = request.child, let to = iq.to else { throw IQError.badRequest }
        guard !to.user.isEmpty else { return try answerGroupServer(request, child) }
        guard to.isGroup else { throw IQError.badRequest }
        guard Self.groupRequests.contains(child.tag) else { throw IQError.notImplemented }
        guard let group = groups[to.user], !group.isDeleted else { throw IQError.itemNotFound }
        guard let membership = group.participants[request.account.phone] else { throw IQError.forbidden }
        if !request.isSet {
            guard child.tag == "query" else { throw IQError.notImplemented }
            return request.result(stanza(of: group))
        }
        guard !group.isSuspended else { throw IQError.locked }
        return try change(group, child, request, isAdmin: membership.role.isAdmin)
    }

    private static let groupRequests: Set<String> = [
        "query", "add", "remove", "promote", "demote", "subject", "description", "locked", "unlocked",
        "announcement", "not_announcement", "ephemeral", "not_ephemeral", "member_add_mode",
        "membership_approval_mode",
    ]

    // MARK: To the group server

    private func answerGroupServer(_ request: IQRequest, _ child: Stanza) throws -> Stanza {
        let account = request.account
        switch (request.isSet, child.tag) {
        case (false, "participating"):
            let nodes = groups.values.filter { !$0.isDeleted && $0.participants[account.phone] != nil }.map {
                stanza(
                    of: $0, withParticipants: child.child("participants") != nil,
                    withDescription: child.child("description") != nil)
            }
            return request.result(nodes.isEmpty ? Stanza("groups") : Stanza("groups", children: nodes))
        case (false, "query"):
            let nodes = child.children("group").compactMap { $0.jid("jid") }.map { jid in
                guard let group = groups[jid.user], !group.isDeleted else {
                    return Stanza("group", ["id": .text(jid.user), "error": "404"])
                }
                guard group.participants[account.phone] != nil else {
                    return Stanza("group", ["id": .text(jid.user), "error": "403"])
                }
                return stanza(of: group)
            }
            return request.result(Stanza("groups", children: nodes))
        case (true, "create"): return try create(child, request)
        case (true, "leave"):
            let nodes = child.childrenContent.map { node in
                guard let jid = node.jid("id") ?? node.jid("jid"), let group = groups[jid.user], !group.isDeleted,
                    group.participants[account.phone] != nil
                else { return Stanza(node.tag, ["id": node.attributes["id"], "error": "404"]) }
                removeParticipants([account.pn], from: group, by: account)
                return Stanza(node.tag, ["id": .jid(group.jid)])
            }
            return request.result(Stanza("leave", children: nodes))
        default: throw IQError.notImplemented
        }
    }

    private func create(_ node: Stanza, _ request: IQRequest) throws -> Stanza {
        // Communities are created with these; a later capability.
        guard node.child("parent") == nil, node.child("linked_parent") == nil else { throw IQError.notImplemented }
        let subject = node["subject"] ?? ""
        guard subject.count <= Self.subjectLimit else { throw IQError.notAcceptable }
        let people = node.children("participant").compactMap { $0.jid("jid") }
        guard people.count < Self.groupSizeLimit else { throw IQError.resourceLimit }
        let (group, outcomes) = createGroup(
            creator: request.account, subject: subject, participants: people, key: node["key"])
        var changes = GroupChanges()
        changes.isLocked = node.child("locked").map { _ in true }
        changes.isAnnouncement = node.child("announcement").map { _ in true }
        changes.ephemeral = node.child("ephemeral")?.int("expiration").flatMap {
            Self.ephemeralTimes.contains($0) ? $0 : nil
        }
        changes.memberAddMode = node.child("member_add_mode")?.textContent
        change(group, changes, by: request.account)
        let rejected = outcomes.filter { $0.error != 0 }.map { rejectedParticipant($0, in: group) }
        return request.result(stanza(of: group, rejected: rejected, key: node["key"]))
    }

    // MARK: To a group

    private func change(_ group: Group, _ child: Stanza, _ request: IQRequest, isAdmin: Bool) throws -> Stanza {
        let actor = request.account
        let people = child.children("participant").compactMap { $0.jid("jid") }
        switch child.tag {
        case "add":
            guard isAdmin || group.memberAddMode == "all_member_add" else { throw IQError.notAuthorized }
            return participants(child.tag, addParticipants(people, to: group, by: actor), group, request)
        case "remove":
            guard isAdmin || people.allSatisfy({ account($0) === actor }) else { throw IQError.notAuthorized }
            return participants(child.tag, removeParticipants(people, from: group, by: actor), group, request)
        case "promote", "demote":
            guard isAdmin else { throw IQError.notAuthorized }
            let role: Group.Role = child.tag == "promote" ? .admin : .member
            return participants(child.tag, setRole(role, of: people, in: group, by: actor), group, request)
        case "subject":
            guard isAdmin || !group.isLocked else { throw IQError.notAuthorized }
            let subject = child.textContent ?? ""
            guard !subject.isEmpty, subject.count <= Self.subjectLimit else { throw IQError.notAcceptable }
            setSubject(subject, of: group, by: actor)
        case "description":
            guard isAdmin || !group.isLocked else { throw IQError.notAuthorized }
            try describe(group, child, by: actor)
        default: try applySetting(child, to: group, by: actor, isAdmin: isAdmin)
        }
        return .result(to: request.stanza)
    }

    private func describe(_ group: Group, _ child: Stanza, by actor: Account) throws {
        guard child["prev"] == group.description?.id else { throw IQError.conflict }
        if child["delete"] == "true" {
            return setDescription(nil, id: child["id"] ?? newStanzaID(), of: group, by: actor)
        }
        guard let id = child["id"], let body = child.child("body")?.textContent else { throw IQError.badRequest }
        guard body.count <= Self.descriptionLimit else { throw IQError.notAcceptable }
        setDescription(body, id: id, of: group, by: actor)
    }

    private func applySetting(_ child: Stanza, to group: Group, by actor: Account, isAdmin: Bool) throws {
        let isTimer = child.tag == "ephemeral" || child.tag == "not_ephemeral"
        guard isAdmin || isTimer && !group.isLocked else { throw IQError.notAuthorized }
        var changes = GroupChanges()
        switch child.tag {
        case "locked", "unlocked": changes.isLocked = child.tag == "locked"
        case "announcement", "not_announcement": changes.isAnnouncement = child.tag == "announcement"
        case "not_ephemeral": changes.ephemeral = 0
        case "ephemeral":
            guard let seconds = child.int("expiration"), Self.ephemeralTimes.contains(seconds) else {
                throw IQError.badRequest
            }
            changes.ephemeral = seconds
        case "member_add_mode":
            guard let mode = child.textContent, ["admin_add", "all_member_add"].contains(mode) else {
                throw IQError.badRequest
            }
            changes.memberAddMode = mode
        case "membership_approval_mode":
            changes.membershipApproval = child.child("group_join")?["state"] == "on"
        default: throw IQError.notImplemented
        }
        change(group, changes, by: actor)
    }

    /// The same element with one `participant` per person asked for, in order.
    private func participants(
        _ tag: String, _ outcomes: [ParticipantOutcome], _ group: Group, _ request: IQRequest
    ) -> Stanza {
        .result(
            to: request.stanza, ["addressing_mode": .text(group.mode.word)],
            children: [
                Stanza(
                    tag,
                    children: outcomes.map { outcome in
                        guard outcome.error == 0, let phone = outcome.phone else {
                            return rejectedParticipant(outcome, in: group)
                        }
                        let role = tag == "promote" ? Group.Role.admin : .member
                        return participant(phone, role: role, in: group) ?? rejectedParticipant(outcome, in: group)
                    })
            ])
    }

    private func rejectedParticipant(_ outcome: ParticipantOutcome, in group: Group) -> Stanza {
        if let phone = outcome.phone, let node = participant(phone, in: group, error: outcome.error) { return node }
        return Stanza("participant", ["jid": .jid(outcome.asked), "error": .int(outcome.error)])
    }
}

import OrderedCollections
import Transport

/// `xmlns="w:g2"` of clients (09, section 11.8; 07, sections 6 to 12): checks in the order of 07 section 6, then the call.
extension World {
    static let subjectLimit = 100
    static let descriptionLimit = 2048

    func answerGroups(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        guard let child = request.child, let to = iq.to else { throw IQError.badRequest }
        guard !to.user.isEmpty else { return try answerGroupServer(request, child) }
        guard to.isGroup else { throw IQError.badRequest }
        guard Self.groupRequests.contains(child.tag) else { throw IQError.notImplemented }
        guard let group = groups[to.user], !group.isDeleted else { throw IQError.itemNotFound }
        if let answer = try answerOutsider(group, child, request) { return answer }
        guard let membership = group.participants[request.account.phone] else { throw IQError.forbidden }
        if !request.isSet { return try read(group, child, request, isAdmin: membership.role.isAdmin) }
        guard !group.isSuspended else { throw IQError.locked }
        return try change(group, child, request, isAdmin: membership.role.isAdmin)
    }

    private static let groupRequests: Set<String> = [
        "query", "add", "remove", "promote", "demote", "subject", "description", "locked", "unlocked",
        "announcement", "not_announcement", "ephemeral", "not_ephemeral", "member_add_mode",
        "membership_approval_mode", "invite", "accept", "revoke", "membership_approval_requests",
        "membership_requests_action", "cancel_membership_requests", "sub_groups", "linked_groups_participants",
        "links", "unlink", "delete_parent", "allow_non_admin_sub_group_creation",
        "not_allow_non_admin_sub_group_creation", "pictures",
    ]

    /// What one may ask who is not in the group; `nil` for everything else.
    private func answerOutsider(_ group: Group, _ child: Stanza, _ request: IQRequest) throws -> Stanza? {
        switch (request.isSet, child.tag) {
        case (false, "query"):
            guard let node = child.child("add_request") else { return nil }
            return try answerAddRequest(node, group, request)
        case (true, "accept"): return try answerAccept(child, group, request)
        case (true, "cancel_membership_requests"): return answerCancelRequests(child, group, request)
        case (false, "sub_groups"), (false, "linked_groups_participants"):
            return try answerCommunity(child, group, request)
        default: return nil
        }
    }

    private func read(_ group: Group, _ child: Stanza, _ request: IQRequest, isAdmin: Bool) throws -> Stanza {
        switch child.tag {
        case "query": return request.result(stanza(of: group))
        case "invite": return try answerInvite(group, request, isAdmin: isAdmin)
        case "membership_approval_requests":
            guard isAdmin else { throw IQError.notAuthorized }
            return answerMembershipRequests(group, request)
        case "pictures": return request.result(Stanza("pictures", children: subGroupPictures(group, child)))
        default: throw IQError.notImplemented
        }
    }

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
        case (_, "invite"):
            guard let code = child["code"] else { throw IQError.badRequest }
            return try answerInviteCode(code, request)
        case (true, "create"): return try create(child, request)
        case (true, "leave"):
            let nodes = child.childrenContent.map { node in
                guard let jid = node.jid("id") ?? node.jid("jid"), let group = groups[jid.user], !group.isDeleted,
                    group.participants[account.phone] != nil
                else { return Stanza(node.tag, ["id": node.attributes["id"], "error": "404"]) }
                for linked in subGroups(of: group) where linked.participants[account.phone] != nil {
                    removeParticipants([account.pn], from: linked, by: account)
                }
                removeParticipants([account.pn], from: group, by: account)
                return Stanza(node.tag, ["id": .jid(group.jid)])
            }
            return request.result(Stanza("leave", children: nodes))
        default: throw IQError.notImplemented
        }
    }

    // MARK: To a group

    private func change(_ group: Group, _ child: Stanza, _ request: IQRequest, isAdmin: Bool) throws -> Stanza {
        let actor = request.account
        let people = child.children("participant").compactMap { $0.jid("jid") }
        switch child.tag {
        case "add":
            guard isAdmin || group.memberAddMode == "all_member_add" else { throw IQError.notAuthorized }
            if !isAdmin, group.membershipApproval { return requestMembership(people, group, request) }
            return participants(child.tag, addParticipants(people, to: group, by: actor), group, request)
        case "remove":
            guard isAdmin || people.allSatisfy({ account($0) === actor }) else { throw IQError.notAuthorized }
            let outcomes = removeParticipants(people, from: group, by: actor)
            if group.community.isParent || child["linked_groups"] == "true" {
                let gone = outcomes.filter { $0.error == 0 }.map(\.asked)
                for linked in subGroups(of: group) { removeParticipants(gone, from: linked, by: actor) }
            }
            return participants(child.tag, outcomes, group, request)
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
        case "invite": return try answerInvite(group, request, isAdmin: isAdmin)
        case "revoke": return answerRevoke(child, group, request)
        case "membership_requests_action", "links", "unlink":
            guard isAdmin else { throw IQError.notAuthorized }
            switch child.tag {
            case "links": return try answerLinks(child, group, request)
            case "unlink": return try answerUnlink(child, group, request)
            default: return try answerMembershipAction(child, group, request)
            }
        case "delete_parent": return try answerDeleteParent(group, request)
        case "allow_non_admin_sub_group_creation", "not_allow_non_admin_sub_group_creation":
            guard isAdmin else { throw IQError.notAuthorized }
            guard group.community.isParent else { throw IQError.notAllowed }
            group.community.membersMayCreateGroups = child.tag.hasPrefix("allow")
            save(group)
            notify(group, by: actor, Stanza(child.tag), to: members(of: group))
        default: try applySetting(child, to: group, by: actor, isAdmin: isAdmin)
        }
        return .result(to: request.stanza)
    }

    /// A member who may not let people in files requests for them.
    private func requestMembership(_ people: [JID], _ group: Group, _ request: IQRequest) -> Stanza {
        let nodes = people.map { jid -> Stanza in
            guard let account = account(jid), account.isRegistered else {
                return Stanza("participant", ["jid": .jid(jid), "error": "404"])
            }
            guard group.participants[account.phone] == nil, var node = participant(account.phone, in: group) else {
                return Stanza("participant", ["jid": .jid(jid), "error": "409"])
            }
            let isNew = fileRequest(account, to: group, method: "non_admin_add", requestor: request.account)
            node.content = .children([Stanza("membership_approval_request", isNew ? [:] : ["error": "304"])])
            return node
        }
        return .result(
            to: request.stanza, ["addressing_mode": .text(group.mode.word)], children: [Stanza("add", children: nodes)])
    }

    private func describe(_ group: Group, _ child: Stanza, by actor: Account) throws {
        if let previous = child["prev"], previous != group.description?.id { throw IQError.conflict }
        let id = child["id"] ?? newStanzaID()
        let body = child.child("body")?.textContent ?? ""
        guard child["delete"] != "true", !body.isEmpty else {
            return setDescription(nil, id: id, of: group, by: actor)
        }
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
            let mode = child.child("group_join") ?? child.child("community_join")
            changes.membershipApproval = mode?["state"] == "on"
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
                            return rejectedParticipant(
                                outcome, in: group, by: tag == "add" ? request.account : nil)
                        }
                        let role = tag == "promote" ? Group.Role.admin : .member
                        return participant(phone, role: role, in: group) ?? rejectedParticipant(outcome, in: group)
                    })
            ])
    }

    func rejectedParticipant(_ outcome: ParticipantOutcome, in group: Group, by actor: Account? = nil) -> Stanza {
        guard let phone = outcome.phone, var node = participant(phone, in: group, error: outcome.error) else {
            return Stanza("participant", ["jid": .jid(outcome.asked), "error": .int(outcome.error)])
        }
        if outcome.error == 403, let actor, let account = accounts[phone] {
            let invite = personalInvite(to: account, by: actor, in: group)
            node.content = .children([
                Stanza("add_request", ["code": .text(invite.code), "expiration": .int(invite.expiration)])
            ])
        }
        return node
    }
}

import OrderedCollections
import Transport

/// Communities: a parent group, its announcement group and the groups linked to it (07, section 16).
extension World {
    private static let subGroupLimit = 100

    /// Live groups of a community, the announcement group first.
    func subGroups(of community: Group) -> [Group] {
        let linked = groups.values.filter { $0.community.parent == community.id && !$0.isDeleted }
        return linked.filter(\.community.isDefaultSubGroup) + linked.filter { !$0.community.isDefaultSubGroup }
    }

    func announcementGroup(of community: Group) -> Group? {
        subGroups(of: community).first { $0.community.isDefaultSubGroup }
    }

    /// Whether somebody is in the community: in its own list or in a group of it.
    private func belongs(_ account: Account, to community: Group) -> Bool {
        community.participants[account.phone] != nil
            || subGroups(of: community).contains { $0.participants[account.phone] != nil }
    }

    /// Makes the parent's announcement group, and a general chat where one is asked for.
    func furnish(_ community: Group, by creator: Account, generalChat: Bool) {
        let (announcements, _) = createGroup(
            creator: creator, subject: community.subject, participants: [], mode: community.mode
        ) { group in
            group.isAnnouncement = true
            group.community.parent = community.id
            group.community.isDefaultSubGroup = true
        }
        addMembers(
            members(of: community).filter { $0 !== creator }, to: announcements, by: creator, reason: "auto_add")
        guard generalChat else { return }
        _ = createGroup(creator: creator, subject: "General", participants: [], mode: community.mode) { group in
            group.community.parent = community.id
            group.community.isGeneralChat = true
        }
    }

    // MARK: Linking

    func answerLinks(_ node: Stanza, _ community: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        guard community.community.isParent else { throw .notAllowed }
        guard let link = node.child("link"), link["link_type"] == "sub_group" else { throw .badRequest }
        let nodes = link.children("group").compactMap { $0.jid("jid") }.map { jid in
            let error = self.link(jid, to: community, by: request.account)
            return Stanza("group", ["jid": .jid(jid), "error": error == 0 ? nil : .int(error)])
        }
        return request.result(
            Stanza("links", children: [Stanza("link", ["link_type": "sub_group"], children: nodes)]))
    }

    /// Returns 0, or the group's own error.
    private func link(_ jid: JID, to community: Group, by actor: Account) -> Int {
        guard let group = groups[jid.user], !group.isDeleted else { return 404 }
        guard let membership = group.participants[actor.phone] else { return 403 }
        guard membership.role.isAdmin else { return 401 }
        if group.community.isParent || group.community.isDefaultSubGroup { return 406 }
        if group.community.parent != nil { return 409 }
        guard subGroups(of: community).count < Self.subGroupLimit else { return 419 }
        let siblings = subGroups(of: community)
        group.community.parent = community.id
        save(group)
        join(group, with: community, by: actor)
        announce("link", community, group, siblings: siblings, by: actor, reason: nil)
        return 0
    }

    /// Members of a linked group come into the community and its announcement group.
    func join(_ group: Group, with community: Group, by actor: Account) {
        for target in [community, announcementGroup(of: community)].compactMap(\.self) {
            let missing = members(of: group).filter { target.participants[$0.phone] == nil }
            addMembers(missing, to: target, by: actor, reason: "auto_add")
        }
    }

    func answerUnlink(_ node: Stanza, _ community: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        guard community.community.isParent else { throw .notAllowed }
        guard node["unlink_type"] == "sub_group" else { throw .badRequest }
        let nodes = node.children("group").map { entry -> Stanza in
            let jid = entry.jid("jid") ?? community.jid
            var answer = Stanza("group", ["jid": .jid(jid)])
            guard let group = groups[jid.user], group.community.parent == community.id, !group.isDeleted else {
                answer["error"] = "404"
                return answer
            }
            guard !group.community.isDefaultSubGroup else {
                answer["error"] = "406"
                return answer
            }
            group.community.parent = nil
            save(group)
            announce(
                "unlink", community, group, siblings: subGroups(of: community), by: request.account,
                reason: "unlink_group")
            if entry["remove_orphaned_members"] == "true" {
                dropOrphans(of: group, from: community, by: request.account)
            }
            return answer
        }
        return request.result(Stanza("unlink", ["unlink_type": "sub_group"], children: nodes))
    }

    private func dropOrphans(of group: Group, from community: Group, by actor: Account) {
        let ordinary = subGroups(of: community).filter { !$0.community.isDefaultSubGroup }
        let orphans = members(of: group).filter { member in
            member !== actor && !ordinary.contains { $0.participants[member.phone] != nil }
        }.map(\.pn)
        for target in [announcementGroup(of: community), community].compactMap(\.self) {
            removeParticipants(orphans, from: target, by: nil)
        }
    }

    /// Tells community, group and siblings of a link or its end (07, sections 16.2 and 16.3).
    func announce(
        _ tag: String, _ community: Group, _ group: Group, siblings: [Group], by actor: Account, reason: String?
    ) {
        func child(_ type: String, _ other: Group) -> Stanza {
            Stanza(
                tag, ["\(tag)_type": .text(type), "unlink_reason": reason.map { .text($0) }],
                children: [
                    Stanza(
                        "group",
                        [
                            "jid": .jid(other.jid), "subject": .text(other.subject), "s_t": .int(other.subjectTime),
                        ])
                ])
        }
        notify(community, by: actor, child("sub_group", group), to: members(of: community))
        notify(group, by: actor, child("parent_group", community), to: members(of: group))
        for sibling in siblings where sibling !== group {
            notify(sibling, by: actor, child("sibling_group", group), to: members(of: sibling))
        }
        changed(community, tag, by: actor, ["linked": .string(group.jid.description)])
    }

    // MARK: Reading

    /// `<sub_groups/>` and `<linked_groups_participants/>`, for anybody in the community.
    func answerCommunity(_ child: Stanza, _ community: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        guard community.community.isParent else { throw .notAllowed }
        guard belongs(request.account, to: community) else { throw .forbidden }
        let linked = subGroups(of: community)
        if child.tag == "sub_groups" {
            return request.result(
                Stanza(
                    "sub_groups",
                    children: linked.map { group in
                        Stanza(
                            "group",
                            [
                                "id": .text(group.id), "subject": .text(group.subject), "s_t": .int(group.subjectTime),
                                "creation": .int(group.created),
                                "creator": accounts[group.creator].map { .jid($0.jid(in: group.mode)) },
                                "size": .int(group.participants.count),
                            ],
                            children: (group.community.isDefaultSubGroup ? [Stanza("default_sub_group")] : [])
                                + (group.community.isGeneralChat ? [Stanza("general_chat")] : []))
                    }))
        }
        var seen: OrderedSet<String> = []
        for group in linked { for phone in group.participants.keys { seen.append(phone) } }
        return request.result(
            Stanza(
                "linked_groups_participants",
                children: seen.compactMap { accounts[$0] }.map {
                    Stanza("participant", ["jid": .jid($0.lidJID), "phone_number": .jid($0.pn)])
                }))
    }

    /// `<delete_parent/>`: the creator ends the community; its groups live on, its announcement group does not.
    func answerDeleteParent(_ community: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        guard community.community.isParent else { throw .notAllowed }
        guard community.participants[request.account.phone]?.role == .superadmin else { throw .notAuthorized }
        for group in subGroups(of: community) {
            if group.community.isDefaultSubGroup {
                end(group, by: request.account, reason: "delete_parent")
                continue
            }
            group.community.parent = nil
            save(group)
            notify(
                group, by: request.account,
                Stanza(
                    "unlink", ["unlink_type": "parent_group", "unlink_reason": "delete_parent"],
                    children: [Stanza("group", ["jid": .jid(community.jid)])]), to: members(of: group))
        }
        end(community, by: request.account, reason: "delete_parent")
        return .result(to: request.stanza)
    }

    private func end(_ group: Group, by actor: Account, reason: String) {
        let people = members(of: group)
        group.isDeleted = true
        save(group)
        notify(group, by: actor, Stanza("delete", ["reason": .text(reason)]), to: people)
        changed(group, "delete", by: actor, [:])
    }
}

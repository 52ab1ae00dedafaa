import OrderedCollections
import Transport

/// `<create>` of a client: groups, communities, groups of a community (07, section 8).
extension World {
    func create(_ node: Stanza, _ request: IQRequest) throws(IQError) -> Stanza {
        let account = request.account
        if let key = node["key"], let earlier = createdGroups["\(account.phone)/\(key)"].flatMap({ groups[$0] }) {
            var answer = stanza(of: earlier, key: key)
            answer.attributes["jid"] = .jid(earlier.jid)
            return request.result(answer)
        }
        let subject = node["subject"] ?? ""
        let parent = node.child("parent")
        guard subject.count <= Self.subjectLimit, parent == nil || !subject.isEmpty else { throw .notAcceptable }
        let people = node.children("participant").compactMap { $0.jid("jid") }
        guard people.count < Self.groupSizeLimit else { throw .resourceLimit }
        var community: Group?
        if let parent = node.child("linked_parent") { community = try linkedParent(parent, account) }
        let (group, outcomes) = createGroup(
            creator: account, subject: subject, participants: people, mode: Self.mode(node), key: node["key"]
        ) { group in
            prepare(group, node, account)
            group.community.parent = community?.id
        }
        if let key = node["key"] { createdGroups["\(account.phone)/\(key)"] = group.id }
        if parent != nil {
            furnish(group, by: account, generalChat: node.child("create_general_chat") != nil)
        }
        if let community {
            join(group, with: community, by: account)
            let siblings = subGroups(of: community).filter { $0 !== group }
            announce("link", community, group, siblings: siblings, by: account, reason: nil)
        }
        let rejected = outcomes.filter { $0.error != 0 }.map { rejectedParticipant($0, in: group, by: account) }
        return request.result(stanza(of: group, rejected: rejected, key: node["key"]))
    }

    /// The community that a new group is to belong to, if the caller may make groups there.
    private func linkedParent(_ node: Stanza, _ account: Account) throws(IQError) -> Group {
        guard let jid = node.jid("jid"), let community = groups[jid.user], !community.isDeleted else {
            throw .itemNotFound
        }
        guard community.community.isParent else { throw .forbidden }
        guard let membership = community.participants[account.phone] else { throw .forbidden }
        guard membership.role.isAdmin || community.community.membersMayCreateGroups else { throw .notAuthorized }
        return community
    }

    private static func mode(_ node: Stanza) -> AddressSpace? {
        switch node.child("addressing_mode_override")?["mode"] {
        case "pn": .pn
        case "lid": .lid
        default: nil
        }
    }

    /// What the group has from its beginning, before anybody hears of it.
    private func prepare(_ group: Group, _ node: Stanza, _ account: Account) {
        group.isLocked = node.child("locked") != nil
        group.isAnnouncement = node.child("announcement") != nil
        if let seconds = node.child("ephemeral")?.int("expiration"), Self.ephemeralTimes.contains(seconds) {
            group.ephemeral = seconds
        }
        if let mode = node.child("member_add_mode")?.textContent, ["admin_add", "all_member_add"].contains(mode) {
            group.memberAddMode = mode
        }
        group.membershipApproval = node.child("membership_approval_mode")?.child("group_join")?["state"] == "on"
        if let parent = node.child("parent") {
            group.community.isParent = true
            group.community.defaultApprovalMode = parent["default_membership_approval_mode"] ?? "request_required"
            group.community.membersMayCreateGroups = node.child("allow_non_admin_sub_group_creation") != nil
        }
        if let description = node.child("description"), let body = description.child("body")?.textContent,
            !body.isEmpty, body.count <= Self.descriptionLimit
        {
            group.description = Group.Description(
                id: description["id"] ?? newStanzaID(), text: body, time: clock.seconds, owner: account.phone)
        }
    }
}

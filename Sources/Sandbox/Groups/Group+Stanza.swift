import OrderedCollections
import Transport

/// The `<group>` and `<participant>` nodes (07, sections 4 and 5).
extension World {
    /// `withParticipants` and `withDescription` are what `participating` can leave out.
    func stanza(
        of group: Group, withParticipants: Bool = true, withDescription: Bool = true, rejected: [Stanza] = [],
        key: String? = nil
    ) -> Stanza {
        let isLID = group.mode == .lid
        var attributes: StanzaAttributes = [
            "id": .text(group.id), "subject": group.subject.isEmpty ? nil : .text(group.subject),
            "s_t": .int(group.subjectTime), "creation": .int(group.created),
            "size": .int(group.participants.count), "addressing_mode": .text(group.mode.word),
            "a_v_id": .int(group.announcementVersion), "p_v_id": .int(group.participantVersion),
            "key": key.map { .text($0) },
        ]
        if let creator = accounts[group.creator] {
            attributes["creator"] = .jid(creator.jid(in: group.mode))
            if isLID { attributes["creator_pn"] = .jid(creator.pn) }
        }
        if let owner = accounts[group.subjectOwner] {
            attributes["s_o"] = .jid(owner.jid(in: group.mode))
            if isLID { attributes["s_o_pn"] = .jid(owner.pn) }
        }
        var children: [Stanza] = []
        if withParticipants {
            children += group.participants.compactMap { participant($0.key, role: $0.value.role, in: group) }
        }
        children += rejected
        if withDescription, let description = group.description { children.append(stanza(of: description, in: group)) }
        if group.isAnnouncement { children.append(Stanza("announcement")) }
        if group.isLocked { children.append(Stanza("locked")) }
        if group.ephemeral > 0 { children.append(Stanza("ephemeral", ["expiration": .int(group.ephemeral)])) }
        // Bytes: whatsmeow reads the mode only as data.
        children.append(Stanza("member_add_mode", bytes: Array(group.memberAddMode.utf8)))
        if group.membershipApproval {
            children.append(
                Stanza("membership_approval_mode", children: [Stanza("group_join", ["state": "on"])]))
        }
        if group.isSuspended { children.append(Stanza("suspended")) }
        let community = group.community
        if community.isParent {
            children.append(
                Stanza(
                    "parent",
                    ["default_membership_approval_mode": community.defaultApprovalMode.map { .text($0) }]))
        }
        if let parent = community.parent { children.append(Stanza("linked_parent", ["jid": .jid(.group(parent))])) }
        if community.isDefaultSubGroup { children.append(Stanza("default_sub_group")) }
        if community.isGeneralChat { children.append(Stanza("general_chat")) }
        if community.membersMayCreateGroups { children.append(Stanza("allow_non_admin_sub_group_creation")) }
        return Stanza("group", attributes, children: children)
    }

    func stanza(of description: Group.Description, in group: Group) -> Stanza {
        let owner = accounts[description.owner]
        return Stanza(
            "description",
            [
                "id": .text(description.id), "t": .int(description.time),
                "participant": owner.map { .jid($0.jid(in: group.mode)) },
                "participant_pn": group.mode == .lid ? owner.map { .jid($0.pn) } : nil,
            ], children: [Stanza("body", bytes: Array(description.text.utf8))])
    }

    /// A member's node: primary address in the group's mode, the other one beside it.
    func participant(_ phone: String, role: Group.Role = .member, in group: Group, error: Int? = nil) -> Stanza? {
        guard let account = accounts[phone] else { return nil }
        return Stanza(
            "participant",
            [
                "jid": .jid(account.jid(in: group.mode)),
                (group.mode == .lid ? "phone_number" : "lid"): .jid(account.jid(in: group.mode.other)),
                "type": role == .member ? nil : .text(role.rawValue), "error": error.map { .int($0) },
            ])
    }
}

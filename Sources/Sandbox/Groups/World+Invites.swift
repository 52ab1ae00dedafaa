import OrderedCollections
import Transport

/// Invite links and personal invites (07, sections 13 and 14).
extension World {
    private static let codeAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    /// Seconds for which a personal invite is good.
    private static let inviteLifetime: Int64 = 259_200

    // MARK: Link

    /// The group's code; a first one is made on demand.
    package func inviteCode(of group: Group) -> String {
        if let code = group.inviteCode { return code }
        let code = random.text("group/invites", count: 22, alphabet: Self.codeAlphabet)
        group.inviteCode = code
        save(group)
        return code
    }

    /// Takes the present link out of use for ever and tells the admins of the new one.
    @discardableResult
    package func resetInvite(of group: Group, by actor: Account?) -> String {
        if let old = group.inviteCode { group.admission.revokedCodes.append(old) }
        group.inviteCode = nil
        let code = inviteCode(of: group)
        notify(group, by: actor, Stanza("invite", ["code": .text(code)]), to: admins(of: group))
        changed(group, "invite", by: actor, [:])
        return code
    }

    func admins(of group: Group) -> [Account] {
        group.participants.filter { $0.value.role.isAdmin }.keys.compactMap { accounts[$0] }
    }

    func answerInvite(_ group: Group, _ request: IQRequest, isAdmin: Bool) throws(IQError) -> Stanza {
        guard isAdmin else { throw .notAuthorized }
        guard !group.community.isDefaultSubGroup else { throw .notAllowed }
        let code = request.isSet ? resetInvite(of: group, by: request.account) : inviteCode(of: group)
        return request.result(Stanza("invite", ["code": .text(code)]))
    }

    /// The live group of a code. Throws 406 for what is no code, 410 for one that was reset, 404.
    private func group(invite code: String) throws(IQError) -> Group {
        guard (20...24).contains(code.utf8.count), code.allSatisfy({ Self.codeAlphabet.contains($0) }) else {
            throw .notAcceptable
        }
        if let group = groups.values.first(where: { $0.inviteCode == code && !$0.isDeleted }) { return group }
        if groups.values.contains(where: { $0.admission.revokedCodes.contains(code) }) { throw .gone }
        throw .itemNotFound
    }

    /// `<invite code/>` to the group server: get previews, set joins.
    func answerInviteCode(_ code: String, _ request: IQRequest) throws(IQError) -> Stanza {
        let group = try group(invite: code)
        guard request.isSet else { return request.result(preview(of: group, for: request.account)) }
        let account = request.account
        if group.participants[account.phone] != nil { throw .alreadyExists }
        if group.isSuspended { throw .locked }
        if group.admission.removed.contains(account.phone) { throw .notAllowed }
        return request.result(try join(group, account, method: "invite_link", reason: "invite"))
    }

    /// A group as one sees it who is not in it: the real size, and only its admins.
    private func preview(of group: Group, for account: Account) -> Stanza {
        var node = stanza(of: group, withParticipants: false)
        var children = node.childrenContent
        children += group.participants.filter { $0.value.role.isAdmin }.compactMap {
            participant($0.key, role: $0.value.role, in: group)
        }
        if group.admission.request(of: account.phone) != nil {
            children.append(Stanza("membership_approval_request", ["error": "304"]))
        }
        node.content = .children(children)
        return node
    }

    /// Lets an account in, or files its request where admins must approve.
    private func join(
        _ group: Group, _ account: Account, method: String, reason: String
    ) throws(IQError) -> Stanza {
        if group.membershipApproval {
            fileRequest(account, to: group, method: method, requestor: nil)
            return Stanza("membership_approval_request", ["jid": .jid(group.jid)])
        }
        guard group.participants.count < Self.groupSizeLimit else { throw .resourceLimit }
        addMembers([account], to: group, by: account, reason: reason)
        return Stanza("group", ["jid": .jid(group.jid)])
    }

    // MARK: Personal invites

    /// The invite that a denied add offers; the same one again while it is good.
    func personalInvite(to invitee: Account, by inviter: Account, in group: Group) -> Group.Admission.Invite {
        let now = clock.seconds
        if let known = group.admission.invites.first(where: {
            $0.inviter == inviter.phone && $0.invitee == invitee.phone && $0.expiration > now
        }) {
            return known
        }
        let invite = Group.Admission.Invite(
            code: random.text("group/personal-invites", count: 16, alphabet: Self.codeAlphabet),
            inviter: inviter.phone, invitee: invitee.phone, expiration: now + Self.inviteLifetime)
        group.admission.invites.append(invite)
        save(group)
        return invite
    }

    /// `<add_request code expiration admin/>` inside of `<query>`: a preview for the invited one.
    func answerAddRequest(_ node: Stanza, _ group: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        _ = try invite(node, group, request.account)
        return request.result(stanza(of: group))
    }

    /// `<accept code expiration admin/>`.
    func answerAccept(_ node: Stanza, _ group: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        if group.participants[request.account.phone] != nil { throw .alreadyExists }
        let invite = try invite(node, group, request.account)
        if group.isSuspended { throw .locked }
        guard let inviter = group.participants[invite.inviter],
            inviter.role.isAdmin || group.memberAddMode == "all_member_add"
        else { throw .notAuthorized }
        let answer = try join(group, request.account, method: "invite_link", reason: "accept")
        group.admission.invites.removeAll { $0.code == invite.code }
        save(group)
        return request.result(answer)
    }

    private func invite(
        _ node: Stanza, _ group: Group, _ account: Account
    ) throws(IQError) -> Group.Admission.Invite {
        guard let code = node["code"], let invite = group.admission.invites.first(where: { $0.code == code }) else {
            throw .itemNotFound
        }
        guard invite.expiration > clock.seconds else { throw .gone }
        guard invite.invitee == account.phone, node.jid("admin").flatMap({ self.account($0)?.phone }) == invite.inviter
        else { throw .forbidden }
        return invite
    }

    /// `<revoke><participant jid/>…</revoke>`: takes personal invites back.
    func answerRevoke(_ node: Stanza, _ group: Group, _ request: IQRequest) -> Stanza {
        var revoked: [Stanza] = []
        let people = node.children("participant").compactMap { $0.jid("jid") }.map { jid in
            guard let phone = account(jid)?.phone,
                let invite = group.admission.invites.first(where: { $0.invitee == phone }),
                let plain = participant(phone, in: group)
            else { return Stanza("participant", ["jid": .jid(jid), "error": "404"]) }
            group.admission.invites.removeAll { $0.invitee == phone }
            var told = plain
            told["expiration"] = String(invite.expiration)
            revoked.append(told)
            return plain
        }
        save(group)
        if !revoked.isEmpty {
            notify(group, by: request.account, Stanza("revoke", children: revoked), to: admins(of: group))
        }
        return request.result(Stanza("revoke", children: people))
    }
}

import OrderedCollections
import Transport

/// People who wait for an admin's approval (07, section 15).
extension World {
    /// Files a request and tells the admins. A second one of the same person changes nothing.
    @discardableResult
    func fileRequest(_ account: Account, to group: Group, method: String, requestor: Account?) -> Bool {
        guard group.admission.request(of: account.phone) == nil else { return false }
        group.admission.requests.append(
            Group.Admission.Request(
                phone: account.phone, time: clock.seconds, method: method, requestor: requestor?.phone))
        save(group)
        notify(
            group, by: requestor ?? account,
            Stanza(
                "created_membership_requests", ["request_method": .text(method)],
                children: [
                    Stanza(
                        "requested_user",
                        [
                            "jid": .jid(account.jid(in: group.mode)),
                            "phone_number": group.mode == .lid ? .jid(account.pn) : nil,
                        ])
                ]), to: admins(of: group))
        changed(group, "request", by: account, ["method": .string(method)])
        return true
    }

    func answerMembershipRequests(_ group: Group, _ request: IQRequest) -> Stanza {
        let isLID = group.mode == .lid
        let nodes = group.admission.requests.compactMap { entry -> Stanza? in
            guard let account = accounts[entry.phone] else { return nil }
            let requestor = entry.requestor.flatMap { accounts[$0] }
            return Stanza(
                "membership_approval_request",
                [
                    "jid": .jid(account.jid(in: group.mode)), "request_time": .int(entry.time),
                    "request_method": .text(entry.method), "phone_number": isLID ? .jid(account.pn) : nil,
                    "requestor": requestor.map { .jid($0.jid(in: group.mode)) },
                    "requestor_pn": isLID ? requestor.map { .jid($0.pn) } : nil,
                ])
        }
        return .result(
            to: request.stanza, ["addressing_mode": .text(group.mode.word)],
            children: [Stanza("membership_approval_requests", children: nodes)])
    }

    /// `<membership_requests_action><approve|reject>…`: both wrappers are mirrored.
    func answerMembershipAction(_ node: Stanza, _ group: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        let actions = node.childrenContent.filter { $0.tag == "approve" || $0.tag == "reject" }
        guard !actions.isEmpty else { throw .badRequest }
        let answers = actions.map { action in
            let people = action.children("participant").compactMap { $0.jid("jid") }
            let errors = decide(people, approve: action.tag == "approve", in: group, by: request.account)
            return Stanza(
                action.tag,
                children: zip(people, errors).map { jid, error in
                    var answer =
                        account(jid).flatMap { participant($0.phone, in: group) }
                        ?? Stanza("participant", ["jid": .jid(jid)])
                    if error != 0 { answer["error"] = String(error) }
                    return answer
                })
        }
        return request.result(Stanza("membership_requests_action", children: answers))
    }

    /// Approves or rejects; one code per person, 0 = done.
    package func decide(_ people: [JID], approve: Bool, in group: Group, by actor: Account) -> [Int] {
        people.map { jid in
            guard let account = account(jid), let entry = group.admission.request(of: account.phone) else { return 404 }
            if approve, group.participants.count >= Self.groupSizeLimit { return 419 }
            group.admission.requests.removeAll { $0.phone == account.phone }
            if group.participants[account.phone] != nil { return 409 }
            if approve {
                addMembers(
                    [account], to: group, by: actor,
                    reason: entry.method == "invite_link"
                        ? "invite" : entry.method == "linked_group_join" ? "linked_group_join" : nil)
            } else {
                withdraw(account, from: group, by: actor)
            }
            return 0
        }
    }

    /// `<cancel_membership_requests>` of the requester.
    func answerCancelRequests(_ node: Stanza, _ group: Group, _ request: IQRequest) -> Stanza {
        let people = node.children("participant").compactMap { $0.jid("jid") }.map { jid in
            guard let account = account(jid), group.admission.request(of: account.phone) != nil else {
                return Stanza("participant", ["jid": .jid(jid), "error": "404"])
            }
            guard account === request.account else {
                return Stanza("participant", ["jid": .jid(jid), "error": "401"])
            }
            group.admission.requests.removeAll { $0.phone == account.phone }
            withdraw(account, from: group, by: account)
            return Stanza("participant", ["jid": .jid(jid)])
        }
        return request.result(Stanza("cancel_membership_requests", children: people))
    }

    /// Tells admins and the requester that a request is gone.
    private func withdraw(_ account: Account, from group: Group, by actor: Account) {
        save(group)
        guard let node = participant(account.phone, in: group) else { return }
        var recipients = admins(of: group)
        if !recipients.contains(where: { $0 === account }) { recipients.append(account) }
        notify(group, by: actor, Stanza("revoked_membership_requests", children: [node]), to: recipients)
        changed(group, "request_revoked", by: actor, ["participant": .string(account.phone)])
    }
}

import Cryptography
import OrderedCollections
import Transport

/// Privacy settings, privacy tokens, blocklist (09, sections 11.9 and 18; 08, sections 9, 11, 12).
extension World {
    // MARK: privacy

    func answerPrivacy(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        if let tokens = iq.child("tokens"), request.isSet {
            for node in tokens.children("token") { issueToken(node, from: request.account) }
            return .result(to: iq)
        }
        guard let privacy = iq.child("privacy") else { throw IQError.notImplemented }
        if request.isSet {
            guard let node = privacy.child("category"), let name = node["name"], let value = node["value"] else {
                throw IQError.badRequest
            }
            try setPrivacy(name, value, of: request.account, by: request.device)
            return request.result(
                Stanza(
                    "privacy", children: [Stanza("category", ["name": .text(name), "value": .text(value)])]))
        }
        if privacy.child("list") != nil { return request.result(Stanza("privacy")) }
        return request.result(
            Stanza(
                "privacy",
                children: PrivacyCategory.all.map { category in
                    Stanza(
                        "category",
                        [
                            "name": .text(category.name),
                            "value": .text(request.account.privacyValue(category.name) ?? category.defaultValue),
                        ])
                }))
    }

    /// Changes one setting and tells the account's other companions. Throws ``IQError/badRequest`` for an unknown name or value.
    package func setPrivacy(_ name: String, _ value: String, of account: Account, by device: Device?) throws(IQError) {
        guard let category = PrivacyCategory.named(name), category.values.contains(value) else {
            throw .badRequest
        }
        account.privacy[name] = value
        save(account)
        syncAccount(
            account, except: device,
            Stanza(
                "privacy", ["action": "modify"],
                children: [Stanza("category", ["name": .text(name), "value": .text(value)])]))
    }

    private func issueToken(_ node: Stanza, from issuer: Account) {
        guard node["type"] == "trusted_contact", let jid = node.jid("jid"), let holder = account(jid),
            holder !== issuer
        else { return }
        let time = node.int("t").map(Int64.init) ?? clock.seconds
        let token = privacyToken(from: issuer, to: holder, bucket: PrivacyToken.bucket(time))
        for device in holder.devices.values {
            enqueue(
                Stanza(
                    "notification",
                    [
                        "from": .jid(issuer.pn), "sender_lid": .jid(issuer.lidJID), "id": .text(newStanzaID()),
                        "t": .int(clock.seconds), "type": "privacy_token",
                    ],
                    children: [
                        Stanza(
                            "tokens",
                            children: [
                                Stanza("token", ["type": "trusted_contact", "t": .int(time)], bytes: token)
                            ])
                    ]),
                for: device)
        }
    }

    // MARK: blocklist

    func answerBlocklist(_ request: IQRequest) throws -> Stanza {
        let account = request.account
        guard request.isSet else {
            if let known = request.stanza.child("item")?["dhash"], known == account.blocklistHash {
                return .result(to: request.stanza)
            }
            return request.result(blocklist(of: account))
        }
        guard let item = request.stanza.child("item"), let jid = item.jid("jid") ?? item.jid("pn_jid"),
            let action = item["action"], ["block", "unblock"].contains(action)
        else { throw IQError.badRequest }
        guard let target = self.account(jid), target !== account else { throw IQError.itemNotFound }
        setBlocked(target, action == "block", for: account, by: request.device)
        return request.result(blocklist(of: account))
    }

    private func blocklist(of account: Account) -> Stanza {
        Stanza(
            "list", ["dhash": .text(account.blocklistHash), "addressing_mode": "lid", "matched": "false"],
            children: account.blocked.compactMap { accountsByLID[$0] }.map {
                Stanza("item", ["jid": .jid($0.lidJID), "pn_jid": .jid($0.pn)])
            })
    }

    /// Blocks or unblocks `target` for `account` and tells the account's other companions.
    package func setBlocked(_ target: Account, _ isBlocked: Bool, for account: Account, by device: Device?) {
        guard account.blocked.contains(target.lid) != isBlocked else { return }
        if isBlocked { account.blocked.append(target.lid) } else { account.blocked.remove(target.lid) }
        let before = account.blocklistHash
        let micros = clock.milliseconds * 1000
        account.blocklistHash = String(max(micros, (Int64(before) ?? 0) + 1))
        save(account)
        syncAccount(
            account, except: device,
            Stanza(
                "blocklist",
                ["action": "modify", "dhash": .text(account.blocklistHash), "prev_dhash": .text(before)],
                children: [
                    Stanza(
                        "item",
                        ["jid": .jid(target.lidJID), "action": isBlocked ? "block" : "unblock"])
                ]))
    }

    // MARK: account_sync

    /// An `account_sync` notification with one child to the account's devices, the acting one left out.
    func syncAccount(_ account: Account, except device: Device?, _ child: Stanza) {
        for other in account.companions where other !== device {
            enqueue(
                Stanza(
                    "notification",
                    [
                        "from": .jid(account.pn), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                        "type": "account_sync",
                    ], children: [child]),
                for: other)
        }
    }
}

import Cryptography
import OrderedCollections
import Transport

/// About text, picture, default timer (09, sections 11.9 and 18; 08, sections 4, 5, 10, 15).
extension World {
    func answerStatus(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        if request.isSet {
            if let text = iq.child("status") {
                setAbout(text.textContent ?? "", of: request.account, by: request.device)
                return .result(to: iq)
            }
            guard iq.child("privacy") != nil else { throw IQError.notImplemented }
            return .result(to: iq)
        }
        guard iq.child("privacy") != nil else { throw IQError.notImplemented }
        return request.result(
            Stanza("privacy", children: [Stanza("list", ["type": "contacts", "default": "true"])]))
    }

    package func setAbout(_ text: String, of account: Account, by device: Device?) {
        account.about = Account.About(text: text, time: clock.seconds)
        save(account)
        syncAccount(account, except: device, Stanza("status"))
        tellAcquaintances(of: account, category: "status") { [self] jid in
            Stanza(
                "notification",
                ["from": .jid(jid), "id": .text(newStanzaID()), "t": .int(clock.seconds), "type": "status"],
                children: [Stanza("set", bytes: Bytes(text.utf8))])
        }
    }

    func answerDisappearingMode(_ request: IQRequest) throws -> Stanza {
        guard request.isSet, let node = request.stanza.child("disappearing_mode"),
            let duration = node.int("duration"), Self.ephemeralTimes.contains(duration)
        else { throw IQError.badRequest }
        let account = request.account
        account.disappearing = (duration, clock.seconds)
        save(account)
        syncAccount(
            account, except: request.device,
            Stanza("disappearing_mode", ["duration": .int(duration), "t": .int(clock.seconds)]))
        return .result(to: request.stanza)
    }

    // MARK: Pictures

    /// JPEG's first two bytes.
    static let jpegMark: Bytes = [0xFF, 0xD8]

    func answerPicture(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        let target = iq.jid("target")
        let group = try target.flatMap { $0.isGroup ? $0 : nil }.map { jid in
            guard let group = groups[jid.user], !group.isDeleted else { throw IQError.itemNotFound }
            return group
        }
        if request.isSet {
            let picture = iq.children("picture").first { $0["type"] != "preview" }
            if let group { return try answerGroupPicture(picture, group, request) }
            if let target, account(target) !== request.account { throw IQError.notAuthorized }
            guard let jpeg = picture?.bytesContent, !jpeg.isEmpty else {
                setPicture(nil, of: request.account, by: request.device)
                return .result(to: iq)
            }
            guard jpeg.starts(with: Self.jpegMark) else { throw IQError.notAcceptable }
            setPicture(jpeg, of: request.account, by: request.device)
            return request.result(Stanza("picture", ["id": .text(request.account.picture?.id ?? "0")]))
        }
        guard let query = iq.child("picture") else { throw IQError.badRequest }
        let found: Account.Picture?
        if let group {
            found = group.picture
        } else {
            let owner = target.map { account($0) } ?? request.account
            if let owner, owner.picture != nil, !maySee(request.account, "profile", of: owner) {
                throw IQError.notAuthorized
            }
            found = owner?.picture
        }
        guard let found else { throw IQError.itemNotFound }
        if query["id"] == found.id { return request.result(Stanza("picture", ["status": "304"])) }
        let owner = group?.id ?? target.flatMap { account($0)?.phone } ?? request.account.phone
        return request.result(picture(found, owner: owner, type: query.attributes["type"]))
    }

    /// Sets or with `nil` removes the picture and tells own devices and acquaintances.
    package func setPicture(_ jpeg: Bytes?, of account: Account, by device: Device?) {
        let id = String(max(clock.seconds, (account.picture.flatMap { Int64($0.id) } ?? 0) + 1))
        account.picture = jpeg.map { Account.Picture(id: id, jpeg: $0) }
        save(account)
        syncAccount(account, except: device, Stanza("picture"))
        tellAcquaintances(of: account, category: "profile") { [self] jid in
            let child =
                jpeg == nil
                ? Stanza("delete", ["jid": .jid(jid), "author": .jid(jid)])
                : Stanza("set", ["jid": .jid(jid), "id": .text(id), "author": .jid(jid)])
            return Stanza(
                "notification",
                ["from": .jid(jid), "id": .text(newStanzaID()), "t": .int(clock.seconds), "type": "picture"],
                children: [child])
        }
    }

    /// One notification to every device of the accounts that met `account` or share a group with it and may see `category`.
    private func tellAcquaintances(of account: Account, category: String, _ stanza: (JID) -> Stanza) {
        let phones = Set(acquaintances.of(account.phone)).union(groupPeers(of: account)).subtracting([account.phone])
        for phone in phones.sorted() {
            guard let other = accounts[phone], maySee(other, category, of: account) else { continue }
            for device in other.companions { enqueue(stanza(account.lidJID), for: device) }
        }
    }
}

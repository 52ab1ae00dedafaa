import Cryptography
import OrderedCollections
import Transport

/// `xmlns="usync"`: who is on WhatsApp, with which devices and which public face (09, section 11.4; 08, section 3).
extension World {
    func answerUsync(_ request: IQRequest) throws -> Stanza {
        guard let usync = request.stanza.child("usync"), let query = usync.child("query"),
            let list = usync.child("list")
        else { throw IQError.badRequest }
        let question = UsyncQuestion(
            protocols: query.childrenContent, reader: request.device,
            faults: fire(.usync, request.stanza, connection: request.device.connection, device: request.device))
        guard !question.protocols.contains(where: { $0.tag == "bot" }) else { throw IQError.itemNotFound }
        var answered: Set<JID> = []
        var users: [Stanza] = []
        for node in list.children("user") {
            guard let user = user(node, question), answered.insert(user.jid ?? .serverJID).inserted || user.jid == nil
            else { continue }
            users.append(user.stanza)
        }
        return request.result(
            Stanza(
                "usync",
                [
                    "sid": usync.attributes["sid"], "mode": usync.attributes["mode"],
                    "context": usync.attributes["context"], "last": usync.attributes["last"] ?? "true",
                    "index": usync.attributes["index"] ?? "0",
                ],
                children: [
                    Stanza("result", children: question.protocols.map { Stanza($0.tag) }),
                    Stanza("list", children: users),
                ]))
    }

    private func user(_ node: Stanza, _ question: UsyncQuestion) -> (stanza: Stanza, jid: JID?)? {
        if let contact = node.child("contact"), let query = question.named("contact") {
            return contactUser(contact, query, question)
        }
        guard let asked = node.jid("jid")?.bare, let space = AddressSpace(asked), let account = account(asked),
            account.isRegistered
        else { return nil }
        return (
            Stanza("user", ["jid": .jid(asked)], children: answers(to: question, about: account, in: space)), asked
        )
    }

    /// A phone number in text form: in, out or invalid; the text is echoed as it came.
    private func contactUser(
        _ contact: Stanza, _ query: Stanza, _ question: UsyncQuestion
    ) -> (stanza: Stanza, jid: JID?) {
        let text = contact.bytesContent ?? []
        let wantsLID = query["addressing_mode"] == "lid"
        guard let digits = Self.phoneDigits(text) else {
            return (Stanza("user", children: [Stanza("contact", ["type": "invalid"], bytes: text)]), nil)
        }
        guard let account = accounts[digits], account.isRegistered else {
            let key = wantsLID ? "pn_jid" : "jid"
            return (
                Stanza(
                    "user", [key: .jid(.user(digits))], children: [Stanza("contact", ["type": "out"], bytes: text)]),
                nil
            )
        }
        let attributes: StanzaAttributes =
            wantsLID ? ["jid": .jid(account.lidJID), "pn_jid": .jid(account.pn)] : ["jid": .jid(account.pn)]
        let children =
            [Stanza("contact", ["type": "in"], bytes: text)]
            + answers(to: question, about: account, in: wantsLID ? .lid : .pn)
        return (Stanza("user", attributes, children: children), nil)
    }

    /// Without `@c.us` and `+`: 5 to 17 digits that do not begin with 0.
    private static func phoneDigits(_ text: Bytes) -> String? {
        var digits = String(decoding: text, as: UTF8.self)[...]
        if digits.hasSuffix("@c.us") { digits = digits.dropLast(5) }
        if digits.hasPrefix("+") { digits = digits.dropFirst() }
        guard (5...17).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.first != 0x30
        else { return nil }
        return String(digits)
    }

    private func answers(to question: UsyncQuestion, about account: Account, in space: AddressSpace) -> [Stanza] {
        question.protocols.compactMap { answer($0, question, about: account, in: space) }
    }

    private func answer(
        _ query: Stanza, _ question: UsyncQuestion, about account: Account, in space: AddressSpace
    ) -> Stanza? {
        let reader = question.reader.account
        switch query.tag {
        case "devices":
            remember(question.reader, readsDevicesOf: account, in: space)
            return devices(of: account, in: space, stale: question.faults.contains(.staleDevices))
        case "lid":
            guard space == .pn, !question.faults.contains(.missingLID) else { return nil }
            return Stanza("lid", ["val": .jid(account.lidJID)])
        case "status":
            guard maySee(reader, "status", of: account) else {
                return Stanza("status", ["code": "401", "type": "fail"])
            }
            guard let about = account.about else { return Stanza("status") }
            return Stanza("status", ["t": .int(about.time)], bytes: Bytes(about.text.utf8))
        case "picture":
            guard let picture = account.picture, maySee(reader, "profile", of: account) else { return nil }
            return Stanza("picture", ["id": .text(picture.id)])
        case "disappearing_mode":
            return Stanza(
                "disappearing_mode",
                ["duration": .int(account.disappearing.duration), "t": .int(account.disappearing.time)])
        case "business":
            guard account.businessName != nil, let certificate = account.verifiedName else { return nil }
            return Stanza(
                "business",
                children: [Stanza("verified_name", ["verified_level": "unknown", "v": "1"], bytes: certificate)])
        case "username", "contact", "text_status", "feature": return nil
        default: return nil
        }
    }

    private func devices(of account: Account, in space: AddressSpace, stale: Bool) -> Stanza {
        var devices = account.devices.values.elements
        if stale, devices.count > 1 { devices.removeLast() }
        let list = Stanza(
            "device-list", ["hash": .text(DeviceHash.of(devices.map { $0.jid(in: space) }))],
            children: devices.map {
                Stanza("device", ["id": .int($0.id), "key-index": $0.isPhone ? nil : .int($0.keyIndex)])
            })
        return Stanza("devices", children: [list, keyIndexList(of: account)].compactMap(\.self))
    }
}

/// The `<query>` of one request, with the faults that apply to it.
@SandboxActor
private struct UsyncQuestion {
    let protocols: [Stanza]
    let reader: Device
    let faults: [FaultAction]

    func named(_ tag: String) -> Stanza? { protocols.first { $0.tag == tag } }
}

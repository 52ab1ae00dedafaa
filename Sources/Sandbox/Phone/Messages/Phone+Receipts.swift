import Signal
import Transport

extension Phone {
    /// A receipt for what this account sent, or the news that another own device read something.
    func receiveReceipt(_ stanza: Stanza) {
        if stanza.type == "retry" {
            answerRetry(stanza)
            return
        }
        if stanza.type == "server-error" { return answerMediaRetry(stanza) }
        guard let from = stanza.from else { return }
        var reports: [(id: String, user: JID)] = []
        if let id = stanza.id {
            let ids = [id] + (stanza.child("list")?.children("item").compactMap(\.id) ?? [])
            reports = ids.map { ($0, stanza.jid("participant") ?? from) }
        }
        for participants in stanza.children("participants") {
            guard let id = participants["key"] else { continue }
            reports += participants.children("user").compactMap { user in user.jid("jid").map { (id, $0) } }
        }
        let chat = self.chat(of: stanza, from)
        for (id, wire) in reports {
            let reader = world.account(wire)
            let isOwn = reader === account
            if let chat, let status = PhoneMessage.Status(receipt: stanza.type) {
                update(id, in: chat, sender: isOwn ? nil : account.lidJID) { $0.status = max($0.status, status) }
            }
            emit(
                .phoneReceipt,
                [
                    "id": .string(id), "type": .string(stanza.type ?? "delivery"),
                    "chat": .string((chat ?? from).description),
                    "from": .string(reader?.phone ?? wire.description), "from_device": .number(wire.device),
                    "from_me": .bool(isOwn), "t": .int(Int64(stanza.int("t") ?? 0)),
                ])
        }
    }

    private func chat(of stanza: Stanza, _ from: JID) -> JID? {
        if from.isGroup || from.isBroadcast { return from }
        guard let sender = world.account(from) else { return nil }
        guard sender === account else { return sender.lidJID }
        return stanza.jid("recipient").flatMap { world.account($0)?.lidJID ?? $0 } ?? account.lidJID
    }

    /// Changes of devices, identities and groups. Sessions follow an identity change; the rest needs no action, because a
    /// phone asks for devices and members each time it sends.
    func receiveNotification(_ stanza: Stanza) {
        guard stanza.type == "encrypt", stanza.child("identity") != nil, let from = stanza.from,
            let changed = world.account(from), changed !== account
        else { return }
        keys.forget(user: changed.lidJID)
    }
}

extension PhoneMessage.Status {
    /// What a receipt `type` says about a message; nil for the kinds that say nothing about it.
    init?(receipt type: String?) {
        switch type {
        case nil, "inactive": self = .delivered
        case "read", "read-self": self = .read
        case "played", "played-self": self = .played
        default: return nil
        }
    }
}

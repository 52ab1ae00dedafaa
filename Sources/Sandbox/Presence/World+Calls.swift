import OrderedCollections
import Transport

/// Call signalling: passed on, never answered by the server itself (09, sections 11.5 and 12).
extension World {
    func receiveCall(_ call: Stanza, from device: Device, on connection: ClientConnection) {
        guard let child = call.firstChild else {
            return violation("call", "without content", connection: connection, stanza: call)
        }
        if child.tag == "link_create" {
            let token = random.text(
                "calls/links", count: 22, alphabet: "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789")
            let link = Stanza("link_create", ["token": .text(token), "media": child.attributes["media"]])
            var ack = Stanza.ack(of: call, ["type": "link_create"])
            ack.content = .children([link])
            return connection.send(ack)
        }
        forward(call: call, from: device)
        connection.send(.ack(of: call, ["type": .text(child.tag)]))
    }

    /// To every device of the other party.
    func forward(call: Stanza, from device: Device) {
        guard let to = call.to, let space = AddressSpace(to), let account = account(to), account !== device.account,
            !account.blocked.contains(device.account.lid)
        else { return }
        let forwarded = Stanza(
            "call",
            [
                "from": .jid(device.account.jid(in: space)), "id": .text(call.id ?? newStanzaID()),
                "t": .int(clock.seconds), "notify": .text(device.account.pushName),
            ], content: call.content)
        for target in account.devices.values { enqueue(forwarded, for: target) }
    }

    // MARK: For the control API

    /// A call of an account's phone: `offer`, or `terminate` of an earlier one. Audio is out of scope.
    package func call(_ id: String, from caller: Account, to other: Account, isVideo: Bool, action: String) {
        var children: [Stanza] = []
        if action == "offer" {
            children = [Stanza("audio", ["enc": "opus", "rate": "16000"])] + (isVideo ? [Stanza("video")] : [])
        }
        let content = Stanza(
            action,
            [
                "call-id": .text(id), "call-creator": .jid(caller.lidJID), "caller_pn": .jid(caller.pn),
                "reason": action == "terminate" ? "timeout" : nil,
            ], children: children)
        _ = sendFromPhone(
            caller,
            Stanza("call", ["to": .jid(other.lidJID), "id": .text(newStanzaID())], children: [content]))
    }
}

import OrderedCollections
import Transport

/// Presence and chat state (09, sections 11.13 and 18; 08, sections 13 and 14).
extension World {
    func receivePresence(_ presence: Stanza, from device: Device, on connection: ClientConnection) {
        switch presence.type {
        case "available", "unavailable", nil:
            if let name = presence["name"], !name.isEmpty, name != device.account.pushName {
                device.account.pushName = name
                save(device.account)
            }
            if let type = presence.type { setAvailable(device, type == "available") }
        case "subscribe":
            guard let to = presence.to, let space = AddressSpace(to), let account = account(to) else { return }
            connection.presenceSubscriptions[account.phone] = space
            presenceWatchers[account.phone, default: []].insert(connection.id)
            if !account.blocked.contains(device.account.lid) { sendPresence(of: account, to: device) }
        case "unsubscribe":
            if let account = presence.to.flatMap({ account($0) }) {
                connection.presenceSubscriptions[account.phone] = nil
                presenceWatchers[account.phone]?.remove(connection.id)
            }
        case .some(let type):
            violation("presence", "unknown type \(type)", connection: connection, stanza: presence)
        }
    }

    /// Changes the state of one device and tells subscribers if the account's state changed by it.
    func setAvailable(_ device: Device, _ available: Bool) {
        guard device.isAvailable != available else { return }
        let account = device.account
        let before = account.isAvailable
        device.isAvailable = available
        guard account.isAvailable != before else { return }
        if before {
            account.lastSeen = clock.seconds
            save(account)
        }
        events.emit(
            .presenceChanged, account: account.phone, device: Int(device.id), connection: device.connection?.id,
            ["available": .bool(!before)])
        for id in (presenceWatchers[account.phone] ?? []).sorted() {
            guard let subscriber = connections[id]?.device else { continue }
            if settings.presenceOnlyToAvailable, !subscriber.isAvailable { continue }
            if account.blocked.contains(subscriber.account.lid) { continue }
            guard maySee(subscriber.account, "online", of: account) else { continue }
            sendPresence(of: account, to: subscriber)
        }
    }

    /// Subscriptions end with their connection.
    func forgetPresenceSubscriptions(of connection: ClientConnection) {
        for phone in connection.presenceSubscriptions.keys {
            presenceWatchers[phone]?.remove(connection.id)
            if presenceWatchers[phone]?.isEmpty == true { presenceWatchers[phone] = nil }
        }
        connection.presenceSubscriptions = [:]
    }

    private func sendPresence(of account: Account, to subscriber: Device) {
        guard let connection = subscriber.connection, let space = connection.presenceSubscriptions[account.phone] else {
            return
        }
        let reader = subscriber.account
        let seesLast =
            maySee(reader, "last", of: account) && (reader === account || maySee(account, "last", of: reader))
        let from = account.jid(in: space)
        guard maySee(reader, "online", of: account) else {
            return connection.send(Stanza("presence", ["from": .jid(from), "type": "unavailable", "last": "deny"]))
        }
        if account.isAvailable { return connection.send(Stanza("presence", ["from": .jid(from)])) }
        let last: AttributeValue? = seesLast ? account.lastSeen.map { .int($0) } : "deny"
        connection.send(Stanza("presence", ["from": .jid(from), "type": "unavailable", "last": last]))
    }

    // MARK: Chat state

    /// Passed to the other party's or the other members' available devices; never queued.
    func receiveChatState(_ state: Stanza, from device: Device) {
        guard let to = state.to, let child = state.firstChild, ["composing", "paused"].contains(child.tag) else {
            return violation("chatstate", "without to or state", device: device, stanza: state)
        }
        let sender = device.account
        if to.isGroup {
            guard let group = groups[to.user], group.participants[sender.phone] != nil else { return }
            let isLID = group.mode == .lid
            let forwarded = Stanza(
                "chatstate",
                [
                    "from": .jid(to), "participant": .jid(sender.jid(in: group.mode)),
                    "participant_pn": isLID ? .jid(sender.pn) : nil, "addressing_mode": .text(group.mode.word),
                ], children: [child])
            for phone in group.participants.keys.sorted() where phone != sender.phone {
                if let member = accounts[phone] { pass(forwarded, to: member) }
            }
        } else if let space = AddressSpace(to), let recipient = account(to), recipient !== sender,
            !recipient.blocked.contains(sender.lid)
        {
            pass(Stanza("chatstate", ["from": .jid(sender.jid(in: space))], children: [child]), to: recipient)
        }
    }

    private func pass(_ stanza: Stanza, to account: Account) {
        for device in account.devices.values {
            if device.isPhone {
                tellPhone(account, stanza)
            } else if device.isAvailable {
                device.connection?.send(stanza)
            }
        }
    }

    // MARK: For the phone

    /// The state of device 0.
    package func setPresenceFromPhone(_ account: Account, available: Bool) {
        if let device = account.primary { setAvailable(device, available) }
    }
}

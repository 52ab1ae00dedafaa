import OrderedCollections
import Transport

extension World {
    /// The account a person's JID names, by phone number or LID, whatever the device; `nil` for other kinds of JID.
    package func account(_ jid: JID) -> Account? {
        switch AddressSpace(jid) {
        case .pn: accounts[jid.user]
        case .lid: accountsByLID[jid.user]
        case nil: nil
        }
    }

    /// The existing device a JID names.
    package func device(_ jid: JID) -> Device? {
        account(jid)?.devices[jid.device]
    }

    /// The account a person wrote down: `12025550123`, `+1 202 …`, a PN or a LID. Throws ``WorldError/noSuchAccount``.
    package func account(named text: String) throws(WorldError) -> Account {
        if let account = accounts[text] { return account }
        if let jid = JID.input(text), let account = account(jid) { return account }
        throw .noSuchAccount
    }

    /// Devices of a person in `jid`'s own address space, device 0 first.
    package func devices(of jid: JID) -> [JID] {
        guard let account = account(jid), account.isRegistered, let space = AddressSpace(jid) else { return [] }
        return account.devices.values.map { $0.jid(in: space) }
    }

    /// Seconds for the `t` of a message: world time, never below the last one given out.
    func messageTime() -> Int64 {
        lastMessageTime = max(lastMessageTime, clock.seconds)
        return lastMessageTime
    }

    /// Records that a peer did what the protocol does not allow.
    package func violation(
        _ kind: String, _ detail: String, connection: ClientConnection? = nil, device: Device? = nil,
        stanza: Stanza? = nil, data more: [String: JSONValue] = [:]
    ) {
        counters.violations += 1
        violationKinds[kind, default: 0] += 1
        let device = device ?? connection?.device
        var data = more
        data["kind"] = .string(kind)
        data["detail"] = .string(detail)
        if let stanza { data["stanza"] = .string(stanza.description) }
        events.emit(
            .violation, account: device?.account.phone, device: device.map { Int($0.id) }, connection: connection?.id,
            data)
    }
}

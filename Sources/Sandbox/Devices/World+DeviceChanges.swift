import OrderedCollections
import Transport

/// Companions that come and go, and who is told (09, section 13.3; 02, sections 17.2 and 18).
extension World {
    enum DeviceChange: String {
        case add, remove
    }

    // MARK: For the control API and the phone

    /// Takes a companion out of its account: its queue and keys are dropped, the others are told. With `notify`, a connected
    /// one gets `stream:error` 401 `device_removed`; otherwise it learns by `failure` 401 at its next login.
    package func remove(_ device: Device, reason: String, notify: Bool) {
        let account = device.account
        guard !device.isPhone, account.devices[device.id] === device else { return }
        account.devices[device.id] = nil
        device.isRemoved = true
        erase(device)
        forgetWatcher(device)
        let indexes = [0] + account.companions.map(\.keyIndex).sorted()
        if let phone {
            let time = clock.seconds
            account.keyIndexList = (
                phone.signKeyIndexList(
                    for: account, currentIndex: account.nextKeyIndex - 1, validIndexes: indexes, time: time), time
            )
        }
        save(account)
        events.emit(
            .deviceRemoved, account: account.phone, device: Int(device.id), connection: device.connection?.id,
            ["reason": .string(reason)])
        let connection = device.connection
        device.connection = nil
        if notify {
            connection?.end(with: .conflict("device_removed", code: 401))
        } else {
            connection?.close(code: .normalClosure)
        }
        phone?.companionUnlinked(device)
        notifyDeviceChange(.remove, of: device)
    }

    // MARK: Notices

    /// `account_sync` to the account's other devices; `devices` to everybody else who knows the list, in the address form by
    /// which that client asked.
    func notifyDeviceChange(_ change: DeviceChange, of device: Device) {
        let account = device.account
        let own = accountDevicesNotice(of: account)
        for other in account.companions where other !== device { enqueue(own(), for: other) }
        guard settings.deviceNotices != .none else { return }
        for (watcher, spaces) in deviceListReaders(of: account) {
            for space in spaces {
                enqueue(devicesNotice(change, of: device, in: space), for: watcher)
            }
        }
    }

    private func accountDevicesNotice(of account: Account) -> () -> Stanza {
        let devices = account.devices.values.map { device in
            Stanza(
                "device",
                [
                    "jid": .jid(device.jid(in: .pn)), "key-index": device.isPhone ? nil : .int(device.keyIndex),
                ])
        }
        let hash = DeviceHash.of(account.devices.values.map { $0.jid(in: .pn) })
        let list = keyIndexList(of: account)
        return { [self] in
            Stanza(
                "notification",
                [
                    "from": .jid(account.pn), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                    "type": "account_sync",
                ],
                children: [Stanza("devices", ["dhash": .text(hash)], children: devices + [list].compactMap(\.self))])
        }
    }

    private func devicesNotice(_ change: DeviceChange, of device: Device, in space: AddressSpace) -> Stanza {
        let account = device.account
        let devices = account.devices.values
        let hash = DeviceHash.of(devices.map { $0.jid(in: space) })
        let isPN = space == .pn
        let entry = Stanza(
            "device",
            [
                "jid": .jid(device.jid(in: space)), "lid": isPN ? .jid(device.jid(in: .lid)) : nil,
                "key-index": change == .add ? .int(device.keyIndex) : nil,
            ])
        return Stanza(
            "notification",
            [
                "from": .jid(account.jid(in: space)), "lid": isPN ? .jid(account.lidJID) : nil,
                "id": .text(newStanzaID()), "t": .int(clock.seconds), "type": "devices",
            ],
            children: [
                Stanza(
                    change.rawValue,
                    [
                        "device_hash": .text(hash),
                        "device_lid_hash": isPN ? .text(DeviceHash.of(devices.map { $0.jid(in: .lid) })) : nil,
                    ],
                    children: [entry, keyIndexList(of: account)].compactMap(\.self))
            ])
    }

    /// `<key-index-list ts>` of an account; signed on demand for one that never linked a companion.
    func keyIndexList(of account: Account) -> Stanza? {
        if account.keyIndexList == nil, let phone {
            let time = clock.seconds
            account.keyIndexList = (
                phone.signKeyIndexList(
                    for: account, currentIndex: account.nextKeyIndex - 1,
                    validIndexes: [0] + account.companions.map(\.keyIndex).sorted(), time: time), time
            )
            save(account)
        }
        guard let list = account.keyIndexList else { return nil }
        return Stanza("key-index-list", ["ts": .int(list.time)], bytes: list.bytes)
    }

    /// Devices of other accounts that hold a device list of `account`, with the forms in which they asked. Order: account
    /// number, then device id.
    private func deviceListReaders(of account: Account) -> [(Device, [AddressSpace])] {
        var readers: [String: [UInt16: Set<AddressSpace>]] = [:]
        for (watcher, spaces) in watchers.watchers(of: account.phone) {
            readers[watcher.phone, default: [:]][watcher.device, default: []].formUnion(spaces)
        }
        for phone in groupPeers(of: account) where settings.deviceNotices == .subscribers {
            for device in accounts[phone]?.companions ?? [] {
                let known = readers[phone]?[device.id] ?? []
                readers[phone, default: [:]][device.id] = known.isEmpty ? [.lid] : known
            }
        }
        if settings.deviceNotices == .all {
            for other in accounts.values {
                for device in other.companions where readers[other.phone]?[device.id] == nil {
                    readers[other.phone, default: [:]][device.id] = [.lid]
                }
            }
        }
        readers[account.phone] = nil
        return readers.sorted { $0.key < $1.key }.flatMap { phone, devices in
            devices.sorted { $0.key < $1.key }.compactMap { id, spaces in
                guard let device = accounts[phone]?.devices[id], !device.isPhone else { return nil }
                return (device, [AddressSpace.lid, .pn].filter { spaces.contains($0) })
            }
        }
    }

    /// The identity key of `account` changed: everybody who knew it is told, from the PN and from the LID
    /// (04, section 22.9; 08, section 23.4).
    func notifyIdentityChange(of account: Account) {
        var phones = Set(acquaintances.of(account.phone)).union(groupPeers(of: account))
        phones.remove(account.phone)
        for phone in phones.sorted() {
            for device in accounts[phone]?.devices.values.elements ?? [] {
                tellIdentityChange(of: account, to: device)
            }
        }
    }

    func tellIdentityChange(of account: Account, to device: Device) {
        for space in [AddressSpace.pn, .lid] {
            enqueue(
                Stanza(
                    "notification",
                    [
                        "from": .jid(account.jid(in: space)),
                        "lid": space == .pn ? .jid(account.lidJID) : nil, "id": .text(newStanzaID()),
                        "t": .int(clock.seconds), "type": "encrypt",
                    ],
                    children: [Stanza("identity")]),
                for: device)
        }
    }

    // MARK: Memory

    /// `reader` was told the device list of `account` under an address of `space`.
    func remember(_ reader: Device, readsDevicesOf account: Account, in space: AddressSpace) {
        let watcher = DeviceListWatchers.Watcher(phone: reader.account.phone, device: reader.id)
        guard reader.account !== account, watchers.add(watcher, of: account.phone, space: space) else { return }
        store.put("watch/\(account.phone)/\(watcher.phone)/\(watcher.device)/\(space.word)", [])
    }

    func remember(_ one: Account, met other: Account) {
        guard acquaintances.add(one.phone, other.phone) else { return }
        store.put("met/\(one.phone)/\(other.phone)", [])
    }

    private func forgetWatcher(_ device: Device) {
        watchers.remove(DeviceListWatchers.Watcher(phone: device.account.phone, device: device.id))
        for entry in store.all(under: "watch/")
        where entry.key.contains("/\(device.account.phone)/\(device.id)/") { store.delete(entry.key) }
    }

    /// Watchers, acquaintances and sent messages, from the store.
    func loadMemories() {
        for entry in store.all(under: "watch/") {
            let parts = entry.key.split(separator: "/").map(String.init)
            guard parts.count == 5, let device = UInt16(parts[3]) else { continue }
            _ = watchers.add(
                DeviceListWatchers.Watcher(phone: parts[2], device: device), of: parts[1],
                space: parts[4] == "pn" ? .pn : .lid)
        }
        for entry in store.all(under: "met/") {
            let parts = entry.key.split(separator: "/").map(String.init)
            if parts.count == 3 { _ = acquaintances.add(parts[1], parts[2]) }
        }
        for entry in store.all(under: "wrote/") {
            let parts = entry.key.split(separator: "/").map(String.init)
            if parts.count == 3 { _ = acquaintances.addWriting(parts[1], parts[2]) }
        }
        loadSentMessages()
    }
}

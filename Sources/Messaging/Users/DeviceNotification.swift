import Transport

/// `<notification type="devices">` about another user (02, section 17.2; 04, section 21.3): one added or removed device, or
/// the advice to ask again.
///
/// ```
/// <notification type="devices" from="PN" lid="LID">
///   <add|remove|update device_hash="2:…" [device_lid_hash] [hash]><device jid [lid] key-index/>…</…></notification>
/// ```
package struct DeviceNotification: Sendable, Equatable {
    package enum Change: Sendable, Equatable {
        case add(devices: [JID])
        case remove(devices: [JID])
        case update
    }

    /// Bare.
    package var user: JID
    package var lid: JID?
    package var change: Change
    /// Hash of the whole list afterwards, in PN and in LID form.
    package var hash: String?
    package var lidHash: String?

    package init?(_ stanza: Stanza) {
        guard let from = stanza.from, from.isPerson, let child = stanza.firstChild else { return nil }
        user = from.bare
        lid = stanza.jid("lid")?.bare
        hash = child["device_hash"] ?? child["hash"]
        lidHash = child["device_lid_hash"]
        let devices = child.children("device").compactMap { $0.jid("jid") }
        switch child.tag {
        case "add": change = .add(devices: devices)
        case "remove": change = .remove(devices: devices)
        case "update": change = .update
        default: return nil
        }
    }

    /// The cached list after this change, or nil when it must be dropped: asked to, or the hash does not fit.
    package func applied(to list: UserDeviceList) -> UserDeviceList? {
        var changed = list
        switch change {
        case .add(let devices):
            for device in devices where !changed.devices.contains(device.device) {
                changed.devices.append(device.device)
                if device.isHosted { changed.hosted.append(device.device) }
            }
        case .remove(let devices):
            let gone = devices.map(\.device)
            changed.devices.removeAll(where: gone.contains)
            changed.hosted.removeAll(where: gone.contains)
        case .update: return nil
        }
        let isLID = JID(list.user)?.isLID == true
        guard let expected = isLID ? lidHash : hash else { return changed }
        guard DeviceHash.matches(changed.computedHash, expected) else { return nil }
        changed.hash = expected
        return changed
    }

    /// Devices that are gone, by number: sessions stay, group keys rotate.
    package var removedDevices: [UInt16] {
        if case .remove(let devices) = change { devices.map(\.device) } else { [] }
    }
}

/// The own device list in `<notification type="account_sync"><devices dhash>…` (02, section 17.2).
package struct OwnDevicesNotification: Sendable, Equatable {
    package var devices: [JID]
    package var hash: String?

    package init?(_ stanza: Stanza) {
        guard let list = stanza.child("devices") else { return nil }
        devices = list.children("device").compactMap { $0.jid("jid") }
        hash = list["dhash"]
        if devices.isEmpty { return nil }
    }

    /// The list for `user` (own PN or own LID), or nil when the hash does not fit what is listed.
    package func list(for user: JID, now: Timestamp) -> UserDeviceList? {
        if let hash, !DeviceHash.matches(ParticipantHash.version2(devices), hash) { return nil }
        return UserDeviceList(
            user: user.bare.description, devices: devices.map(\.device),
            hosted: devices.filter(\.isHosted).map(\.device), hash: hash, fetchedAt: now)
    }
}

import OrderedCollections
import Transport

/// Group and status messages (09, sections 14.4 to 14.6; 04, section 22.5).
extension World {
    func relayGroup(_ envelope: MessageEnvelope, _ outcome: inout RelayOutcome) throws(RelayRefusal) {
        let sender = envelope.sender.account
        guard let group = groups[envelope.to.user], !group.isDeleted else { throw RelayRefusal(404) }
        guard let membership = group.participants[sender.phone] else { throw RelayRefusal(403) }
        if group.isSuspended || group.isAnnouncement && !membership.role.isAdmin { throw RelayRefusal(403) }
        try checkMode(envelope, of: group)
        if let participant = envelope.message.jid("participant") {
            return try unicast(envelope, to: participant, members: group, mode: group.mode, &outcome)
        }
        let members = group.participants.keys.sorted().compactMap { accounts[$0] }
        let sharesKey = envelope.shared.contains { $0["type"] == "skmsg" }
        fanOut(
            envelope, to: members.filter(\.isRegistered), listedOnly: !sharesKey, mode: group.mode,
            namesMode: true, &outcome)
        if let claimed = envelope.message["phash"] {
            outcome.phash = groupPhash(claimed, members: members, sender: envelope.sender, mode: group.mode)
        }
    }

    /// 421 when the stanza speaks another addressing mode than the group has.
    private func checkMode(_ envelope: MessageEnvelope, of group: Group) throws(RelayRefusal) {
        if let claimed = envelope.message["addressing_mode"], claimed != group.mode.word { throw RelayRefusal(421) }
        let spaces = Set(envelope.entries.compactMap { AddressSpace($0.jid) })
        if settings.strictAddressing, !spaces.isEmpty, spaces != [group.mode] { throw RelayRefusal(421) }
    }

    /// To the users that the poster's client named, by device or bare, and to the poster's other devices.
    func relayStatus(_ envelope: MessageEnvelope, _ outcome: inout RelayOutcome) throws(RelayRefusal) {
        if let participant = envelope.message.jid("participant") {
            return try unicast(envelope, to: participant, members: nil, mode: .lid, &outcome)
        }
        let sender = envelope.sender.account
        var audience: [String: Account] = [sender.phone: sender]
        for entry in envelope.entries {
            guard let account = account(entry.jid), account.isRegistered, !account.blocked.contains(sender.lid) else {
                continue
            }
            audience[account.phone] = account
        }
        fanOut(
            envelope, to: audience.sorted { $0.key < $1.key }.map(\.value), listedOnly: false, mode: .lid,
            namesMode: false, &outcome)
    }

    private func fanOut(
        _ envelope: MessageEnvelope, to accounts: [Account], listedOnly: Bool, mode: AddressSpace, namesMode: Bool,
        _ outcome: inout RelayOutcome
    ) {
        var own: [ObjectIdentifier: Stanza] = [:]
        for entry in envelope.entries {
            guard let device = device(entry.jid), let enc = entry.enc, own[ObjectIdentifier(device)] == nil else {
                continue
            }
            own[ObjectIdentifier(device)] = enc
        }
        let addresses = groupAddresses(envelope, mode: mode, namesMode: namesMode)
        for account in accounts {
            for device in account.devices.values where device !== envelope.sender {
                let pairwise = own[ObjectIdentifier(device)]
                if listedOnly, pairwise == nil { continue }
                // The pairwise enc carries the sender key and must come first: clients read in order.
                let enc = [pairwise].compactMap(\.self) + envelope.shared
                guard !enc.isEmpty || !envelope.passedOn.isEmpty else { continue }
                enqueue(envelope.copy(addresses, enc: enc), for: device)
                outcome.copies += 1
            }
        }
    }

    /// A resend to one device: `participant` names it.
    private func unicast(
        _ envelope: MessageEnvelope, to participant: JID, members: Group?, mode: AddressSpace,
        _ outcome: inout RelayOutcome
    ) throws(RelayRefusal) {
        guard let device = device(participant), device !== envelope.sender else { return }
        if let members, members.participants[device.account.phone] == nil { return }
        let listed = envelope.entries.first { self.device($0.jid) === device }?.enc
        let enc = envelope.shared + [listed].compactMap(\.self)
        guard !enc.isEmpty else { throw RelayRefusal(479) }
        enqueue(envelope.copy(groupAddresses(envelope, mode: mode, namesMode: members != nil), enc: enc), for: device)
        outcome.copies += 1
    }

    private func groupAddresses(
        _ envelope: MessageEnvelope, mode: AddressSpace, namesMode: Bool
    ) -> StanzaAttributes {
        let sender = envelope.sender
        return [
            "from": .jid(envelope.to), "participant": .jid(sender.jid(in: mode)),
            (mode == .lid ? "participant_pn" : "participant_lid"): .jid(sender.account.jid(in: mode.other)),
            "addressing_mode": namesMode ? .text(mode.word) : nil,
        ]
    }

    /// The right phash if `claimed` is neither that of all devices nor that without the sending one (04, section 22.8).
    private func groupPhash(
        _ claimed: String, members: [Account], sender: Device, mode: AddressSpace
    ) -> String? {
        let devices = members.flatMap { $0.devices.values.elements }
        let actual = DeviceHash.of(devices.map { $0.jid(in: mode) })
        let without = DeviceHash.of(devices.filter { $0 !== sender }.map { $0.jid(in: mode) })
        return claimed == actual || claimed == without ? nil : actual
    }
}

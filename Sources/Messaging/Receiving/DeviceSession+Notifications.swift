import Signal
import Transport

extension DeviceSession {
    /// A `<notification>` that affects messaging (04-message-pipeline, section 21); all are acked, after what they change is
    /// stored.
    func handleNotification(_ stanza: Stanza) async throws {
        switch stanza.type {
        case "encrypt": try await encryptNotification(stanza)
        case "devices": try await devicesNotification(stanza)
        case "account_sync": accountNotification(stanza)
        case "w:gp2": try await groupNotification(stanza)
        case "privacy_token":
            if let row = PrivacyToken.received(stanza) { rememberToken(row) }
            acknowledge(stanza)
        default: acknowledge(stanza)
        }
    }

    private func acknowledge(_ stanza: Stanza) { send(Acknowledgement.ack(stanza), after: tickets.newest) }

    private func rememberToken(_ row: PrivacyTokenRow) {
        var merged = row
        if let old = tokens.peek(row.user) {
            guard row.timestamp >= old.timestamp else { return }
            merged.senderTimestamp = old.senderTimestamp
        }
        tokens[row.user] = nil
        record { $0.privacyTokens.append(merged) }
    }

    // MARK: encrypt

    private func encryptNotification(_ stanza: Stanza) async throws {
        guard let from = stanza.from else { return acknowledge(stanza) }
        if from.isServer {
            acknowledge(stanza)
            if let count = PreKeyStanzas.count(in: stanza) {
                Task { await preKeysRunLow(count: count) }
            } else if stanza.child("digest") != nil {
                Task { await checkDigest() }
            }
            return
        }
        guard stanza.child("identity") != nil else { return acknowledge(stanza) }
        try await identityNotification(stanza, user: from.withoutHosting.bare)
    }

    /// A person registered anew: sessions are archived, identities and marks forgotten, the list fetched again, our token
    /// issued again (02, section 15.4).
    private func identityNotification(_ stanza: Stanza, user: JID) async throws {
        let other = user.isLID ? try await pn(of: user) : try await lid(of: user)
        var addresses: [SignalAddress] = []
        for form in [user, other].compactMap(\.self) {
            let stored = try await load { try await store.addresses(did: did, signalUser: form.signalUser) }
            addresses += stored.compactMap { SignalAddress($0) }
        }
        try await loadSessions(addresses)

        var draft = makeDraft()
        for address in addresses {
            sessions.archive(address, draft: &draft)
            sessions.forgetIdentity(address, draft: &draft)
            draft.changes.senderKeyMarkRemovals.append(.address(address.description))
        }
        forgetMarks()
        for form in [user, other].compactMap(\.self) { dropDeviceList(of: form, draft: &draft) }
        let name = (user.isLID ? user : other ?? user).description
        draft.changes.events.append(
            .identityChange(
                own: ownNumber, target: Party(user, alternative: other), isImplicit: false, stanzaID: stanza.id ?? "",
                at: now))
        let ticket = submit(draft, isInbound: true)
        send(Acknowledgement.ack(stanza), after: ticket)
        guard let row = try await privacyToken(JID(name) ?? user), let issued = row.senderTimestamp,
            PrivacyToken.isValid(timestamp: issued, now: now.seconds)
        else { return }
        Task { await issuePrivacyToken(to: JID(name) ?? user, at: issued) }
    }

    // MARK: devices

    private func devicesNotification(_ stanza: Stanza) async throws {
        guard let notification = DeviceNotification(stanza) else { return acknowledge(stanza) }
        let forms = [notification.user, notification.lid].compactMap(\.self)
        let names = forms.map(\.description)
        let stored = try await load { try await store.userDevices(did: did, users: names) }

        var draft = makeDraft()
        if let lid = notification.lid, notification.user.server == .user {
            learn([LIDPair(lid: lid.user, pn: notification.user.user)], in: &draft.changes)
        }
        for form in forms {
            guard let list = deviceLists.peek(form.description) ?? stored[form.description] else { continue }
            if let changed = notification.applied(to: list) {
                deviceLists[form.description] = changed
                draft.changes.userDevices.append(changed)
            } else {
                dropDeviceList(of: form, draft: &draft)
            }
        }
        submit(draft, isInbound: true)
        try await rotateKeys(
            heldBy: forms.flatMap { user in notification.removedDevices.map { SignalAddress(user.device($0)) } })
        send(Acknowledgement.ack(stanza), after: tickets.newest)
    }

    // MARK: account_sync

    private func accountNotification(_ stanza: Stanza) {
        var draft = makeDraft()
        if let own, let notification = OwnDevicesNotification(stanza) {
            for user in [own.pn.bare, own.lid?.bare].compactMap(\.self) {
                if let list = notification.list(for: user, now: now) {
                    deviceLists[user.description] = list
                    draft.changes.userDevices.append(list)
                } else {
                    dropDeviceList(of: user, draft: &draft)
                }
            }
        }
        if stanza.child("privacy") != nil { privacySettings = nil }
        if let name = stanza["pushname"] { adoptPushName(name, in: &draft.changes) }
        let ticket = submit(draft, isInbound: true)
        send(Acknowledgement.ack(stanza), after: ticket)
    }

    // MARK: w:gp2

    private func groupNotification(_ stanza: Stanza) async throws {
        guard let own, let notification = GroupNotification(stanza) else { return acknowledge(stanza) }
        let name = notification.group.description
        var info = groups.peek(name)?.info
        if info == nil {
            info = try await load { try await store.group(did: did, group: name) }?.info.flatMap(GroupInfo.init(json:))
        }
        if notification.needsKeyRotation, let key = ownSenderKey(notification.group) { try await loadSenderKey(key) }

        var draft = makeDraft()
        learn(notification.lidPairs, in: &draft.changes)
        if case .created(let fresh, _, _) = notification.changes.first {
            remember(fresh, in: &draft.changes)
        } else if let info {
            if let changed = notification.applied(to: info) {
                remember(changed, in: &draft.changes)
            } else {
                forgetGroup(notification.group, in: &draft.changes)
            }
        }
        if notification.needsKeyRotation { rotateSenderKey(notification.group, draft: &draft) }
        draft.changes.chats.append(groupChat(notification))
        draft.changes.events += DeviceEvent.group(
            notification, own: own, stanzaID: stanza.id ?? "", party: { partyInMemory($0) }, at: now)
        let ticket = submit(draft, isInbound: true)
        send(Acknowledgement.ack(stanza), after: ticket)
    }

    private func groupChat(_ notification: GroupNotification) -> ChatUpdate {
        var update = ChatUpdate(chat: notification.group.description, kind: .group)
        for change in notification.changes {
            switch change {
            case .created(let info, _, _): update.name = info.subject
            case .subject(let subject): update.name = subject
            case .ephemeral(let seconds): update.ephemeral = (seconds, notification.timestamp)
            default: break
            }
        }
        return update
    }
}

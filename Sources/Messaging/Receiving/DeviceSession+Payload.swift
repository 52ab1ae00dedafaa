import Logging
import Cryptography
import Signal
import Transport
import WhatsAppProtobuf

extension DeviceSession {
    /// What one decrypted payload changes: key material, internal traffic, rows and events. Synchronous: part of the
    /// stretch that decrypted it.
    func interpret(
        _ plaintext: [UInt8], info: MessageInfo, parties: MessageParties, senderKey: SenderKeyName,
        outcome: inout MessageOutcome, draft: inout SignalDraft
    ) {
        let payload: MessagePayload
        do {
            payload = try MessagePayload(parsing: plaintext, isFromMe: info.isFromMe)
        } catch {
            outcome.isBadProtobuf = true
            return
        }
        outcome.isBadProtobuf = false
        learnSenderKey(payload, info: info, senderKey: senderKey, draft: &draft)
        var parties = parties
        if info.isFromMe, let destination = payload.deviceSentDestination, !info.chat.isGroup {
            parties.chat = partyInMemory(destination)
        }
        if let secret = payload.secret {
            draft.changes.messageSecrets.append(
                MessageSecretRow(chat: parties.chat.key, sender: parties.sender.key, messageID: info.id, secret: secret)
            )
        }
        if info.isPeer { outcome.internalReceipts.append("peer_msg") }
        switch payload.kind {
        case .keyMaterial: break
        case .internalTraffic:
            if info.isFromMe { internalTraffic(payload, info: info, outcome: &outcome, draft: &draft) }
        case .otherProtocol: break
        case .content(let type, let text):
            store(payload, type: type, text: text, info: info, parties: parties, outcome: outcome, draft: &draft)
        case .addOn(let type):
            draft.changes.events.append(
                .messageReceived(
                    info, parties: parties, payload: payload, type: type, text: nil, retryCount: outcome.retryCount,
                    at: now))
            if type == ContentKind.pollVote.rawValue {
                draft.changes.events += DeviceEvent.pollVote(
                    info, parties: parties, payload: payload, own: ownNumber, at: now)
            }
        case .reaction(let target, let emoji):
            draft.changes.events.append(
                .messageReceived(
                    info, parties: parties, payload: payload, type: "reaction", text: emoji,
                    retryCount: outcome.retryCount, at: now))
            draft.changes.events.append(
                .messageReaction(info, parties: parties, target: target, emoji: emoji, at: now))
        case .edit(let target, let content, let text):
            edit(target, content: content, text: text, info: info, parties: parties, payload: payload, draft: &draft)
        case .revoke(let target):
            revoke(target, info: info, parties: parties, draft: &draft)
        case .ephemeralSetting(let seconds):
            timerChanged(chat: parties.chat.key, ticket: draft.ticket)
            draft.changes.chats.append(
                ChatUpdate(
                    chat: parties.chat.key, kind: chatKind(info.chat), ephemeral: (seconds, info.timestamp)))
        }
        learnPushName(info, parties: parties, draft: &draft)
    }

    /// A person under the names that are in memory: for use where nothing may suspend.
    func partyInMemory(_ jid: JID) -> Party {
        let bare = jid.withoutHosting.bare
        if bare.isLID { return Party(bare, alternative: lids.pn(lid: bare.user).map { .user($0) }) }
        guard bare.server == .user else { return Party(bare) }
        return Party(bare, alternative: lids.lid(pn: bare.user).map { .lid($0) })
    }

    private func learnSenderKey(
        _ payload: MessagePayload, info: MessageInfo, senderKey: SenderKeyName, draft: inout SignalDraft
    ) {
        guard let distribution = payload.distribution, info.chat.isGroup || info.from.isBroadcast else { return }
        do {
            let message = try SenderKeyDistributionMessage(parsing: distribution.bytes)
            try senderKeys.process(
                message, from: senderKey, revision: sessions.nextRevision(), draft: &draft, now: now)
        } catch { logger.info("sender key refused", metadata: ["group": "\(info.from)", "error": "\(error)"]) }
    }

    private func store(
        _ payload: MessagePayload, type: String, text: String?, info: MessageInfo,
        parties: MessageParties, outcome: MessageOutcome, draft: inout SignalDraft
    ) {
        let keepsContent = configuration.storesContent
        draft.changes.messages.append(
            MessageRow(
                chat: parties.chat.key, messageID: info.id, fromMe: info.isFromMe, timestamp: info.timestamp,
                sender: parties.sender.key, senderAlternative: parties.sender.alternative,
                pushName: keepsContent ? info.pushName : nil, serverID: info.serverID, type: type,
                body: keepsContent ? text : nil, content: keepsContent ? payload.message.serialized() : nil,
                quotedID: payload.content.context.quote?.messageID, status: info.isFromMe ? .sent : .delivered,
                origin: .live))
        draft.changes.chats.append(
            ChatUpdate(
                chat: parties.chat.key, kind: chatKind(info.chat), lastMessage: (info.id, info.timestamp),
                unreadIncrement: info.isFromMe ? 0 : 1))
        draft.changes.events.append(
            .messageReceived(
                info, parties: parties, payload: payload, type: type, text: text, retryCount: outcome.retryCount,
                at: now))
        draft.changes.events += DeviceEvent.content(
            info, parties: parties, payload: payload, own: ownNumber, at: now)
        if info.isFromMe {
            draft.changes.events.append(
                .messageSent(
                    id: info.id, chat: parties.chat, timestamp: info.timestamp, origin: "other_device", at: now))
        }
    }

    /// Only the author may edit (04, section 13.6): the row of an own message changes for own edits, of another's for
    /// theirs. The id is the editor's claim, so the stored sender must be the editor.
    private func edit(
        _ target: MessageKey, content: [UInt8], text: String?, info: MessageInfo,
        parties: MessageParties, payload: MessagePayload, draft: inout SignalDraft
    ) {
        guard target.fromMe else { return }
        let keepsContent = configuration.storesContent
        let claim = AuthorshipClaim(
            chat: parties.chat.key, messageID: target.messageID, fromMe: info.isFromMe,
            author: info.isFromMe ? nil : parties.sender.addresses)
        draft.changes.messageUpdates.append(
            MessageUpdate(
                chat: claim.chat, messageID: claim.messageID, fromMe: claim.fromMe, author: claim.author,
                edit: MessageEdit(
                    body: keepsContent ? text : nil, content: keepsContent ? content : nil, at: info.timestamp)))
        draft.changes.events.append(
            .messageReceived(
                info, parties: parties, payload: payload, type: "edit", text: text, retryCount: 0, claim: claim,
                at: now))
        draft.changes.events.append(
            .messageEdited(info, parties: parties, target: target, text: text, claim: claim, at: now))
    }

    private func revoke(
        _ target: MessageKey, info: MessageInfo, parties: MessageParties, draft: inout SignalDraft
    ) {
        // Another's message may be revoked only by an admin, in a group, with the stanza's consent.
        guard target.fromMe || (info.isAdminRevocation && isAdmin(parties.sender, of: info.chat)) else { return }
        let isOwnTarget =
            target.fromMe ? info.isFromMe : target.participant.map { own?.contains(user: $0) ?? false } ?? false
        let claim = AuthorshipClaim(
            chat: parties.chat.key, messageID: target.messageID, fromMe: isOwnTarget,
            author: target.fromMe && !info.isFromMe ? parties.sender.addresses : nil)
        draft.changes.messageUpdates.append(
            MessageUpdate(
                chat: claim.chat, messageID: claim.messageID, fromMe: claim.fromMe, author: claim.author,
                deletedAt: info.timestamp))
        // An admin claims nothing: whose message it is does not matter.
        let checked = target.fromMe ? claim : nil
        draft.changes.events.append(
            .messageDeleted(info, parties: parties, target: target, claim: checked, at: now))
        if info.chat.isStatus {
            draft.changes.events.append(
                .statusDeleted(info, parties: parties, target: target, own: ownNumber, claim: checked, at: now))
        }
    }

    /// Whether the group's metadata in memory has this person as admin.
    private func isAdmin(_ person: Party, of group: JID) -> Bool {
        guard let info = groups.peek(group.description)?.info else { return false }
        return info.participants.contains { participant in
            participant.role != .member
                && [participant.jid, participant.phoneNumber, participant.lid].contains { address in
                    address.map(person.addresses.contains) ?? false
                }
        }
    }

    /// A push name that differs from the one seen last in this process.
    private func learnPushName(_ info: MessageInfo, parties: MessageParties, draft: inout SignalDraft) {
        if info.isFromMe, let name = info.pushName, configuration.pushName.isEmpty {
            adoptPushName(name, in: &draft.changes)
        }
        guard !info.isFromMe, let name = info.pushName, pushNames[parties.sender.key] != name else { return }
        let old = pushNames[parties.sender.key]
        pushNames[parties.sender.key] = name
        draft.changes.contacts.append(ContactUpdate(jid: parties.sender.key, pushName: name))
        if let old {
            draft.changes.events.append(
                .pushNameUpdate(
                    own: ownNumber, target: parties.sender, old: old, new: name,
                    at: now))
        }
    }

    // MARK: Traffic among the own devices

    /// Key shares, history notifications, LID mappings (04, section 14).
    private func internalTraffic(
        _ payload: MessagePayload, info: MessageInfo, outcome: inout MessageOutcome, draft: inout SignalDraft
    ) {
        guard let body = payload.protocolMessage else { return }
        if let share = body[message: "appStateSyncKeyShare"] {
            let keys = share[messages: "keys"].compactMap(AppStateKeyRow.init)
            draft.changes.appStateKeys += keys
            if let newest = keys.last {
                draft.changes.jobs.append(
                    JobRow(kind: .appStateSync, key: Hex.encode(newest.keyID), payload: [], createdAt: now))
            }
        }
        if let history = body[message: "historySyncNotification"] {
            draft.changes.jobs.append(
                JobRow(kind: .historySync, key: info.id, payload: history.serialized(), createdAt: now))
            outcome.internalReceipts.append("hist_sync")
        }
        if let response = body[message: "peerDataOperationRequestResponseMessage"] {
            adoptRequested(response, outcome: &outcome, draft: &draft)
        }
        if let mapping = body[message: "lidMigrationMappingSyncMessage"]?[bytes: "encodedMappingPayload"] {
            learnMigration(mapping, draft: &draft)
        }
    }

    private func learnMigration(_ bytes: [UInt8], draft: inout SignalDraft) {
        guard let payload = try? ProtoMessage(.lidMigrationMapping, parsing: bytes) else { return }
        let pairs = payload[messages: "pnToLidMappings"].compactMap { entry -> LIDPair? in
            guard let pn = entry[uint: "pn"], let lid = entry[uint: "latestLid"] ?? entry[uint: "assignedLid"] else {
                return nil
            }
            return LIDPair(lid: String(lid), pn: String(pn))
        }
        learn(pairs, in: &draft.changes)
        if let time = payload[uint: "chatDbMigrationTimestamp"], var changed = credentials {
            changed.lidMigrationTimestamp = Int64(clamping: time)
            credentials = changed
            draft.changes.credentials = .store(changed)
        }
    }
}

extension AppStateKeyRow {
    init?(_ key: ProtoMessage) {
        guard let id = key[message: "keyID"]?[bytes: "keyID"], let data = key[message: "keyData"],
            let secret = data[bytes: "keyData"], secret.count == 32
        else { return nil }
        self.init(
            keyID: id, keyData: SecretBytes(secret), fingerprint: data[message: "fingerprint"]?.serialized() ?? [],
            timestamp: data[int: "timestamp"] ?? 0)
    }
}

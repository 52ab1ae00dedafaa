import Logging
import Cryptography
import Signal
import Transport
import WhatsAppProtobuf

extension DeviceSession {
    /// One-to-one: all devices of the recipient and the own other ones (04, sections 7 and 9.1).
    func buildDirect(id: String, content: ProtoMessage, target: SendTarget) async throws -> BuiltStanza {
        guard let own else { throw SessionError.notPaired }
        let ownUser = target.jid.isLID ? own.lid?.bare ?? own.pn.bare : own.pn.bare
        let isSelf = own.contains(user: target.jid)
        let users = isSelf ? [ownUser] : [target.jid, ownUser]
        let lists = try await deviceLists(of: users)
        let selection = DeviceSelection.direct(recipient: target.jid, lists: lists, own: own)
        let devices = try await addressed(selection.all)
        try await loadSessions(devices.map(\.address))
        try await ensureSessions(devices)
        let token = try await contactToken(for: target)

        let padding = configuration.random.bytes(2)
        let plain = MessagePadding.pad(content.serialized(), random: padding[0])
        let sent = MessagePlaintext.deviceSent(content, to: target.jid)?.serialized() ?? content.serialized()
        let deviceSent = MessagePadding.pad(sent, random: padding[1])
        let ownDevices = Set(selection.own)
        let (copies, ticket) = try await encrypt(devices) { ownDevices.contains($0) ? deviceSent : plain }
        guard isSelf || copies.contains(where: { !ownDevices.contains($0.device) }) else {
            throw SessionError.recipientUnreachable
        }
        let outgoing = OutgoingStanza(
            id: id, to: target.jid, traits: StanzaTraits(content), deviceIdentity: deviceIdentity)
        let stanza = outgoing.direct(
            copies: copies, recipientPN: target.jid.isLID ? target.pn : nil, token: token,
            reportingToken: reportingToken(of: content, id: id, sender: ownUser, chat: target.jid))
        let counted = selection.all + [target.jid.isLID ? own.lid ?? own.pn : own.pn]
        return BuiltStanza(stanza: stanza, ticket: ticket, phash: ParticipantHash.version2(counted))
    }

    /// Group: one ciphertext with the own sender key, which goes pairwise to the devices that lack it (04, section 9.2).
    func buildGroup(id: String, content: ProtoMessage, group: JID) async throws -> BuiltStanza {
        guard let own, let name = ownSenderKey(group) else { throw SessionError.notPaired }
        let info = try await self.group(group)
        let isLIDMode = info.addressingMode == .lid
        let members = info.participants.compactMap { JID($0.jid) }
        guard members.contains(where: own.contains(user:)) else { throw SessionError.notInGroup }
        let lists = try await deviceLists(of: members)
        let (devices, phash) = DeviceSelection.group(lists: lists, own: own, isLIDMode: isLIDMode)
        try await loadSenderKey(name)
        var marks = try await marks(of: group)
        let keyID = senderKeys.keyID(name)
        let addressed = try await addressed(devices)
        var lacking = addressed.filter { device in
            guard let keyID, !configuration.alwaysDistributesSenderKeys else { return true }
            return !marks.contains(
                SenderKeyMark(group: group.description, address: device.address.description, keyID: keyID))
        }
        try await loadSessions(lacking.map(\.address))
        try await ensureSessions(lacking)
        try await loadSenderKey(name)
        // Somebody came or left while we waited: who has the key and who may have it must be asked again.
        guard groups.peek(group.description)?.info == info else {
            return try await buildGroup(id: id, content: content, group: group)
        }

        // From here to the submission nothing suspends.
        var draft = makeDraft()
        marks = keyMarks[group.description] ?? marks
        if senderKeys.keyID(name) != keyID { lacking = addressed }
        let padded = MessagePadding.pad(content.serialized(), random: configuration.random.bytes(1)[0])
        let outgoing: SenderKeySlots.Outgoing
        do {
            outgoing = try senderKeys.encrypt(
                padded, as: name, random: AnyRandom(configuration.random), revision: sessions.nextRevision(),
                draft: &draft, now: now)
        } catch { throw SessionError.recipientUnreachable }
        submit(draft)
        let groupCover = draft.cover

        let carrier = MessagePlaintext.senderKeyDistribution(outgoing.distribution, group: group).serialized()
        let distribution = MessagePadding.pad(carrier, random: configuration.random.bytes(1)[0])
        let (copies, ticket) = try await encrypt(lacking) { _ in distribution }
        let reached = Set(copies.map(\.device))
        let newMarks = lacking.filter { reached.contains($0.jid) }.map {
            SenderKeyMark(group: group.description, address: $0.address.description, keyID: outgoing.keyID)
        }
        let stanza = OutgoingStanza(
            id: id, to: group, traits: StanzaTraits(content), deviceIdentity: deviceIdentity
        ).group(
            distribution: copies, ciphertext: outgoing.ciphertext, phash: phash, isLIDMode: isLIDMode,
            reportingToken: reportingToken(
                of: content, id: id, sender: isLIDMode ? own.lid ?? own.pn : own.pn, chat: group))
        return BuiltStanza(stanza: stanza, ticket: max(ticket, groupCover), marks: newMarks, phash: phash)
    }

    /// The token of a message when it is to carry one: not for what has no secret or nothing that could be reported, nor for
    /// wrapped messages, which clients treat differently (04, section 10.3).
    private func reportingToken(of content: ProtoMessage, id: String, sender: JID, chat: JID) -> [UInt8]? {
        guard configuration.attachesReportingTokens, ReportingToken.applies(to: content),
            MessageWrapper.unwrap(content).removed.isEmpty,
            let bytes = content[message: "messageContextInfo"]?[bytes: "messageSecret"],
            let secret = MessageSecret(bytes)
        else { return nil }
        let message = content.serialized()
        guard !ReportingToken.content(of: message).isEmpty else { return nil }
        return ReportingToken.make(
            message: message, secret: secret, messageID: id, sender: sender.bare, chat: chat.bare)
    }

    /// The Signal address of each device.
    func addressed(_ devices: [JID]) async throws -> [(jid: JID, address: SignalAddress)] {
        try await migrateNewlyLearnt(devices)
        var result: [(jid: JID, address: SignalAddress)] = []
        result.reserveCapacity(devices.count)
        for device in devices { result.append((device, try await signalAddress(of: device))) }
        return result
    }

    private static let stretch = 128

    /// Encrypts for every device that has a session; the others are left out. Large fan-outs give way to the loop between
    /// stretches, each with its own submission. The ticket is the newest commit any copy depends on.
    private func encrypt(
        _ devices: [(jid: JID, address: SignalAddress)], _ plaintext: (JID) -> [UInt8]
    ) async throws -> (copies: [EncryptedCopy], ticket: CommitTicket) {
        var copies: [EncryptedCopy] = []
        copies.reserveCapacity(devices.count)
        var ticket = CommitTicket.none
        for start in stride(from: 0, to: devices.count, by: Self.stretch) {
            let end = min(start + Self.stretch, devices.count)
            if start > 0 {
                await Task.yield()
                try await loadSessions(devices[start..<end].map(\.address))
            }
            var draft = makeDraft()
            for (jid, address) in devices[start..<end] where sessions.hasSession(address) {
                do {
                    let ciphertext = try sessions.encrypt(plaintext(jid), to: address, draft: &draft, now: now)
                    copies.append(
                        EncryptedCopy(device: jid, type: ciphertext.type.encType, ciphertext: ciphertext.bytes))
                } catch { logger.info("device skipped", metadata: ["device": "\(jid)", "error": "\(error)"]) }
            }
            ticket = max(ticket, draft.cover)
            submit(draft)
        }
        return (copies, ticket)
    }

    /// The token that goes with a one-to-one message, when there is one (04, section 10).
    private func contactToken(for target: SendTarget) async throws -> OutgoingStanza.ContactToken? {
        guard target.jid.isPerson, own?.contains(user: target.jid) == false else { return nil }
        if let row = try await privacyToken(target.jid), !row.token.isEmpty,
            PrivacyToken.isValid(timestamp: row.timestamp, now: now.seconds)
        {
            return .trusted(row.token)
        }
        guard let salt = credentials?.nctSalt, target.jid.isLID else { return nil }
        return .companion(CSToken.make(for: target.jid, salt: salt))
    }

    func privacyToken(_ user: JID) async throws -> PrivacyTokenRow? {
        let name = user.bare.description
        if let row = tokens[name] { return row }
        var row = try await load { try await store.privacyToken(did: did, user: name) }
        // One that came before the person's LID was known is stored by number.
        if row == nil, user.isLID, let number = try await pn(of: user)?.description {
            row = try await load { try await store.privacyToken(did: did, user: number) }
            row?.user = name
        }
        if let row { tokens[name] = row }
        return row
    }

    /// After a one-to-one send: gives the recipient our token when the old one is of an earlier week.
    func issuePrivacyTokenIfDue(to user: JID) async {
        guard user.isPerson, user.user != "0", !user.isBot, own?.contains(user: user) == false else { return }
        let row = (try? await privacyToken(user)) ?? nil
        let at = now.seconds
        guard PrivacyToken.needsIssuing(lastIssued: row?.senderTimestamp, now: at) else { return }
        await issuePrivacyToken(to: user, at: at)
    }

    func issuePrivacyToken(to user: JID, at seconds: Int64) async {
        guard (try? await query { PrivacyToken.issue(id: $0, to: user, at: seconds) }) != nil else { return }
        var row =
            tokens.peek(user.bare.description)
            ?? PrivacyTokenRow(user: user.bare.description, token: [], timestamp: 0)
        row.senderTimestamp = seconds
        tokens[row.user] = row
        record { $0.privacyTokens.append(row) }
    }
}

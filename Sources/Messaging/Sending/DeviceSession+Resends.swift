import DequeModule
import Logging
import Cryptography
import Signal
import Transport
import WhatsAppProtobuf

extension DeviceSession {
    private static let maximumAnswers = 5

    /// Resends under way at a time, and with those that wait for their turn (04, section 12.2).
    static let parallelResends = 4
    private static let waitingResends = 256
    private static let maximumResends = 1024

    /// Answers a retry receipt beside the lane, since the answer may need a bundle, and acks it once the answer is on its way:
    /// one that is lost with the connection or the process is asked for again.
    func handleRetry(_ stanza: Stanza, _ receipt: IncomingReceipt) async throws {
        guard let request = RetryRequest(stanza) else {
            return send(Acknowledgement.ack(stanza, refusal: .parsing), after: tickets.newest)
        }
        let event = DeviceEvent.retryRequested(
            id: request.messageID, chat: try await party(receipt.chat), sender: try await party(request.requester),
            count: request.count, at: now)
        var draft = makeDraft()
        draft.changes.events.append(event)
        let ticket = submit(draft, isInbound: true)
        let key = RetryAnswerKey(device: request.requester, messageID: request.messageID)
        let number = linkNumber
        // More than may wait stand where they are, unless the socket is read no further because of them: what the others ask
        // could not be answered then.
        while retryJobs.count >= Self.waitingResends, !isReadingPaused {
            await withCheckedContinuation { resendRoom.append($0) }
        }
        // Without an ack it comes again with the next connection.
        guard retryJobs.count < Self.maximumResends else { return }
        // Its connection went meanwhile: it comes again.
        guard number == linkNumber else { return }
        // The answer that is on its way acks this one too.
        if retryJobs.contains(key) { return }
        let answered = answeredRetries[key] ?? 0
        guard request.count < RetryReceipt.limit, answered < Self.maximumAnswers
        else { return send(Acknowledgement.ack(stanza), after: ticket) }
        answeredRetries[key] = answered + 1
        retryJobs.insert(key)
        Task {
            await takeResendTurn()
            defer {
                retryJobs.remove(key)
                resendRoom.popFirst()?.resume()
                giveResendTurn()
            }
            do {
                try await resend(request, chat: receipt.chat)
                SessionMetrics.count(.retryAnswered)
            } catch {
                logger.info("retry not answered", metadata: ["message": "\(request.messageID)", "error": "\(error)"])
                if let error = error as? SessionError, error.allowsRepetition {
                    answeredRetries[key] = answered
                    if error.isNoFaultOfStanza { handlingPutOff(number: number) }
                    return
                }
            }
            send(Acknowledgement.ack(stanza), after: tickets.newest, followsMessages: true)
        }
    }

    private func takeResendTurn() async {
        guard resendsUnderWay >= Self.parallelResends else {
            resendsUnderWay += 1
            return
        }
        await withCheckedContinuation { resendQueue.append($0) }
    }

    private func giveResendTurn() {
        if let next = resendQueue.popFirst() { next.resume() } else { resendsUnderWay -= 1 }
    }

    private func resend(_ request: RetryRequest, chat: JID) async throws {
        guard let row = try await keptMessage(request.messageID, chat: chat), let own else { return }
        let message = try ProtoMessage(.message, parsing: row.plaintext)
        let address = try await signalAddress(of: request.requester)
        try await loadSessions([address])
        try await renewSession(request, address: address)
        guard sessions.hasSession(address) else { return }
        if chat.isGroup {
            guard try await mayReceive(request.requester, group: chat) else { return }
            if let name = ownSenderKey(chat) { try await loadSenderKey(name) }
        }
        let target: OutgoingStanza.ResendTarget =
            if chat.isGroup {
                .group(chat, participant: request.requester, isLIDMode: request.requester.isLID)
            } else {
                .direct(device: request.from, recipient: own.contains(user: request.from) ? request.recipient : nil)
            }
        try sendCopy(
            of: message, id: request.messageID, chat: chat, row: row.chat, device: request.requester, address: address,
            target: target, count: request.count, timestamp: request.timestamp)
    }

    /// Sends one device its copy of a message that went out already, with our key in a group. Session and own key must be
    /// loaded; nothing suspends.
    func sendCopy(
        of message: ProtoMessage, id: String, chat: JID, row: String, device: JID, address: SignalAddress,
        target: OutgoingStanza.ResendTarget, count: Int? = nil, timestamp: String? = nil
    ) throws {
        var draft = makeDraft()
        var content = message
        var mark: SenderKeyMark?
        if chat.isGroup, let name = ownSenderKey(chat),
            let key = senderKeys.distribution(
                of: name, random: AnyRandom(configuration.random), revision: sessions.nextRevision(), draft: &draft)
        {
            content = MessagePlaintext.with(distribution: key.bytes, group: chat, message)
            let fresh = SenderKeyMark(group: chat.description, address: address.description, keyID: key.keyID)
            mark = fresh
            keyMarks[chat.description]?.remove(fresh)
            draft.changes.senderKeyMarkRemovals.append(
                .device(group: chat.description, address: address.description))
        } else if !chat.isGroup, own?.contains(user: device) == true {
            content = MessagePlaintext.deviceSent(message, to: JID(row) ?? chat) ?? message
        }
        let padded = MessagePadding.pad(content.serialized(), random: configuration.random.bytes(1)[0])
        let ciphertext = try sessions.encrypt(padded, to: address, draft: &draft, now: now)
        submit(draft)
        let copy = EncryptedCopy(device: device, type: ciphertext.type.encType, ciphertext: ciphertext.bytes)
        let stanza = OutgoingStanza(id: id, to: chat, traits: StanzaTraits(message), deviceIdentity: deviceIdentity)
            .resend(copy: copy, target: target, count: count, timestamp: timestamp)
        send(stanza, after: draft.cover, lane: row)
        if let mark { resentMarks[id] = (resentMarks[id] ?? []) + [mark] }
    }

    /// The kept plaintext, under the chat as named or in its other namespace.
    private func keptMessage(_ id: String, chat: JID) async throws -> RetryRow? {
        var chats = [chat.bare.description]
        if chat.server == .user, let lid = try await lid(of: chat) { chats.append(lid.description) }
        if chat.isLID, let pn = try await pn(of: chat) { chats.append(pn.description) }
        let names = chats
        return try await load { try await store.retry(did: did, chats: names, messageID: id) }
    }

    /// Step 5 of 04, section 12.2: a session the requester can read.
    private func renewSession(_ request: RetryRequest, address: SignalAddress) async throws {
        let key = RetryAnswerKey(device: request.requester, messageID: request.messageID)
        let baseKey = sessions.baseKey(address)
        let isUnchanged = baseKey != nil && retryBaseKeys[key] == baseKey
        if request.count == 2 { retryBaseKeys[key] = baseKey }
        let change = RetryRequest.sessionChange(
            hasBundle: request.bundle != nil, storedRegistrationID: sessions.registrationID(address),
            receivedRegistrationID: request.registrationID, hasSession: sessions.hasSession(address),
            isBaseKeyUnchanged: isUnchanged, count: request.count,
            secondsSinceRecreation: recreatedSessions.peek(address).map { now.seconds - $0.seconds })
        switch change {
        case .keep: return
        case .build, .fetch: recreatedSessions[address] = now
        }
        switch change {
        case .keep: break
        case .build:
            guard let bundle = request.bundle, let identity = keys?.identity else { return }
            var draft = makeDraft()
            let verdict = try sessions.start(
                bundle: bundle, at: address, own: identity, random: AnyRandom(configuration.random), draft: &draft,
                now: now)
            if verdict == .changed { identityChanged(request.requester, draft: &draft) }
            submit(draft)
        case .fetch:
            try await ensureSessions([(request.requester, address)], refresh: true)
        }
    }

    /// Whether a device's user is in the group. A stranger who asks gets nothing, and nobody keeps a key it may hold.
    private func mayReceive(_ requester: JID, group: JID) async throws -> Bool {
        if own?.contains(user: requester) == true { return true }
        if try await isMember(requester, of: try await self.group(group)) { return true }
        if try await isMember(requester, of: try await fetchGroup(group)) { return true }
        guard let name = ownSenderKey(group) else { return false }
        try await loadSenderKey(name)
        var draft = makeDraft()
        rotateSenderKey(group, draft: &draft)
        submit(draft)
        return false
    }

    private func isMember(_ device: JID, of info: GroupInfo) async throws -> Bool {
        let user = device.withoutHosting.bare
        let other = user.isLID ? try await pn(of: user) : try await lid(of: user)
        let names = Set([user.description, other?.description].compactMap(\.self))
        return info.participants.contains { participant in
            [participant.jid, participant.phoneNumber, participant.lid].contains { $0.map(names.contains) ?? false }
        }
    }

    /// The server has a resend that carried our key: the device will hold it. A lost mark costs one redundant copy.
    func resent(_ ack: SendAck) {
        guard var marks = resentMarks[ack.messageID], !marks.isEmpty else { return }
        let mark = marks.removeFirst()
        resentMarks[ack.messageID] = marks.isEmpty ? nil : marks
        guard ack.error == nil else { return }
        keyMarks[mark.group]?.insert(mark)
        record { $0.senderKeyMarks.append(mark) }
    }
}

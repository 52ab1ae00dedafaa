import Cryptography
import NIOCore
import Transport
import WhatsAppProtobuf

/// Where a message goes, resolved once per send.
struct SendTarget: Sendable {
    /// `to` of the stanza: LID, group.
    var jid: JID
    /// The recipient's number, when known.
    var pn: JID?
    /// Canonical text of the chat in rows and answers.
    var chat: String { jid.description }
    /// What events call it.
    var shownChat: String { pn?.bare.description ?? chat }
}

extension DeviceSession {
    static let maximumWaitingSends = 64

    // MARK: DeviceClient

    package func sendText(_ message: TextMessage) async throws -> SendResult {
        if commits.refusesSends { throw SessionError.storageUnavailable }
        guard waitingSends < Self.maximumWaitingSends else { throw SessionError.tooManyWaiting }
        waitingSends += 1
        defer { waitingSends -= 1 }
        try await readyForRequests()
        lastActivity = now
        let target = try await target(of: message.chat)
        let expiration = try await ephemeralSeconds(of: target)
        let quote = try await quoted(message.quote, in: target)
        let secret = configuration.random.bytes(32)
        let content = TextPlaintext.make(
            text: message.text, quote: quote, mentions: message.mentions.compactMap(JID.init(_:)),
            ephemeralSeconds: expiration, secret: secret)
        return try await simulated(message.simulation, chat: target.jid) {
            try await send(
                content, to: target, id: message.messageID, text: message.text, quotedID: message.quote?.messageID,
                secret: secret, idempotency: message.idempotency)
        }
    }

    package func markRead(chat: String, messageIDs: [String], sender: String?, played: Bool) async throws {
        try await readyForRequests()
        guard !messageIDs.isEmpty else { return }
        guard let jid = JID.input(chat), let to = try await existingAddress(jid) else {
            throw SessionError.invalidRecipient(chat)
        }
        let isPrivate = try await readReceiptsAreOff()
        let kind: ReadReceipt.Kind =
            switch (played, isPrivate || jid.isNewsletter) {
            case (false, false): .read
            case (false, true): .readSelf
            case (true, false): .played
            case (true, true): .playedSelf
            }
        let participant = to.isGroup || to.isBroadcast ? sender.flatMap(JID.init(_:)) : nil
        if to.isGroup, participant?.isPerson != true { throw SessionError.senderRequired }
        try requireReady()
        for stanza in ReadReceipt.make(
            kind: kind, chat: to, ids: messageIDs, participant: participant, at: now.seconds)
        {
            sendNow(stanza)
        }
        record { $0.chats.append(ChatUpdate(chat: to.description, kind: chatKind(to), markRead: true)) }
    }

    // MARK: The procedure

    /// Sends `content` and returns when the server acknowledged it and that is stored (04, section 11.1).
    func send(
        _ content: ProtoMessage, to target: SendTarget, id: String?, text: String?, quotedID: String?,
        secret: [UInt8]?, idempotency: Idempotency?
    ) async throws -> SendResult {
        try await SessionMetrics.timed {
            try await deliver(
                content, to: target, id: id, text: text, quotedID: quotedID, secret: secret, idempotency: idempotency)
        }
    }

    private func deliver(
        _ content: ProtoMessage, to target: SendTarget, id: String?, text: String?, quotedID: String?,
        secret: [UInt8]?, idempotency: Idempotency?
    ) async throws -> SendResult {
        guard let own else { throw SessionError.notPaired }
        let id = id ?? MessageID.make(seconds: now.seconds, user: own.pn.user, random: configuration.random.bytes(16))
        let sendBy = now.adding(seconds: configuration.timeouts.resend)
        guard pendingSends[id] == nil else { throw SessionError.messageIDInUse }
        sendOrder += 1
        let promise = eventLoop.makePromise(of: SendResult.self)
        pendingSends[id] = PendingSend(
            id: id, chat: target.chat, shownChat: target.shownChat, to: target.jid, order: sendOrder, sendBy: sendBy,
            plaintext: content.serialized(), idempotency: idempotency, promise: promise)
        let intent = record { changes in
            fillIntent(
                &changes, content: content, target: target, id: id, text: text, quotedID: quotedID, secret: secret,
                sendBy: sendBy, own: own)
            if let idempotency {
                changes.idempotency = [
                    .begin(
                        key: idempotency.key, requestHash: idempotency.requestHash,
                        message: MessageName(chat: target.chat, messageID: id))
                ]
            }
        }
        pendingSends[id]?.intent = intent
        do {
            if isQueued(target, before: sendOrder) {
                pendingSends[id]?.isResumed = true
                startQueue()
            } else {
                try await build(id: id, content: content, target: target, intent: intent)
            }
        } catch {
            let reason = error as? SessionError ?? .recipientUnreachable
            failSend(id, reason)
            throw reason
        }
        let timeout = eventLoop.scheduleTask(in: .seconds(configuration.timeouts.send)) {
            self.assumeIsolated { session in
                // The row stays pending: a late ack still completes it.
                let waiter = session.pendingSends[id]?.promise
                session.pendingSends[id]?.promise = nil
                waiter?.fail(SessionError.sendTimedOut(messageID: id))
            }
        }
        defer { timeout.cancel() }
        return try await promise.futureResult.get()
    }

    /// The intent of a send: row, retry plaintext, secret (14-storage, section 6).
    func fillIntent(
        _ changes: inout ChangeSet, content: ProtoMessage, target: SendTarget, id: String, text: String?,
        quotedID: String?, secret: [UInt8]?, sendBy: Timestamp, own: OwnAddresses
    ) {
        let sender = (own.lid ?? own.pn).bare.description
        let plaintext = content.serialized()
        changes.messages.append(
            MessageRow(
                chat: target.chat, messageID: id, fromMe: true, timestamp: Timestamp(seconds: now.seconds),
                sender: sender, senderAlternative: own.lid == nil ? nil : own.pn.bare.description,
                type: ContentKind(of: content).rawValue, body: configuration.storesContent ? text : nil,
                content: configuration.storesContent ? plaintext : nil, quotedID: quotedID, status: .pending,
                origin: .api))
        changes.retries.append(
            RetryRow(
                chat: target.chat, messageID: id, plaintext: plaintext, sendBy: sendBy, insertedAt: nextIntentTime()))
        if let secret {
            changes.messageSecrets.append(
                MessageSecretRow(chat: target.chat, sender: sender, messageID: id, secret: secret))
        }
        changes.chats.append(
            ChatUpdate(
                chat: target.chat, kind: chatKind(target.jid), lastMessage: (id, Timestamp(seconds: now.seconds))))
    }

    /// Encrypts under the chat's lock, so that frames leave in encryption order, and puts the frame in the gate.
    func build(id: String, content: ProtoMessage, target: SendTarget, intent: CommitTicket) async throws {
        await lockChat(target.chat)
        defer { unlockChat(target.chat) }
        // What stood before it went back into the queue meanwhile: it follows.
        if let send = pendingSends[id], send.isQueued, !send.isResumed, isQueued(target, before: send.order) {
            pendingSends[id]?.requeue()
            return
        }
        let generation = ledger.forgetCount
        let built: BuiltStanza
        do {
            built =
                target.jid.isGroup
                ? try await buildGroup(id: id, content: content, group: target.jid)
                : try await buildDirect(id: id, content: content, target: target)
        } catch {
            // Records that went meanwhile look like devices that cannot be reached.
            try requireCurrent(generation)
            throw error
        }
        try requireCurrent(generation)
        guard pendingSends[id] != nil else { throw SessionError.disconnected }
        let ticket = max(intent, built.ticket)
        pendingSends[id]?.stanza = built.stanza
        pendingSends[id]?.ticket = ticket
        pendingSends[id]?.marks = built.marks
        pendingSends[id]?.phash = built.phash
        pendingSends[id]?.writtenAt = nil
        pendingSends[id]?.isResumed = false
        send(built.stanza, after: ticket, lane: target.chat, messageID: id)
    }

    struct BuiltStanza {
        var stanza: Stanza
        /// Commits the ciphertexts depend on.
        var ticket: CommitTicket
        var marks: [SenderKeyMark] = []
        var phash: String?
    }

    // MARK: Targets

    /// Resolves what the caller named: people become LIDs (04, section 5.2).
    func target(of text: String) async throws -> SendTarget {
        guard let jid = JID.input(text), jid.device == 0, !jid.user.isEmpty else {
            throw SessionError.invalidRecipient(text)
        }
        switch jid.server {
        case .group: return SendTarget(jid: jid)
        case .lid: return SendTarget(jid: jid, pn: try await pn(of: jid))
        case .user, .legacyUser:
            let pn = JID.user(jid.user)
            if pn.isBot { return SendTarget(jid: pn) }
            if let known = try await lid(of: pn) { return SendTarget(jid: known, pn: pn) }
            return SendTarget(jid: try await fetchLID(of: pn), pn: pn)
        case .bot: return SendTarget(jid: jid)
        default: throw SessionError.invalidRecipient(text)
        }
    }

    /// The canonical form of a chat that must exist already: no query for unknown numbers.
    func existingAddress(_ jid: JID) async throws -> JID? {
        guard !jid.user.isEmpty else { return nil }
        guard jid.server == .user || jid.server == .legacyUser else { return jid.bare }
        return try await lid(of: .user(jid.user)) ?? .user(jid.user)
    }

    func chatKind(_ jid: JID) -> ChatUpdate.Kind {
        if jid.isGroup { return .group }
        if jid.isNewsletter { return .newsletter }
        if jid.isStatus { return .status }
        if jid.isBroadcast { return .broadcast }
        return jid.isBot ? .bot : .user
    }

    func ephemeralSeconds(of target: SendTarget) async throws -> Int {
        if target.jid.isGroup { return try await group(target.jid).ephemeralSeconds }
        if let known = chatTimers[target.chat] { return known }
        let changes = timerChanges
        let seconds = try await load { try await store.ephemeralSeconds(did: did, chat: target.chat) }
        // A change that came meanwhile, or is on its way to the store, is not in what was read.
        if changes == timerChanges, tickets.watermark >= newestTimerChange { chatTimers[target.chat] = seconds }
        return seconds
    }

    /// The timer of a chat changes with the commit of `ticket`.
    func timerChanged(chat: String, ticket: CommitTicket) {
        chatTimers[chat] = nil
        timerChanges += 1
        newestTimerChange = ticket
    }

    func quoted(_ quote: Quote?, in target: SendTarget) async throws -> QuotedMessage? {
        guard let quote else { return nil }
        let row = try await load { try await store.message(did: did, chat: target.chat, messageID: quote.messageID) }
        let author = quote.sender.flatMap(JID.init(_:)) ?? row.flatMap { JID($0.sender) }
        // With one person it is theirs; in a group nobody knows whose.
        guard let sender = author ?? (target.jid.isGroup ? nil : target.jid) else {
            throw SessionError.messageNotStored
        }
        var message = row?.content.flatMap { try? ProtoMessage(.message, parsing: $0) }
        if message == nil, let text = quote.text {
            message = ProtoMessage(.message) { $0[string: "conversation"] = text }
        }
        return QuotedMessage(id: quote.messageID, sender: sender, message: message)
    }

    /// Whether the own privacy settings turn read receipts off: asked once per connection.
    private func readReceiptsAreOff() async throws -> Bool {
        if privacySettings == nil {
            let answer = try await query { LoginStanzas.privacySettings(id: $0) }
            privacySettings = LoginStanzas.privacySettings(of: answer)
        }
        return privacySettings?["readreceipts"] == "none"
    }

    // MARK: Order within a chat

    private func lockChat(_ chat: String) async {
        guard chatQueues[chat] != nil else {
            chatQueues[chat] = []
            return
        }
        await withCheckedContinuation { chatQueues[chat, default: []].append($0) }
    }

    private func unlockChat(_ chat: String) {
        guard var queue = chatQueues[chat] else { return }
        if queue.isEmpty {
            chatQueues[chat] = nil
        } else {
            let next = queue.removeFirst()
            chatQueues[chat] = queue
            next.resume()
        }
    }
}

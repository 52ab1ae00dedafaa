import NIOCore
import Transport
import WhatsAppProtobuf

extension DeviceSession {
    /// The server's ack of a message; false when nobody waits for it.
    func acknowledged(_ ack: SendAck) -> Bool {
        guard let pending = pendingSends[ack.messageID] else {
            resent(ack)
            return false
        }
        if let error = ack.error {
            rejected(pending, error: error)
        } else {
            accepted(pending, ack)
        }
        return true
    }

    private func accepted(_ pending: PendingSend, _ ack: SendAck) {
        pendingSends[pending.id] = nil
        let timestamp = ack.timestamp ?? now
        let result = SendResult(
            messageID: pending.id, chat: pending.chat, timestamp: timestamp, serverID: ack.serverID)
        let event = DeviceEvent.messageSent(
            id: pending.id, chat: pending.party, timestamp: timestamp, origin: "api", at: now)
        var draft = makeDraft()
        draft.changes.messageUpdates.append(
            MessageUpdate(
                chat: pending.chat, messageID: pending.id, fromMe: true, status: .sent, serverTimestamp: timestamp,
                serverID: ack.serverID))
        draft.changes.settledSends.append(MessageName(chat: pending.chat, messageID: pending.id))
        draft.changes.senderKeyMarks = pending.marks
        draft.changes.events.append(event)
        if let idempotency = pending.idempotency {
            draft.changes.idempotency = [.finish(key: idempotency.key, answer: idempotency.answer(.success(result)))]
        } else if let key = pending.resumedKey {
            draft.changes.idempotency = [.fate(key: key, .sent(at: timestamp, serverID: ack.serverID))]
        }
        if !pending.marks.isEmpty { keyMarks[pending.to.description]?.formUnion(pending.marks) }
        // A different hash: the server knows of other devices than we do.
        let hasMissed =
            ack.phash.map { theirs in pending.phash.map { !DeviceHash.matches($0, theirs) } ?? true } ?? false
        if hasMissed { forgetDevices(of: pending.to, draft: &draft) }
        if ack.refreshesLID { dropDeviceList(of: pending.to, draft: &draft) }
        if pending.isGroup, let mode = ack.addressingMode,
            groups.peek(pending.to.description)?.info.addressingMode != mode
        {
            forgetGroup(pending.to, in: &draft.changes)
        }
        let ticket = submit(draft)
        loadMoreSends()
        let to = pending.to
        Task {
            do {
                try await committed(ticket)
                pending.promise?.succeed(result)
            } catch { pending.promise?.fail(SessionError.storageUnavailable) }
            if hasMissed { await deliverToMissed(pending) }
            if !to.isGroup { await issuePrivacyTokenIfDue(to: to) }
        }
    }

    private func rejected(_ pending: PendingSend, error: Int) {
        let failure = SessionError.sendRejected(code: error, messageID: pending.id)
        switch SendAck.reaction(to: error, isGroup: pending.isGroup) {
        case .rebuildGroup where !pending.wasRebuilt: rebuild(pending, failure)
        case .failTemporarily:
            if !putOff(pending) { failSend(pending.id, failure) }
        case .rebuildGroup, .fail: failSend(pending.id, failure)
        case .failAndForgetGroup:
            record { forgetGroup(pending.to, in: &$0) }
            failSend(pending.id, failure)
        case .failAndForgetDevices:
            var draft = makeDraft()
            forgetDevices(of: pending.to, draft: &draft)
            // The sessions with a person may be as stale: the next send builds new ones. They are loaded, having just been used.
            if !pending.isGroup {
                for address in sessions.addresses(of: pending.to.signalUser) {
                    sessions.archive(address, draft: &draft)
                }
            }
            submit(draft)
            failSend(pending.id, failure)
        case .failAndIssueToken:
            failSend(pending.id, failure)
            let (to, at) = (pending.to, now.seconds)
            Task { await issuePrivacyToken(to: to, at: at) }
        }
    }

    /// Sends it again under its id after a pause, unless that was tried often enough, its time is over by then, or a later
    /// message of the chat has gone out, which it must not follow. Later ones wait for it.
    private func putOff(_ pending: PendingSend) -> Bool {
        guard let pause = pending.pauseAfterRefusal, newestWritten[pending.chat] ?? 0 <= pending.order else {
            return false
        }
        let time = now.adding(seconds: pause)
        guard time < pending.sendBy else { return false }
        pendingSends[pending.id]?.putOff(until: time)
        startQueue()
        return true
    }

    /// What we believe about the devices of a chat is wrong: the next send asks again.
    private func forgetDevices(of to: JID, draft: inout SignalDraft) {
        guard to.isGroup else {
            dropDeviceList(of: to, draft: &draft)
            for user in [own?.pn, own?.lid].compactMap(\.self) { dropDeviceList(of: user, draft: &draft) }
            return
        }
        for participant in groups.peek(to.description)?.info.participants ?? [] {
            if let jid = JID(participant.jid) { dropDeviceList(of: jid, draft: &draft) }
        }
        forgetGroup(to, in: &draft.changes)
    }

    /// The group's addressing mode was stale: everything anew under the same id, once (04, section 11.3).
    private func rebuild(_ pending: PendingSend, _ failure: SessionError) {
        record { forgetGroup(pending.to, in: &$0) }
        pendingSends[pending.id]?.wasRebuilt = true
        pendingSends[pending.id]?.stanza = nil
        Task {
            do {
                let content = try ProtoMessage(.message, parsing: pending.plaintext)
                try await build(
                    id: pending.id, content: content, target: SendTarget(jid: pending.to), intent: tickets.newest)
            } catch { failSend(pending.id, failure) }
        }
    }

    // MARK: Failure

    /// A send that will not happen: row, event, answer.
    func failSend(_ id: String, _ error: SessionError) {
        guard let pending = pendingSends.removeValue(forKey: id) else { return }
        record { noteFailure(of: pending, error, in: &$0) }
        pending.promise?.fail(error)
    }

    /// What a send that will not happen leaves in the store.
    func noteFailure(of pending: PendingSend, _ error: SessionError, in changes: inout ChangeSet) {
        let code: Int? = if case .sendRejected(let code, _) = error { code } else { nil }
        changes.messageUpdates.append(
            MessageUpdate(chat: pending.chat, messageID: pending.id, fromMe: true, status: .failed))
        let name = MessageName(chat: pending.chat, messageID: pending.id)
        changes.settledSends.append(name)
        changes.failedSends.append(FailedSend(name: name, fate: SendFate(error)))
        changes.events.append(
            .messageFailed(id: pending.id, chat: pending.party, error: error.word, code: code, at: now))
        if let idempotency = pending.idempotency {
            changes.idempotency.append(
                error.allowsRepetition && !pending.wasWritten
                    ? .abandon(key: idempotency.key)
                    : .finish(key: idempotency.key, answer: idempotency.answer(.failure(error))))
        } else if let key = pending.resumedKey {
            changes.idempotency.append(.fate(key: key, SendFate(error)))
        }
    }

    /// The session ends: callers hear why. Rows stay pending for the next owner, unless the device was unlinked: then the
    /// set that said so has failed them.
    func failPendingSends(_ error: SessionError) {
        let pending = pendingSends.values.sorted { $0.order < $1.order }
        pendingSends = [:]
        ledger.destroyFrames()
        for send in pending { send.promise?.fail(error) }
    }

    /// The store is away for too long: sends that wait for it cannot leave, and their callers hear so. Those that were
    /// accepted durably are built again when it is back.
    func failUnwrittenSends() {
        let waiting = pendingSends.values.filter { !$0.wasWritten && !$0.isResumed && $0.ticket > tickets.watermark }
        for send in waiting.sorted(by: { $0.order < $1.order }) {
            if send.isAccepted(at: tickets.watermark) {
                pendingSends[send.id]?.requeue()
            } else {
                failSend(send.id, .storageUnavailable)
            }
        }
    }

    /// Sends whose ciphertexts were destroyed before they could leave are encrypted again.
    func requeue(_ destroyed: [String]) {
        for id in destroyed where pendingSends[id]?.wasWritten == false { pendingSends[id]?.requeue() }
    }

    /// Sends past their time are failures, though the message may have gone out.
    func expireSends() {
        let expired = pendingSends.values.filter { $0.sendBy < now }.sorted { $0.order < $1.order }
        for send in expired { failSend(send.id, send.lapse) }
    }

    // MARK: Repetition

    /// After a reconnect: what was not acknowledged goes out again, identical and in its old order, before anything newer
    /// (04, section 11.4).
    func repeatPendingSends() {
        expireSends()
        for send in pendingSends.values.sorted(by: { $0.order < $1.order }) {
            guard let stanza = send.stanza, send.ticket <= tickets.watermark else { continue }
            // It leaves with its commit, behind what stands before it.
            if ledger.holdsFrame(where: { $0.messageID == send.id }) { continue }
            self.send(stanza, after: send.ticket, messageID: send.id)
        }
    }

    /// Intents that an earlier process left without a result: encrypted anew under the same id while their time lasts, else
    /// failed (14-storage, section 6).
    ///
    /// - Parameter limit: So many are loaded, by default as many as may be queued; the rest follows when these are settled.
    func resumeUnsettledSends(limit: Int? = nil) async throws {
        let limit = limit ?? configuration.maximumQueuedSends
        // What is settled meanwhile may still be among the rows.
        let known = Set(pendingSends.keys)
        let rows = try await load { try await store.unsettledSends(did: did, limit: limit) }
        hasMoreUnsettled = rows.count == limit
        for row in rows where pendingSends[row.messageID] == nil && !known.contains(row.messageID) {
            guard let to = JID(row.chat), let sendBy = row.sendBy else { continue }
            sendOrder += 1
            pendingSends[row.messageID] = PendingSend(
                id: row.messageID, chat: row.chat, shownChat: partyInMemory(to).shown, to: to, order: sendOrder,
                sendBy: sendBy, plaintext: row.plaintext, isQueued: true, isResumed: true,
                mayHaveLeft: true, resumedKey: row.idempotencyKey)
        }
        expireSends()
        scheduleExpiry()
    }
}

extension SessionError {
    /// Short word for events.
    var word: String {
        switch self {
        case .sendRejected(let code, _): "server returned error \(code)"
        case .sendTimedOut: "timed out waiting for message send response"
        case .sendExpired: "not sent within its time"
        case .recipientNotRegistered: "recipient is not registered"
        case .recipientUnreachable: "recipient has no reachable device"
        case .notInGroup: "not in group"
        case .groupNotFound: "group not found"
        case .storageUnavailable: "storage unavailable"
        case .timedOut: "info query timed out"
        case .ended(.loggedOut), .ended(.unlinked): "device logged out"
        default: "not connected"
        }
    }
}

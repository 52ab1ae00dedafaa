import Transport

extension DeviceSession {
    /// A `<receipt>`: rows, states and events, then the ack (04-message-pipeline, section 15.4).
    func handleReceipt(_ stanza: Stanza) async throws {
        guard let own, let receipt = IncomingReceipt(stanza, own: own, now: now) else {
            return send(Acknowledgement.ack(stanza, refusal: .parsing), after: tickets.newest)
        }
        if receipt.kind == .retry { return try await handleRetry(stanza, receipt) }
        let chat = try await party(receipt.chat)
        var recipients: [Party] = []
        for entry in receipt.entries { recipients.append(try await party(entry.sender)) }

        var draft = makeDraft()
        learnPairs(of: stanza, in: &draft.changes)
        for (entry, recipient) in zip(receipt.entries, recipients) {
            if receipt.isFromMe, receipt.kind == .read || receipt.kind == .readSelf {
                // Read on another own device.
                draft.changes.chats.append(ChatUpdate(chat: chat.key, kind: chatKind(receipt.chat), markRead: true))
            } else if let kind = receipt.receiptKind, let status = receipt.status, !receipt.isFromMe {
                draft.changes.receipts.append(
                    ReceiptRow(
                        chat: chat.key, messageID: entry.messageID, recipient: recipient.key, kind: kind, at: entry.at))
                draft.changes.messageUpdates.append(
                    MessageUpdate(chat: chat.key, messageID: entry.messageID, fromMe: true, status: status))
            }
            if let event = DeviceEvent.receipt(receipt, entry: entry, chat: chat, sender: recipient, at: now) {
                draft.changes.events.append(event)
            }
            if receipt.chat.isStatus, receipt.kind == .read, !receipt.isFromMe {
                draft.changes.events.append(
                    .statusViewed(
                        messageID: entry.messageID, sender: recipient, seenAt: entry.at, own: ownNumber, at: now))
            }
        }
        // Receipts come in numbers and hurry nobody: they fill the commits of messages (16, section 5.3).
        let ticket = submit(draft, isInbound: true, isPatient: true)
        send(Acknowledgement.ack(stanza), after: ticket)
    }

    private func learnPairs(of stanza: Stanza, in changes: inout ChangeSet) {
        guard let from = stanza.from else { return }
        let person = stanza.jid("participant") ?? from
        let alternative =
            person.isLID
            ? stanza.jid("participant_pn") ?? stanza.jid("sender_pn")
            : stanza.jid("participant_lid") ?? stanza.jid("sender_lid")
        guard let alternative, person.isPerson, alternative.isPerson, person.isLID != alternative.isLID else { return }
        let pair =
            person.isLID
            ? LIDPair(lid: person.user, pn: alternative.user) : LIDPair(lid: alternative.user, pn: person.user)
        learn([pair], in: &changes)
    }
}

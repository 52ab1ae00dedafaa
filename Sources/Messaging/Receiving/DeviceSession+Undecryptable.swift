import Logging
import Cryptography
import Signal
import Transport

extension DeviceSession {
    /// A ciphertext could not be read: retry receipt, placeholder, event, then the ack (04-message-pipeline, section 12.1).
    func undecryptable(
        _ stanza: Stanza, _ info: MessageInfo, parties: MessageParties, error: SignalError,
        enc: IncomingEnc, address: SignalAddress, isKeyless: Bool
    ) async throws {
        // Handled in an earlier life: the answer got lost, not the message.
        let hash = enc.hash(info, sender: address)
        if try await load({ try await store.isHandled(did: did, ciphertextHash: hash) }) {
            return send(Acknowledgement.delivery(for: info, isActive: sendsActiveReceipts), after: tickets.newest)
        }
        SessionMetrics.count(.decryptFailure)
        logger.info(
            "undecryptable", metadata: ["message": "\(info.id)", "from": "\(info.sender)", "error": "\(error)"])
        let isExpiredStatus = info.chat.isStatus && now.seconds - info.timestamp.seconds > 86_400
        // A device that its user's list lacks: keys at once (04, section 4.2).
        let isUnknown = isUnknownCompanion(info.sender)
        let reason = error.retryReason.map { isUnknown ? RetryReason.unknownCompanion.rawValue : $0 }
        let count = isExpiredStatus || reason == nil ? nil : retryCounters.next(for: info, resendCount: enc.count)

        var draft = makeDraft()
        addPlaceholder(info, parties: parties, to: &draft.changes)
        draft.changes.events.append(
            .messageUndecryptable(
                info, parties: parties, own: ownNumber, isUnavailable: isKeyless && error == .noSenderKey,
                unavailableType: "", failMode: enc.hidesFailure ? "hide" : "", attempt: count ?? RetryReceipt.limit,
                at: now))
        var receipt: Stanza?
        if let count, let keys {
            SessionMetrics.count(.retrySent)
            let includesKeys = count > 1 || isUnknown || error.wantsKeysAtOnce(isKeyless: isKeyless)
            let fresh = includesKeys ? makePreKeys(1, uploaded: true, draft: &draft).first : nil
            receipt = RetryReceipt.make(
                for: stanza, info: info, count: count, registrationID: keys.publicKeys.registrationID,
                reason: reason.flatMap(RetryReason.init(rawValue:)),
                keys: fresh.map {
                    RetryReceipt.Keys(
                        device: keys.publicKeys, preKeyID: $0.id, preKey: $0.keyPair.publicKey,
                        deviceIdentity: deviceIdentity)
                })
        }
        let ticket = submit(draft, isInbound: true)
        if let receipt { send(receipt, after: ticket) }
        send(Acknowledgement.ack(stanza), after: ticket)
        refreshDeviceListIfUnknown(info.sender)
        if count == 1 { requestFromPhone(info, after: 5) }
    }

    /// A row that stands for a message until it can be read.
    func addPlaceholder(_ info: MessageInfo, parties: MessageParties, to changes: inout ChangeSet) {
        changes.messages.append(
            MessageRow(
                chat: parties.chat.key, messageID: info.id, fromMe: info.isFromMe, timestamp: info.timestamp,
                sender: parties.sender.key, senderAlternative: parties.sender.alternative,
                pushName: configuration.storesContent ? info.pushName : nil, type: "undecryptable",
                status: info.isFromMe ? .sent : .delivered, origin: .live))
    }
}

extension SignalError {
    /// Whether the first retry receipt brings keys: the sender cannot do without a new session.
    fileprivate func wantsKeysAtOnce(isKeyless: Bool) -> Bool {
        switch self {
        case .noSession, .missingPreKey, .missingSignedPreKey: true
        case .noSenderKey, .noSenderKeyState: isKeyless
        default: false
        }
    }
}

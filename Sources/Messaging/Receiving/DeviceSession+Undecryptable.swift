import Logging
import Cryptography
import NIOCore
import Signal
import Transport
import WhatsAppProtobuf

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
        let reason = error.retryReason
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
            let includesKeys = count > 1 || error.wantsKeysAtOnce(isKeyless: isKeyless)
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

    // MARK: Asking the phone

    private static let phoneRequestMaximumAge: Int64 = 14 * 86_400

    /// Asks the own phone for a message that does not get readable in `seconds` (04, sections 12.1 and 20.1): not for
    /// status, channels and peer messages, once a day per message, and only with a session to the phone.
    func requestFromPhone(_ info: MessageInfo, after seconds: Int64) {
        guard !info.chat.isStatus, !info.isPeer, now.seconds - info.timestamp.seconds < Self.phoneRequestMaximumAge
        else {
            return
        }
        let key = "\(info.chat) \(info.id)"
        if let last = placeholderRequests[key], now.seconds - last.seconds < 86_400 { return }
        placeholderRequests[key] = now
        let number = linkNumber
        eventLoop.scheduleTask(in: .seconds(seconds)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { session in
                guard number == session.linkNumber else { return }
                Task { try? await session.sendPlaceholderRequest(info) }
            }
        }
    }

    private func sendPlaceholderRequest(_ info: MessageInfo) async throws {
        let chat = try await canonicalChat(info.chat)
        // It arrived in the meantime.
        if let row = try await load({ try await store.message(did: did, chat: chat, messageID: info.id) }),
            row.type != "undecryptable"
        {
            return
        }
        let key = MessageKey(
            chat: info.chat, fromMe: info.isFromMe, messageID: info.id,
            participant: info.chat.isGroup && !info.isFromMe ? info.sender.bare : nil)
        let request = ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 16
                body.update("peerDataOperationRequestMessage") { operation in
                    operation[int: "peerDataOperationRequestType"] = 4
                    let type = operation.type(of: "placeholderMessageResendRequest")
                    operation[messages: "placeholderMessageResendRequest"] = [
                        ProtoMessage(type) { $0[message: "messageKey"] = key.protobuf }
                    ]
                }
            }
        }
        try await sendPeer(request, pushPriority: nil)
    }

    /// A message to the own phone (04, section 9.6). Throws `recipientUnreachable` without a session: the phone must have
    /// written first.
    func sendPeer(_ content: ProtoMessage, pushPriority: String?) async throws {
        guard let own, case .open(_, .ready) = link else { throw SessionError.notConnected }
        let address = SignalAddress((own.lid ?? own.pn).bare)
        try await loadSessions([address])
        guard sessions.hasSession(address) else { throw SessionError.recipientUnreachable }
        let id = MessageID.make(seconds: now.seconds, user: own.pn.user, random: configuration.random.bytes(16))
        let padded = MessagePadding.pad(content.serialized(), random: configuration.random.bytes(1)[0])
        var draft = makeDraft()
        let ciphertext = try sessions.encrypt(padded, to: address, draft: &draft, now: now)
        submit(draft)
        let stanza = OutgoingStanza(id: id, to: own.pn.bare, traits: StanzaTraits(), deviceIdentity: deviceIdentity)
            .peer(
                copy: EncryptedCopy(
                    device: own.pn.bare, type: ciphertext.type.encType, ciphertext: ciphertext.bytes),
                pushPriority: pushPriority)
        send(stanza, after: draft.cover)
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

import Cryptography
import NIOCore
import Signal
import Transport
import WhatsAppProtobuf

/// Asking the own phone for messages that only it can read (04-message-pipeline, section 20.1).
extension DeviceSession {
    private static let phoneRequestMaximumAge: Int64 = 14 * 86_400

    /// Asks the own phone for a message that does not get readable in `seconds` (04, sections 12.1 and 20.1): not for
    /// status, channels and peer messages, once a day per message, and only with a session to the phone.
    func requestFromPhone(_ info: MessageInfo, after seconds: Int64) {
        guard !info.chat.isStatus, !info.isPeer, now.seconds - info.timestamp.seconds < Self.phoneRequestMaximumAge
        else {
            return
        }
        let key = "\(info.chat) \(info.id)"
        guard placeholderRequests.values.filter({ now.seconds - $0.seconds < 60 }).count < 5 else { return }
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
        let id = try await sendPeer(request, pushPriority: nil)
        requestedMessages[id] = info
    }

    /// The phone's answer: what could not be read, as it has it. Chat, sender and time are those of the stanza we could not
    /// read, since the phone may name people otherwise.
    func adoptRequested(_ response: ProtoMessage, outcome: inout MessageOutcome, draft: inout SignalDraft) {
        guard let info = response[string: "stanzaID"].flatMap({ requestedMessages.peek($0) }) else { return }
        for result in response[messages: "peerDataOperationResult"] {
            guard let bytes = result[message: "placeholderMessageResendResponse"]?[bytes: "webMessageInfoBytes"],
                let web = try? ProtoMessage(.webMessageInfo, parsing: bytes),
                web[message: "key"]?[string: "ID"] == info.id, let message = web[message: "message"],
                let payload = try? MessagePayload(parsing: message.serialized(), isFromMe: info.isFromMe),
                payload.kind != .internalTraffic
            else { continue }
            let sender =
                info.senderAlternative.map {
                    Party(info.sender.withoutHosting.bare, alternative: $0.withoutHosting)
                } ?? partyInMemory(info.sender)
            let isSenderChat = !info.isFromMe && info.chat == info.sender.bare
            interpret(
                message.serialized(), info: info,
                parties: MessageParties(chat: isSenderChat ? sender : partyInMemory(info.chat), sender: sender),
                senderKey: SenderKeyName(group: info.from.description, sender: SignalAddress(info.sender)),
                outcome: &outcome, draft: &draft)
        }
    }

    /// A message to the own phone (04, section 9.6); returns its id. Throws `recipientUnreachable` without a session: the
    /// phone must have written first.
    func sendPeer(_ content: ProtoMessage, pushPriority: String?) async throws -> String {
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
        return id
    }
}

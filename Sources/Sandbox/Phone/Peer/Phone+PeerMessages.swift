import Cryptography
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// Messages between the phone and its own companions that nobody sees (06-app-state-history, section 17).
extension Phone {
    /// `ProtocolMessage.type` and the field of its payload.
    enum PeerPayload {
        static let historySync = (type: UInt64(5), field: 6)
        static let keyShare = (type: UInt64(6), field: 7)
        static let keyRequest = (type: UInt64(7), field: 8)
        static let fatalException = (type: UInt64(10), field: 10)
        static let operationRequest = (type: UInt64(16), field: 16)
        static let operationResponse = (type: UInt64(17), field: 17)
    }

    /// Sends one protocol message to one companion and returns its id.
    @discardableResult
    func sendPeer(_ payload: (type: UInt64, field: Int), _ body: Bytes, to device: Device) throws -> String {
        let content = MessageContent.protocolMessage(type: payload.type, field: payload.field, payload: body)
        let id = newMessageID()
        peerMessages[id] = SentPeerMessage(content: content, device: device.id)
        try sendPeerMessage(content, to: device, id: id)
        return id
    }

    func sendPeerMessage(_ content: MessageContent, to device: Device, id: String, count: Int? = nil) throws {
        guard let enc = try encrypt(content.bytes, for: device, content: nil, count: count) else {
            throw PhoneError.encryptionFailed("companion \(device.id) has no keys")
        }
        let stanza = Stanza(
            "message",
            ["id": .text(id), "type": "text", "category": "peer", "to": .jid(device.jid(in: .pn))],
            children: [Stanza("meta", ["appdata": "default"]), enc])
        _ = world.sendFromPhone(account, stanza)
    }

    // MARK: Requests of companions

    func receivePeerMessage(_ content: MessageContent, _ origin: MessageOrigin) {
        guard origin.fromMe, let device = world.device(origin.sender),
            let message = ProtoFields(lenient: content.bytes).message(MessageField.protocolMessage)
        else {
            world.violation(
                "phone.peer", "a peer message that is no protocol message of an own companion",
                device: world.device(origin.sender))
            return
        }
        let type = message.uint(2) ?? 0
        var data: [String: JSONValue] = [
            "id": .string(origin.id), "from_device": .number(device.id), "type": .string(Self.word(ofType: type)),
        ]
        if type == PeerPayload.operationRequest.type,
            let request = message.message(PeerPayload.operationRequest.field)
        {
            data["operation"] = .number(request.uint(1) ?? 0)
        }
        emit(.phoneRequest, data)
        do {
            switch type {
            case PeerPayload.keyRequest.type:
                let wanted = message.message(PeerPayload.keyRequest.field)?.messages(1).compactMap { $0.bytes(1) }
                try sendPeer(PeerPayload.keyShare, appState.share(wanted: wanted ?? []), to: device)
            case PeerPayload.operationRequest.type:
                try answerOperation(
                    message.message(PeerPayload.operationRequest.field) ?? ProtoFields([]), id: origin.id, to: device)
            case PeerPayload.fatalException.type:
                for companion in account.companions {
                    world.remove(companion, reason: "app_state_fatal_exception", notify: true)
                }
            default: break
            }
        } catch {
            world.violation("phone.peer", "the request \(origin.id) could not be answered: \(error)", device: device)
        }
    }

    private static func word(ofType type: UInt64) -> String {
        switch type {
        case PeerPayload.keyRequest.type: "app_state_key_request"
        case PeerPayload.operationRequest.type: "peer_data_operation"
        case PeerPayload.fatalException.type: "app_state_fatal_exception"
        default: "protocol_\(type)"
        }
    }

    /// Placeholder resends are answered from the log; other operations with an empty list of results.
    private func answerOperation(_ request: ProtoFields, id: String, to device: Device) throws {
        let operation = request.uint(1) ?? 0
        var writer = ProtoWriter()
        writer.varint(1, operation)
        writer.string(2, id)
        if operation == 4 {
            for wanted in request.messages(5) {
                guard let key = wanted.message(1), let messageID = key.string(3),
                    let chat = key.string(1).flatMap({ JID($0) }),
                    let message = log.message(messageID, in: world.account(chat)?.lidJID ?? chat)
                else { continue }
                writer.message(3) { result in
                    result.message(4) { $0.bytes(1, WebMessageInfo(message, in: self).serialized()) }
                }
            }
        }
        try sendPeer(PeerPayload.operationResponse, writer.bytes, to: device)
    }
}

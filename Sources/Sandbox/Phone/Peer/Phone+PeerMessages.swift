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

    /// `PeerDataOperationRequestType` (06, section 17).
    private enum Operation {
        static let historyOnDemand: UInt64 = 3
        static let placeholderResend: UInt64 = 4
        static let fullHistoryOnDemand: UInt64 = 6
        static let companionMetaNonce: UInt64 = 7
        static let appStateRecovery: UInt64 = 8
        static let historyChunkRetry: UInt64 = 10
    }

    /// History on demand is answered by a history notification; everything else by a response, which for operations that
    /// phones here do not know holds an empty list of results.
    private func answerOperation(_ request: ProtoFields, id: String, to device: Device) throws {
        let operation = request.uint(1) ?? 0
        if operation == Operation.historyOnDemand {
            return try answerHistoryOnDemand(request.message(4) ?? ProtoFields([]), id: id, to: device)
        }
        var writer = ProtoWriter()
        writer.varint(1, operation)
        writer.string(2, id)
        for result in results(of: operation, request, id: id) { writer.message(3, result) }
        try sendPeer(PeerPayload.operationResponse, writer.bytes, to: device)
        switch operation {
        case Operation.fullHistoryOnDemand:
            try sendHistory(.full, to: device, metadata: request.message(6)?.bytes(1) ?? [])
        case Operation.historyChunkRetry:
            if let chunk = request.message(8)?.string(3) { resendHistory(chunk, to: device) }
        default: break
        }
    }

    /// The serialized `PeerDataOperationResult`s.
    private func results(of operation: UInt64, _ request: ProtoFields, id: String) -> [Bytes] {
        var results: [Bytes] = []
        func add(_ field: Int, _ build: (inout ProtoWriter) -> Void) {
            var writer = ProtoWriter()
            writer.message(field, build)
            results.append(writer.bytes)
        }
        switch operation {
        case Operation.placeholderResend:
            for wanted in request.messages(5) {
                guard let key = wanted.message(1), let messageID = key.string(3),
                    let chat = key.string(1).flatMap({ JID($0) }),
                    let message = log.message(messageID, in: world.account(chat)?.lidJID ?? chat)
                else { continue }
                add(4) { $0.bytes(1, WebMessageInfo(message, in: self).serialized()) }
            }
        case Operation.fullHistoryOnDemand:
            add(6) { response in
                if let metadata = request.message(6)?.bytes(1) { response.message(1, metadata) }
                response.varint(2, 0)
            }
        case Operation.companionMetaNonce:
            let nonce = world.random.constant("account/\(account.phone)/companion-meta-nonce", 16)
            add(7) { $0.string(1, Base64.encodeURLSafe(nonce)) }
        case Operation.appStateRecovery:
            if let name = request.message(7)?.string(1), let snapshot = recoverySnapshot(of: name) {
                add(8) { response in
                    response.bytes(1, snapshot)
                    response.bool(2, false)
                }
            }
        case Operation.historyChunkRetry:
            let retry = request.message(8)
            let isKnown = retry?.string(3).map { sentHistory[$0] != nil } ?? false
            add(10) { response in
                response.varint(1, retry?.uint(1) ?? 0)
                response.varint(2, retry?.uint(2) ?? 0)
                response.string(3, id)
                if !isKnown { response.varint(4, 2) }
                response.bool(5, isKnown)
            }
        default: break
        }
        return results
    }
}

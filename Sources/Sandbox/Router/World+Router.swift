import Cryptography
import Transport

/// Which stanza goes where (09, section 11; 01, section 13).
extension World {
    /// Handles one stanza of a client to its end. `raw`: the bytes it was read from.
    func receive(_ stanza: Stanza, raw: Bytes, on connection: ClientConnection) {
        switch connection.phase {
        case .registering(let session): receive(stanza, pairing: session, on: connection)
        case .loggedIn(let device): receive(stanza, raw: raw, from: device, on: connection)
        case .opened, .answered, .ending, .closed: break
        }
    }

    /// Before a companion exists: keepalives and pairing; everything else is not authorized (02, section 5).
    private func receive(_ stanza: Stanza, pairing session: PairingSession, on connection: ClientConnection) {
        switch stanza.tag {
        case "iq":
            switch (stanza.type, stanza["xmlns"]) {
            case ("result", _), ("error", _): pairingReply(stanza, session: session, on: connection)
            case (_, "w:p"): connection.send(.result(to: stanza))
            case (_, "md"):
                if let node = stanza.child("link_code_companion_reg") {
                    linkCode(stanza, node, session: session, on: connection)
                } else if let node = stanza.firstChild, Self.passkeyRequests.contains(node.tag) {
                    passkey(stanza, node, session: session, on: connection)
                } else {
                    connection.send(.error(to: stanza, .notImplemented))
                }
            default: connection.send(.error(to: stanza, .notAuthorized))
            }
        case "ack", "presence", "ib": break
        case "xmlstreamend": connection.close(code: .normalClosure)
        default: violation("unexpected_stanza", "\(stanza.tag) before login", connection: connection, stanza: stanza)
        }
    }

    private func receive(_ stanza: Stanza, raw: Bytes, from device: Device, on connection: ClientConnection) {
        switch stanza.tag {
        case "iq": receiveIQ(stanza, raw: raw, from: device, on: connection)
        case "message":
            let digest = Hex.encode(SHA256Digest.hash(raw))
            connection.send(relay(stanza, from: device, digest: digest, fault: connection.answerFault))
        case "receipt": receiveReceipt(stanza, from: device, on: connection)
        case "ack": receiveAck(stanza, from: device, on: connection)
        case "presence": receivePresence(stanza, from: device, on: connection)
        case "chatstate": receiveChatState(stanza, from: device)
        case "call": receiveCall(stanza, from: device, on: connection)
        case "ib":
            if stanza.child("offline_batch") != nil { startDelivery(to: device, on: connection) }
        case "notification":
            connection.send(.ack(of: stanza, ["type": stanza.attributes["type"]]))
            violation("unexpected_stanza", "notification from a client", connection: connection, stanza: stanza)
        case "xmlstreamend": connection.close(code: .normalClosure)
        default: violation("unknown_stanza", stanza.tag, connection: connection, stanza: stanza)
        }
    }

    private func receiveIQ(_ iq: Stanza, raw: Bytes, from device: Device, on connection: ClientConnection) {
        guard iq.id != nil else {
            return violation("iq", "without id", connection: connection, stanza: iq)
        }
        switch iq.type {
        case "result", "error": return
        case "get", "set", nil: break
        case .some(let other):
            violation("iq", "type \(other)", connection: connection, stanza: iq)
            return connection.send(.error(to: iq, .badRequest))
        }
        let isSet = iq.type == "set"
        let key = isSet ? "\(device.account.phone):\(device.id)/\(Hex.encode(SHA256Digest.hash(raw)))" : ""
        if isSet, let answer = answers.answer(key, now: clock.milliseconds) { return connection.send(answer) }
        var answer: Stanza?
        connection.answering {
            answer = self.answer(iq, from: device, on: connection)
            if let answer { connection.send(answer) }
        }
        if isSet, let answer { answers.remember(answer, under: key, now: clock.milliseconds) }
        afterAnswer(iq, answer, from: device, on: connection)
    }

    /// The one answer to a request; `nil` only where a setting or a fault wants silence.
    private func answer(_ iq: Stanza, from device: Device, on connection: ClientConnection) -> Stanza? {
        let request = IQRequest(stanza: iq, device: device)
        do {
            switch iq["xmlns"] {
            case "w:p", "urn:xmpp:ping": return .result(to: iq, ["t": .int(clock.seconds)])
            case "passive": return try answerPassive(request)
            case "encrypt": return try answerEncrypt(request)
            case "usync": return try answerUsync(request)
            case "md": return try answerMultiDevice(request)
            case "w:g2": return try answerGroups(request)
            case "w:m": return try answerMedia(request)
            case "privacy": return try answerPrivacy(request)
            case "blocklist": return try answerBlocklist(request)
            case "status": return try answerStatus(request)
            case "disappearing_mode": return try answerDisappearingMode(request)
            case "w:profile:picture": return try answerPicture(request)
            case "abt": return try answerProperties(request)
            case "urn:xmpp:whatsapp:dirty": return try answerDirty(request)
            case "urn:xmpp:whatsapp:push": return try answerPush(request)
            case "w:mex": return try answerMex(request)
            case "w:biz", "w:qr", "bot", "tos", "w:stats", "spam", "optoutlist", "fb:thrift_iq", "newsletter",
                "w:biz:catalog":
                return try answerSmall(request)
            case "w:sync:app:state":
                return try answerAppState(request)
            default: throw IQError.notImplemented
            }
        } catch let error as IQError {
            if error == .notImplemented { return unknown(iq, on: connection) }
            return .error(to: iq, error)
        } catch {
            return .error(to: iq, .internalServerError)
        }
    }

    /// What must come after the answer was written.
    private func afterAnswer(_ iq: Stanza, _ answer: Stanza?, from device: Device, on connection: ClientConnection) {
        guard answer?.type != "error" else { return }
        switch iq["xmlns"] {
        case "passive": if iq.child("active") != nil { activated(device, on: connection) }
        case "md": if let node = iq.child("remove-companion-device") { removeCompanions(node, asked: device) }
        default: break
        }
    }

    private func unknown(_ iq: Stanza, on connection: ClientConnection) -> Stanza? {
        counters.unknownIQs += 1
        events.emit(
            .iqUnknown, account: connection.device?.account.phone, device: connection.device.map { Int($0.id) },
            connection: connection.id,
            [
                "xmlns": .string(iq["xmlns"] ?? ""), "type": .string(iq.type ?? ""),
                "child": .string(iq.firstChild?.tag ?? ""), "stanza": .string(iq.description),
            ])
        violation("unknown_iq", "\(iq["xmlns"] ?? "none") \(iq.firstChild?.tag ?? "")", connection: connection)
        switch settings.unknownIQ {
        case .error: return .error(to: iq, .notImplemented)
        case .result: return .result(to: iq)
        case .ignore: return nil
        }
    }
}

/// A request of a logged-in device.
@SandboxActor
struct IQRequest {
    let stanza: Stanza
    let device: Device

    var account: Account { device.account }
    var isSet: Bool { stanza.type != "get" }
    var child: Stanza? { stanza.firstChild }

    func result(_ children: Stanza...) -> Stanza { .result(to: stanza, children: children) }
}

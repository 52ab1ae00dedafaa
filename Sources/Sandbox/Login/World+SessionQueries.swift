import Cryptography
import Transport

/// The requests of a client about its own session and device (09, section 11.1).
extension World {
    /// `active` and `passive`; what follows `active` comes after the answer. The mode is echoed: whatsmeow and Baileys read
    /// nothing of the answer, but whatsapp-rust, like WhatsApp Web, takes a result without the element for a failure.
    func answerPassive(_ request: IQRequest) throws -> Stanza {
        guard request.isSet, let mode = request.child?.tag else { throw IQError.notImplemented }
        switch mode {
        case "active": break
        case "passive": request.device.isActive = false
        default: throw IQError.notImplemented
        }
        return request.result(Stanza(mode))
    }

    func answerDirty(_ request: IQRequest) throws -> Stanza {
        guard request.isSet else { throw IQError.notImplemented }
        for node in request.stanza.children("clean") {
            guard let type = node["type"], let marked = request.device.dirty[type] else { continue }
            if let time = node.int("timestamp"), Int64(time) < marked { continue }
            request.device.dirty[type] = nil
        }
        save(request.device)
        return .result(to: request.stanza)
    }

    func answerPush(_ request: IQRequest) throws -> Stanza {
        guard request.isSet else {
            return request.result(
                Stanza("settings", children: [request.device.pushConfig].compactMap(\.self)))
        }
        if let config = request.stanza.child("config") {
            request.device.pushConfig = config
        } else if request.stanza.child("clear") != nil {
            request.device.pushConfig = nil
        } else {
            throw IQError.notImplemented
        }
        save(request.device)
        return .result(to: request.stanza)
    }

    /// Server properties; 08, section 16.4 lists these.
    private static let properties: [(code: String, value: String)] = [
        ("10518", "0"), ("9666", "0"), ("14303", "0"), ("865", "604800"), ("909", "4"), ("1304", "1024"),
        ("14801", "100"), ("14778", "2048"),
    ]

    func answerProperties(_ request: IQRequest) throws -> Stanza {
        guard let props = request.stanza.child("props") else { throw IQError.notImplemented }
        let text = Self.properties.map { "\($0.code)=\($0.value)" }.joined(separator: ",")
        let hash = Hex.encode(Bytes(SHA256Digest.hash(Bytes(text.utf8)).prefix(8)))
        if props["hash"] == hash {
            return request.result(Stanza("props", ["protocol": "1", "hash": .text(hash)]))
        }
        return request.result(
            Stanza(
                "props",
                ["protocol": "1", "hash": .text(hash), "refresh": "86400", "refresh_id": "1", "ab_key": "sandbox"],
                children: Self.properties.map {
                    Stanza("prop", ["config_code": .text($0.code), "config_value": .text($0.value)])
                }))
    }

    // MARK: Unlinking

    /// `<remove-companion-device>`: the answer goes out first, then the device goes (``removeCompanions(_:asked:)``).
    func answerMultiDevice(_ request: IQRequest) throws -> Stanza {
        guard request.isSet, let node = request.child else { throw IQError.notImplemented }
        switch node.tag {
        case "remove-companion-device":
            if node["all"] == "true" { return .result(to: request.stanza) }
            guard let jid = node.jid("jid"), let device = device(jid), device.account === request.account,
                !device.isPhone
            else { throw IQError.itemNotFound }
            return .result(to: request.stanza)
        default: throw IQError.notImplemented
        }
    }

    func removeCompanions(_ node: Stanza, asked: Device) {
        let reason = node["reason"] ?? "user_initiated"
        let targets =
            node["all"] == "true"
            ? asked.account.companions : [node.jid("jid").flatMap { device($0) }].compactMap(\.self)
        for device in targets {
            events.emit(
                .deviceLogout, account: device.account.phone, device: Int(device.id),
                connection: device.connection?.id, ["reason": .string(reason)])
            remove(device, reason: reason, notify: true)
        }
    }
}

import Cryptography
import HTTPTypes
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// App state as the person at the phone changes it, and as the phone sees it.
extension ControlRoutes {
    func addAppState() {
        on(.post, "/accounts/:account/appstate") { call in
            let phone = try call.phone
            let version: UInt64
            if let mutations = call.body["mutations"]?.arrayValue {
                let name = try Self.collection(call.text("collection"))
                version = try phone.change(name, mutations.map { try Self.change($0, phone) })
            } else {
                version = try Self.shortcut(call, phone)
            }
            return ["version": .number(version)]
        }
        on(.get, "/accounts/:account/appstate/:collection") { call in
            let phone = try call.phone
            let name = try Self.collection(call.parameter("collection"))
            return phone.collectionJSON(name)
        }
        on(.post, "/accounts/:account/appstate/rotate-key") { call in
            let phone = try call.phone
            phone.shareRotatedKey()
            return ["key_id": .string(Hex.encode(phone.appState.keys.last?.id ?? []))]
        }
        on(.post, "/accounts/:account/appstate/corrupt") { call in
            guard let part = AppStateDamage(rawValue: try call.text("what")) else {
                throw ControlError.invalid("what is lthash, patch_mac, value_mac or missing_key")
            }
            let name = try Self.collection(call.optionalText("collection") ?? "critical_block")
            try call.world.corruptAppState(name, of: call.account, part)
            return .done
        }
    }

    private static func collection(_ name: String) throws -> String {
        guard AppStateCollection.names.contains(name) else { throw ControlError.notFound("collection") }
        return name
    }

    /// `{op, index, value, version}`: `op` set or remove, `index` a list of texts, `value` a `SyncActionValue` in JSON.
    @SandboxActor
    private static func change(_ json: JSONValue, _ phone: Phone) throws -> AppStateChange {
        guard let index = json["index"]?.arrayValue?.compactMap(\.stringValue), !index.isEmpty else {
            throw ControlError.invalid("index is a list of texts")
        }
        let operation: SyncdMutation.Operation
        switch json["op"]?.stringValue ?? "set" {
        case "set": operation = .set
        case "remove": operation = .remove
        default: throw ControlError.invalid("op is set or remove")
        }
        do {
            return AppStateChange(
                operation: operation, index: index,
                value: try SyncAction.value(
                    json: json["value"] ?? .object([:]), timestamp: phone.world.clock.milliseconds),
                version: json["version"]?.intValue ?? 1)
        } catch {
            throw ControlError.invalid("value is no SyncActionValue in protobuf JSON: \(error)")
        }
    }

    /// `{mute|pin|archive: {chat, …}}`, `{contact: {phone, name}}`, `{label: {id, name, …}}`, `{push_name}`.
    @SandboxActor
    private static func shortcut(_ call: ControlCall, _ phone: Phone) throws -> UInt64 {
        func chat(_ value: JSONValue) throws -> String {
            guard let text = value.stringValue ?? value["chat"]?.stringValue else {
                throw ControlError.missing("chat")
            }
            return try call.chat(text).description
        }
        func isOn(_ value: JSONValue) -> Bool { value["on"]?.boolValue ?? true }
        if let value = call.body["mute"] {
            let end = value["until"]?.intValue ?? -1
            return try phone.change(
                "regular_high",
                [
                    AppStateChange(
                        index: ["mute", try chat(value)],
                        value: phone.value { writer in
                            writer.message(4) { mute in
                                mute.bool(1, isOn(value))
                                if isOn(value) { mute.int(2, end) }
                            }
                        }, version: 2)
                ])
        }
        if let value = call.body["pin"] {
            return try phone.change("regular_low", [try phone.pin(chat(value), isOn(value))])
        }
        if let value = call.body["archive"] {
            let jid = try chat(value)
            var changes = [
                AppStateChange(
                    index: ["archive", jid],
                    value: phone.value { writer in writer.message(17) { $0.bool(1, isOn(value)) } }, version: 3)
            ]
            if isOn(value) { changes.append(phone.pin(jid, false)) }
            return try phone.change("regular_low", changes)
        }
        if let value = call.body["contact"] {
            guard let number = value["phone"]?.stringValue, let name = value["name"]?.stringValue else {
                throw ControlError.missing("phone and name")
            }
            phone.account.contacts[number] = name
            phone.world.save(phone.account)
            try phone.addContact(number, name: name)
            return phone.collection("critical_unblock_low").version
        }
        if let value = call.body["label"] {
            guard let id = value["id"]?.stringValue else { throw ControlError.missing("id") }
            return try phone.change(
                "regular",
                [
                    AppStateChange(
                        index: ["label_edit", id],
                        value: phone.value { writer in
                            writer.message(14) { label in
                                label.string(1, value["name"]?.stringValue ?? id)
                                label.int(2, value["color"]?.intValue ?? 0)
                                label.bool(4, value["deleted"]?.boolValue ?? false)
                            }
                        }, version: 3)
                ])
        }
        if let name = try call.optionalText("push_name") { return try phone.rename(name) }
        throw ControlError.missing("mutations, or one of mute, pin, archive, contact, label, push_name")
    }
}

extension Phone {
    fileprivate func pin(_ chat: String, _ isOn: Bool) -> AppStateChange {
        AppStateChange(
            index: ["pin_v1", chat], value: value { writer in writer.message(5) { $0.bool(1, isOn) } }, version: 5)
    }

    /// Changes the account's push name where the person at the phone would: companions hear of it by app state.
    @discardableResult
    func rename(_ name: String) throws -> UInt64 {
        account.pushName = name
        world.save(account)
        return try change(
            "critical_block", [AppStateChange(index: ["setting_pushName"], value: pushNameValue(name), version: 1)])
    }

    fileprivate func collectionJSON(_ name: String) -> JSONValue {
        let collection = collection(name)
        return [
            "collection": .string(name), "version": .number(collection.version),
            "lthash": .string(Hex.encode(collection.hash.bytes)),
            "records": .array(
                collection.records.map { indexMAC, record in
                    [
                        "index": .array((record.action.index ?? []).map { .string($0) }),
                        "value": record.action.json, "version": .int(record.action.version),
                        "index_mac": .string(Hex.encode(indexMAC)), "key_id": .string(Hex.encode(record.keyID)),
                    ]
                }),
            "patches": .array(
                world.appState(name, of: account).patches.map { patch in
                    [
                        "version": .number(patch.version ?? 0), "mutations": .number(patch.mutations.count),
                        "key_id": .string(Hex.encode(patch.keyID)), "bytes": .string(Base64.encode(patch.bytes)),
                    ]
                }),
        ]
    }
}

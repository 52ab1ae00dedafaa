import Cryptography
import Transport
import WhatsAppProtobuf

extension PhoneMessage {
    /// The message as the control API and the event `phone.message` show it: people by phone number where it is known,
    /// with their LID beside it.
    @SandboxActor
    func json(in world: World) -> JSONValue {
        let author = world.account(sender)
        let other = world.account(chat)
        let shown = edited.map { MessageContent($0) } ?? message
        var members: [String: JSONValue] = [
            "seq": .number(sequence), "id": .string(id),
            "chat": .string((other?.pn ?? chat).description),
            "from": .string((author?.pn ?? sender.bare).description), "from_lid": .string(sender.bare.description),
            "from_device": .number(sender.device), "from_me": .bool(direction == .outgoing),
            "direction": .string(direction.rawValue), "t": .int(time), "kind": .string(message.kind),
        ]
        if other != nil { members["chat_lid"] = .string(chat.description) }
        if let text = shown.text { members["text"] = .string(text) }
        if let pushName { members["push_name"] = .string(pushName) }
        if direction == .outgoing { members["status"] = .string(status.word) }
        if let target = message.target { members["target"] = .string(target.id) }
        if isRevoked { members["revoked"] = true }
        if edited != nil { members["edited"] = true }
        if !reactions.isEmpty { members["reactions"] = .object(reactions.mapValues { .string($0) }) }
        if let decoded = message.decoded { members["message"] = decoded }
        return .object(members)
    }
}

extension PhoneMessage {
    /// What the world's store keeps: the form that ``init(from:)`` reads.
    var stored: Bytes {
        func numbers(_ bytes: Bytes) -> JSONValue { .array(bytes.map { .int(Int64($0)) }) }
        var members: [String: JSONValue] = [
            "sequence": .number(sequence), "id": .string(id), "chat": .string(chat.description),
            "sender": .string(sender.description), "direction": .string(direction.rawValue), "time": .int(time),
            "content": numbers(content), "status": .number(status.rawValue), "isRevoked": .bool(isRevoked),
            "reactions": .object(reactions.mapValues { .string($0) }),
        ]
        if let pushName { members["pushName"] = .string(pushName) }
        if let edited { members["edited"] = numbers(edited) }
        return JSONValue.object(members).bytes
    }
}

extension MessageContent {
    /// The whole `Message` as JSON by its schema; nil when it does not parse.
    package var decoded: JSONValue? {
        guard let message = try? ProtoMessage(.message, parsing: bytes) else { return nil }
        return JSONValue.parse(Bytes(message.json().utf8))
    }

    /// A `Message` written as JSON by its schema. Throws `ProtoError`.
    package init(json: JSONValue) throws {
        self.init(try ProtoMessage(.message, json: json.text).serialized())
    }
}

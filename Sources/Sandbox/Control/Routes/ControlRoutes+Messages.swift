import Cryptography
import HTTPTypes
import OrderedCollections
import Transport

/// The phone in a person's hand: sending, reading, typing.
extension ControlRoutes {
    func addMessages() {
        on(.post, "/accounts/:account/send") { call in
            try Self.send(call, from: call.account, to: call.destination("to"))
        }
        on(.get, "/accounts/:account/messages") { call in
            let phone = try call.phone
            let direction = try call.query("direction").map { text in
                guard let direction = PhoneMessage.Direction(rawValue: text) else {
                    throw ControlError.invalid("direction is in or out")
                }
                return direction
            }
            let since = try call.queryNumber("since", in: 0...Int.max, default: 0)
            let limit = try call.queryNumber("limit", in: 1...100_000, default: 1000)
            let world = try call.world
            // Numbers of messages are small; anything above is a time in seconds.
            let isTime = since >= 1_000_000_000
            let messages = phone.log.messages(
                in: try call.query("chat").map { try call.chat($0) }, since: isTime ? 0 : since, direction: direction,
                limit: isTime ? .max : limit
            ).filter { !isTime || $0.time >= Int64(since) }
            return .array(messages.suffix(limit).map { $0.json(in: world) })
        }
        on(.post, "/accounts/:account/read") { call in
            let phone = try call.phone
            let chat = try call.chat(try call.optionalText("chat") ?? call.text("to"))
            let ids =
                try call.texts("ids")
                ?? phone.log.messages(in: chat, direction: .incoming).filter { $0.status < .read }.map(\.id)
            phone.markRead(ids, in: chat)
            return ["ids": .array(ids.map { .string($0) })]
        }
        on(.post, "/accounts/:account/typing") { call in
            let chat = try call.chat(try call.optionalText("to") ?? call.text("chat"))
            guard let typing = Phone.Typing(rawValue: try call.optionalText("state") ?? "composing") else {
                throw ControlError.invalid("state is composing, paused or recording")
            }
            try call.phone.setTyping(typing, in: chat)
            return .done
        }
        on(.post, "/accounts/:account/presence") { call in
            let available: Bool
            switch call.body["available"] ?? call.body["type"] ?? call.body["presence"] {
            case .bool(let value)?: available = value
            case .string("available")?: available = true
            case .string("unavailable")?: available = false
            default: throw ControlError.invalid("available is true or false")
            }
            try call.world.setPresenceFromPhone(call.account, available: available)
            return .done
        }
    }

    /// Sends what the body describes: `{text}`, `{message}`, with `{id, quoted, mentions, edit, revoke, react, ephemeral}` beside
    /// it or inside `options`.
    @SandboxActor
    static func send(_ call: ControlCall, from account: Account, to destination: JID) throws -> JSONValue {
        let phone = try call.phones.phone(of: account)
        let draft = try OutgoingDraft(call, phone: phone, destination: destination)
        let sent = try phone.send(draft.content, to: destination, id: draft.id)
        if let error = sent.error {
            throw ControlError(409, "refused", "the server refused the message with error \(error)")
        }
        return ["id": .string(sent.id), "t": .int(sent.time)]
    }
}

/// A message as the body of `send` describes it.
@SandboxActor
private struct OutgoingDraft {
    let id: String?
    let content: MessageContent

    private let call: ControlCall
    private let phone: Phone
    private let chat: JID

    init(_ call: ControlCall, phone: Phone, destination: JID) throws {
        self.call = call
        self.phone = phone
        chat = phone.world.account(destination)?.lidJID ?? destination.bare
        if let options = call.body["options"], options.objectValue == nil {
            throw ControlError.invalid("options is an object")
        }
        id = try Self.option("id", call).map { value in
            guard let id = value.stringValue, (1...128).contains(id.utf8.count) else {
                throw ControlError.invalid("id has 1 to 128 characters")
            }
            return id
        }
        content = try Self.content(call, phone: phone, chat: chat)
    }

    private static func option(_ name: String, _ call: ControlCall) -> JSONValue? {
        let value = call.body["options"]?[name] ?? call.body[name]
        return value == .null ? nil : value
    }

    private static func content(_ call: ControlCall, phone: Phone, chat: JID) throws -> MessageContent {
        let time = phone.world.clock.milliseconds
        if let reaction = option("react", call) { return try Self.reaction(reaction, call, phone, chat, time) }
        if let revoked = option("revoke", call) {
            let message = try known(revoked, "revoke", phone, chat)
            let fromMe = message.sender.user == phone.account.lid
            return .revoke(
                message.id, in: chat, fromMe: fromMe,
                participant: chat.isGroup && !fromMe ? message.sender.bare : nil)
        }
        let content = try plainContent(call, phone, chat)
        guard let edited = option("edit", call) else { return content }
        return .edit(try known(edited, "edit", phone, chat).id, in: chat, content: content, time: time)
    }

    private static func plainContent(_ call: ControlCall, _ phone: Phone, _ chat: JID) throws -> MessageContent {
        if let media = option("media", call) { return try Self.media(media, phone) }
        if let message = option("message", call) {
            do {
                return try MessageContent(json: message)
            } catch {
                throw ControlError.invalid("message is no Message in protobuf JSON: \(error)")
            }
        }
        var context = MessageContent.Context()
        if let quoted = option("quoted", call) {
            let message = try known(quoted, "quoted", phone, chat)
            context.quote = .init(id: message.id, participant: message.sender.bare, content: message.message)
        }
        for mention in option("mentions", call)?.arrayValue ?? [] {
            guard let jid = mention.stringValue.flatMap({ JID.input($0) }) else {
                throw ControlError.invalid("mentions is a list of phone numbers or JIDs")
            }
            context.mentions.append(phone.world.account(jid)?.lidJID ?? jid)
        }
        context.expiration = option("ephemeral", call)?.intValue.flatMap { UInt32(exactly: $0) }
        return .text(try call.text("text"), context: context)
    }

    /// `{kind, base64, caption, mime, file_name}`.
    private static func media(_ media: JSONValue, _ phone: Phone) throws -> MessageContent {
        guard let kind = MediaKind.named(media["kind"]?.stringValue ?? "image") else {
            throw ControlError.invalid(
                "media: kind is one of \(MediaKind.all.map(\.name).joined(separator: ", "))")
        }
        if media["url"] != nil { throw ControlError.notImplemented("fetching media by URL") }
        guard let bytes = media["base64"]?.stringValue.flatMap({ Base64.decode($0) }) else {
            throw ControlError.invalid("media: base64 is the file in base64")
        }
        let file = try phone.upload(bytes, type: kind.uploadType, info: kind.info)
        return .media(
            kind, file, mimetype: media["mime"]?.stringValue, caption: media["caption"]?.stringValue,
            fileName: media["file_name"]?.stringValue, time: phone.world.clock.seconds)
    }

    /// `{id, emoji}`, or an id with the emoji as the text.
    private static func reaction(
        _ value: JSONValue, _ call: ControlCall, _ phone: Phone, _ chat: JID, _ time: Int64
    ) throws -> MessageContent {
        let message = try known(value, "react", phone, chat)
        let emoji = try value["emoji"]?.stringValue ?? value["text"]?.stringValue ?? call.optionalText("text") ?? ""
        let fromMe = message.sender.user == phone.account.lid
        return .reaction(
            emoji, to: message.id, in: chat, fromMe: fromMe, participant: chat.isGroup ? message.sender.bare : nil,
            time: time)
    }

    /// The message that an option names by its id, or by `{id}`.
    private static func known(_ value: JSONValue, _ name: String, _ phone: Phone, _ chat: JID) throws -> PhoneMessage {
        guard let id = value.stringValue ?? value["id"]?.stringValue else {
            throw ControlError.invalid("\(name) is the id of a message")
        }
        guard let message = phone.log.message(id, in: chat) else { throw PhoneError.unknownMessage(id) }
        return message
    }
}

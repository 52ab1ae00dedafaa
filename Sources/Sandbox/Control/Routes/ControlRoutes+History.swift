import HTTPTypes
import OrderedCollections
import Transport

/// Chats that are older than the world, history on demand of the tester, calls, files of messages.
extension ControlRoutes {
    /// Messages that one call may make.
    private static let seedLimit: Int64 = 20_000

    func addHistory() {
        on(.get, "/accounts/:account/chats") { call in
            let world = try call.world
            var counts: OrderedDictionary<JID, (count: Int, latest: Int64)> = [:]
            for message in try call.phone.log.all {
                counts[message.chat, default: (0, 0)].count += 1
                counts[message.chat]?.latest = message.time
            }
            return .array(
                counts.map { chat, entry in
                    [
                        "chat": .string((world.account(chat)?.pn ?? chat).description),
                        "lid": .string(chat.description), "messages": .number(entry.count), "t": .int(entry.latest),
                    ]
                })
        }
        on(.post, "/accounts/:account/chats") { call in try Self.seed(call) }
        on(.post, "/accounts/:account/history/push") { call in
            let phone = try call.phone
            let number = try call.optionalNumber("device", in: 1...255)
            guard
                let device = number.map({ phone.account.devices[UInt16($0)] }) ?? phone.account.companions.first
            else { throw WorldError.noSuchDevice }
            guard let type = Self.historyTypes[try call.optionalText("type") ?? "RECENT"] else {
                throw ControlError.invalid("type is one of \(Self.historyTypes.keys.sorted().joined(separator: ", "))")
            }
            try phone.sendHistory(type, to: device, metadata: type == .full ? [] : nil)
            return .done
        }
        on(.post, "/accounts/:account/call") { call in
            let account = try call.account
            guard let other = try call.world.account(call.destination("to")) else { throw WorldError.noSuchAccount }
            let id = try call.optionalText("id") ?? call.phone.newMessageID()
            let action = try call.optionalText("action") ?? "offer"
            guard ["offer", "terminate"].contains(action) else {
                throw ControlError.invalid("action is offer or terminate")
            }
            try call.world.call(
                id, from: account, to: other, isVideo: call.optionalBool("video") ?? false, action: action)
            return ["call_id": .string(id)]
        }
        on(
            .get, "/accounts/:account/messages/:message/media",
            answer: { call in
                let phone = try call.phone
                let id = call.parameter("message")
                guard let message = phone.log.all.last(where: { $0.id == id }), message.message.media != nil else {
                    throw ControlError.notFound("message with a file")
                }
                guard let bytes = phone.file(of: message.message) else {
                    throw ControlError(409, "unreadable_file", "the file is not stored, or does not open")
                }
                return .bytes(bytes)
            })
    }

    private static let historyTypes: [String: HistoryType] = [
        "INITIAL_BOOTSTRAP": .initialBootstrap, "FULL": .full, "RECENT": .recent, "PUSH_NAME": .pushName,
        "NON_BLOCKING_DATA": .nonBlockingData,
    ]

    /// `{chat, messages: [{from_me, t, text, id}]}`, or `{chat, generate: n}`: one message a minute up to now.
    @SandboxActor
    private static func seed(_ call: ControlCall) throws -> JSONValue {
        let phone = try call.phone
        let chat = try call.chat(call.text("chat"))
        let now = phone.world.clock.seconds
        var drafts: [(fromMe: Bool, time: Int64, text: String, id: String?)] = []
        if let count = try call.optionalNumber("generate", in: 1...seedLimit) {
            drafts = (0..<count).map { number in
                (number % 2 == 1, now - (count - number) * 60, "message \(number + 1)", nil)
            }
        }
        for message in call.body["messages"]?.arrayValue ?? [] {
            guard let text = message["text"]?.stringValue else { throw ControlError.invalid("a message needs a text") }
            drafts.append(
                (
                    message["from_me"]?.boolValue ?? false, message["t"]?.intValue ?? now, text,
                    message["id"]?.stringValue
                ))
        }
        guard !drafts.isEmpty else { throw ControlError.missing("messages or generate") }
        let author = phone.world.account(chat)?.lidJID ?? phone.account.lidJID
        for draft in drafts {
            phone.remember(
                PhoneMessage(
                    sequence: 0, id: draft.id ?? phone.newMessageID(), chat: chat,
                    sender: draft.fromMe ? phone.account.lidJID : author,
                    direction: draft.fromMe ? .outgoing : .incoming, time: draft.time, pushName: nil,
                    content: .text(draft.text)))
        }
        return ["messages": .number(drafts.count)]
    }
}

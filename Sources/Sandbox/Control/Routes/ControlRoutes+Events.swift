import HTTPTypes
import Hummingbird
import NIOCore

/// What happened: events as a poll or a stream, waiting for one, violations.
extension ControlRoutes {
    /// Events that one answer may carry.
    private static let pageSize = 5000
    private static let longestWait = 600_000

    func addEvents() {
        on(
            .get, "/events",
            answer: { call in
                let world = try call.world
                let filter = try EventFilter(call)
                let since = UInt64(try call.queryNumber("since", in: 0...Int.max, default: 0))
                if call.accept.contains("text/event-stream") {
                    // A stream without `since` begins now.
                    let start = call.query("since") == nil ? world.events.lastSequence : since
                    return .stream(
                        Self.stream(of: world.events, since: start, filter: filter), contentType: "text/event-stream")
                }
                let wait = try call.queryNumber("wait_ms", in: 0...Self.longestWait, default: 0)
                if wait > 0 { _ = await world.events.first(since: since, timeout: wait, where: filter.matches) }
                return .json(
                    .array(world.events.events(since: since, limit: Self.pageSize, where: filter.matches).map(\.json)))
            })
        on(.post, "/wait") { call in
            let world = try call.world
            let timeout = try call.optionalNumber("timeout_ms", in: 0...Int64(Self.longestWait)) ?? 10_000
            let since = UInt64(try call.optionalNumber("since", in: 0...Int64.max) ?? 0)
            let match = call.body["match"] ?? .object([:])
            guard match.objectValue != nil else { throw ControlError.invalid("match is an object") }
            let types = try Self.types([call.text("type")])
            let event = await world.events.first(since: since, timeout: Int(timeout)) { event in
                types.contains(event.type) && event.satisfies(match)
            }
            guard let event else {
                throw ControlError(408, "timeout", "no such event came within \(timeout) ms")
            }
            return event.json
        }
        on(.get, "/violations") { call in
            .array(try call.world.events.events(since: 0) { $0.type == .violation || $0.type == .nack }.map(\.json))
        }
    }

    /// The kinds named by `names`; `pairing.*` names all that begin so.
    static func types(_ names: [String]) throws -> Set<EventType> {
        var types: Set<EventType> = []
        for name in names {
            if name.hasSuffix("*") {
                types.formUnion(EventType.allCases.filter { $0.rawValue.hasPrefix(name.dropLast()) })
            } else if let type = EventType(rawValue: name) {
                types.insert(type)
            } else {
                throw ControlError.invalid("there is no event type \(name)")
            }
        }
        return types
    }

    /// `text/event-stream`: one `id`, `event` and `data` per event, and a comment every 15 s.
    @SandboxActor
    private static func stream(of log: EventLog, since: UInt64, filter: EventFilter) -> ResponseBody {
        ResponseBody { writer in
            var position = since
            try await writer.write(ByteBuffer(string: ": events\n\n"))
            while !Task.isCancelled {
                let (events, last) = await page(of: log, since: position, filter: filter)
                position = last
                if events.isEmpty {
                    guard await log.first(since: position, timeout: 15_000, where: filter.matches) == nil else {
                        continue
                    }
                    try await writer.write(ByteBuffer(string: ": alive\n\n"))
                    continue
                }
                var buffer = ByteBuffer()
                for event in events {
                    buffer.writeString(
                        "id: \(event.sequence)\nevent: \(event.type.rawValue)\ndata: \(event.json.text)\n\n")
                }
                try await writer.write(buffer)
            }
            try await writer.finish(nil)
        }
    }

    @SandboxActor
    private static func page(
        of log: EventLog, since: UInt64, filter: EventFilter
    ) -> (events: [SandboxEvent], last: UInt64) {
        let events = log.events(since: since, limit: 500, where: filter.matches)
        return (events, events.count < 500 ? log.lastSequence : events.last?.sequence ?? since)
    }
}

/// `?types=a,b&account=…` of an event call.
private struct EventFilter: Sendable {
    private let types: Set<EventType>?
    private let account: String?

    @SandboxActor
    init(_ call: ControlCall) throws {
        types = try call.query("types").map { text in
            try ControlRoutes.types(text.split(separator: ",").map { String($0).trimmingWhitespace() })
        }
        account = call.query("account").map { text in
            (try? call.world.account(named: text))?.phone ?? text
        }
    }

    var matches: EventLog.Filter {
        { event in
            (types?.contains(event.type) ?? true) && (account == nil || event.account == account)
        }
    }
}

extension SandboxEvent {
    /// Whether every member of `match` is found: `account`, `device`, `connection` in the event, `data` and all others in
    /// its data. Objects match when their members do; an account may be written as a JID.
    func satisfies(_ match: JSONValue) -> Bool {
        let event = json
        for (name, wanted) in match.objectValue ?? [:] {
            let found: JSONValue?
            switch name {
            case "account", "device", "connection", "data": found = event[name]
            default: found = data[name]
            }
            guard let found, Self.contains(found, wanted) else { return false }
        }
        return true
    }

    private static func contains(_ found: JSONValue, _ wanted: JSONValue) -> Bool {
        if let members = wanted.objectValue, case .object = found {
            return members.allSatisfy { name, value in found[name].map { contains($0, value) } ?? false }
        }
        if found == wanted { return true }
        // Numbers may be written as texts, and people as JIDs.
        guard let a = found.scalarText, let b = wanted.scalarText else { return false }
        return a == b || b == "\(a)@s.whatsapp.net"
    }
}

extension JSONValue {
    fileprivate var scalarText: String? {
        switch self {
        case .string(let text): text
        case .int(let number): String(number)
        default: nil
        }
    }
}

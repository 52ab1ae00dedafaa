import HTTPTypes
import OrderedCollections
import Transport

/// The wire: sending raw stanzas, overriding answers, reading the log.
extension ControlRoutes {
    func addStanzas() {
        on(.post, "/raw") { call in
            let stanza = try Self.stanza(call.body)
            try Self.connection(call).send(stanza)
            return ["sent": StanzaText.json(stanza)]
        }
        on(.get, "/iq-handlers") { call in .array(try call.faults.handlers.map(\.json)) }
        on(.post, "/iq-handlers") { call in try call.faults.add(IQHandler(json: call.body)).json }
        on(.delete, "/iq-handlers") { call in
            try call.faults.removeHandlers()
            return .done
        }
        on(.get, "/log", answer: { call in try Self.log(call) })
    }

    /// `{xml}` or `{json}`/`{node}`.
    private static func stanza(_ body: JSONValue) throws -> Stanza {
        if let xml = body["xml"]?.stringValue { return try StanzaText.parse(xml: xml) }
        guard let node = body["json"] ?? body["node"] else { throw ControlError.missing("xml or json") }
        return try StanzaText.parse(json: node)
    }

    /// `{connection}`, `{account, device}`, or `{device: JID}`.
    @SandboxActor
    private static func connection(_ call: ControlCall) throws -> ClientConnection {
        let world = try call.world
        if let number = try call.optionalNumber("connection", in: 0...Int64(Int32.max)) {
            guard let connection = world.connections[Int(number)] else { throw ControlError.notFound("connection") }
            return connection
        }
        let device: Device?
        if let name = try call.optionalText("account") {
            let account = try world.account(named: name)
            if let id = try call.optionalNumber("device", in: 0...255) {
                device = account.devices[UInt16(id)]
            } else {
                device = account.companions.first
            }
        } else {
            device = JID.input(try call.text("device")).flatMap { world.device($0) }
        }
        guard let device else { throw WorldError.noSuchDevice }
        guard let connection = device.connection else {
            throw ControlError(409, "not_connected", "the device is not connected")
        }
        return connection
    }

    @SandboxActor
    private static func log(_ call: ControlCall) throws -> ControlAnswer {
        let world = try call.world
        let limit = try call.queryNumber("limit", in: 1...100_000, default: 200)
        var account = call.query("account")
        var device: Int?
        if let text = call.query("device") {
            if let number = Int(text), number <= 255 {
                device = number
            } else if let jid = JID.input(text) {
                account = world.account(jid)?.phone ?? jid.user
                device = Int(jid.device)
            } else {
                throw ControlError.invalid("device is a number or a JID")
            }
        }
        let entries = world.recorder.entries(account: account, device: device, limit: limit)
        switch call.query("format") ?? "json" {
        case "xml":
            let lines = entries.map { entry in
                let who = entry.account.map { "\($0):\(entry.device ?? 0)" } ?? "-"
                return
                    "\(entry.sequence) \(entry.time) \(entry.direction.rawValue) #\(entry.connection) \(who) \(entry.stanza)"
            }
            return .text(lines.joined(separator: "\n") + "\n", contentType: "text/plain; charset=utf-8")
        case "json":
            return .json(
                .array(
                    entries.map { entry in
                        var members: [String: JSONValue] = [
                            "seq": .number(entry.sequence), "time": .int(entry.time),
                            "direction": .string(entry.direction.rawValue), "connection": .number(entry.connection),
                            "xml": .string(entry.stanza.description), "node": StanzaText.json(entry.stanza),
                        ]
                        if let account = entry.account { members["account"] = .string(account) }
                        if let device = entry.device { members["device"] = .number(device) }
                        return .object(members)
                    }))
        default: throw ControlError.invalid("format is xml or json")
        }
    }
}

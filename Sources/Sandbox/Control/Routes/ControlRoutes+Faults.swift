import HTTPTypes
import OrderedCollections
import Transport

/// Fault rules and their presets.
extension ControlRoutes {
    func addFaults() {
        on(.get, "/faults") { call in .array(try call.faults.rules.map(\.json)) }
        on(.post, "/faults") { call in try call.faults.add(FaultRule(json: call.body)).json }
        on(.delete, "/faults") { call in
            try call.faults.removeAll()
            return .done
        }
        on(.get, "/faults/:fault") { call in
            guard let rule = try call.faults.rules.first(where: { String($0.id) == call.parameter("fault") }) else {
                throw ControlError.notFound("fault")
            }
            return rule.json
        }
        on(.delete, "/faults/:fault") { call in
            guard let id = Int(call.parameter("fault")), try call.faults.remove(id) else {
                throw ControlError.notFound("fault")
            }
            return .done
        }
        on(.post, "/faults/preset/:preset") { call in try FaultPreset.apply(call.parameter("preset"), call) }
    }
}

extension ControlCall {
    var faults: WorldFaults {
        get throws {
            guard let faults = try world.faultRules else {
                throw ControlError(409, "no_faults", "the world has no fault engine")
            }
            return faults
        }
    }
}

/// Faults in one call (09-sandbox-server, section 23).
@SandboxActor
private enum FaultPreset {
    static func apply(_ name: String, _ call: ControlCall) throws -> JSONValue {
        let world = try call.world
        let match = FaultMatch(
            account: try call.optionalText("account"),
            device: try call.optionalNumber("device", in: 0...255).map { Int($0) },
            direction: .clientToServer, kind: .message)
        func add(_ effect: JSONValue, count: Int?, probability: Double = 1, match: FaultMatch) throws -> JSONValue {
            try call.faults.add(
                FaultRule(match: match, effect: FaultEffect(json: effect), count: count, probability: probability)
            ).json
        }
        let count = Int(try call.optionalNumber("n", in: 1...1_000_000) ?? 1)
        switch name {
        case "fail_next_messages":
            let code = try call.optionalNumber("code", in: 1...999) ?? 479
            return try add(["type": "ack_error", "code": .int(code)], count: count, match: match)
        case "lose_next_acks":
            return try add("drop_answer", count: count, match: match)
        case "flaky":
            var everything = match
            everything.kind = nil
            let probability = call.body["p"].flatMap { $0.doubleValue } ?? 0.1
            return try add("drop", count: nil, probability: min(max(probability, 0), 1), match: everything)
        case "kick":
            try world.kick(device(call), reason: "device_removed", notify: true)
        case "replaced":
            try world.kick(device(call), reason: "replaced", notify: true)
        case "ban":
            world.setStanding(.banned, of: try world.account(named: call.text("account")))
        case "ban_temp":
            let seconds = try call.optionalNumber("seconds", in: 1...31_536_000) ?? 3600
            world.setStanding(
                .temporarilyBanned(
                    code: Int(try call.optionalNumber("code", in: 1...999) ?? 101), until: world.clock.seconds + seconds
                ),
                of: try world.account(named: call.text("account")))
        case "outdated":
            world.settings.minimumRevision = .max
        case "server_restart":
            world.restartServer(refusingFor: Int(try call.optionalNumber("n", in: 0...86_400) ?? 0))
        case "rate_limit":
            world.settings.messagesPerMinute = Int(try call.optionalNumber("per_min", in: 0...1_000_000) ?? 20)
        default: throw ControlError.notFound("preset")
        }
        return .done
    }

    private static func device(_ call: ControlCall) throws -> Device {
        let account = try call.world.account(named: call.text("account"))
        if let id = try call.optionalNumber("device", in: 1...255) {
            guard let device = account.devices[UInt16(id)] else { throw WorldError.noSuchDevice }
            return device
        }
        guard let only = account.companions.first, account.companions.count == 1 else {
            throw ControlError.missing("device")
        }
        return only
    }
}

extension JSONValue {
    var doubleValue: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        default: nil
        }
    }
}

import Cryptography
import Foundation
import HTTPTypes
import OrderedCollections

/// Worlds, trust and settings.
extension ControlRoutes {
    func addWorlds() {
        on(.post, "/worlds") { call in
            let id = try call.text("id")
            guard id.utf8.count <= 64, id.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }) else {
                throw ControlError.invalid("id has up to 64 letters, digits, hyphens, dots and underscores")
            }
            guard call.host.world(named: id) == nil else {
                throw ControlError(409, "world_exists", "there is a world \(id) already")
            }
            guard let clock = SandboxConfiguration.ClockMode(rawValue: try call.optionalText("clock") ?? "real") else {
                throw ControlError.invalid("clock is real or virtual")
            }
            let world = try call.host.makeWorld(
                id: id, seed: try call.optionalText("seed") ?? id, clock: clock,
                startTime: try call.optionalNumber("start_time", in: 0...253_402_300_799),
                settings: try WorldSettings().patched(by: call.body["config"]))
            return world.summary
        }
        on(.get, "/worlds") { call in .array(call.host.controlWorlds.map(\.summary)) }
        on(.get, "/worlds/:world") { call in
            guard let world = call.host.world(named: call.parameter("world")) else {
                throw ControlError.notFound("world")
            }
            return world.summary
        }
        on(.delete, "/worlds/:world") { call in
            let id = call.parameter("world")
            guard call.host.world(named: id) != nil else { throw ControlError.notFound("world") }
            guard call.host.removeWorld(id) else {
                throw ControlError(409, "default_world", "the default world cannot be removed; reset it")
            }
            return .done
        }
        on(.get, "/trust") { call in
            let root = try call.world.trust.rootPublicKey.raw
            let addresses = call.host.controlAddresses
            let suffix = try call.world.id == "default" ? "" : "?world=\(call.world.id)"
            return [
                "root_public_key": [
                    "hex": .string(Hex.encode(root)), "base64": .string(Base64.encode(root)),
                    "go": .string(root.map { String($0) }.joined(separator: ", ")),
                ],
                "ws_url": .string(addresses.webSocket + suffix), "media_url": .string(addresses.media),
            ]
        }
        on(.get, "/config") { call in try call.world.settings.json }
        on(.patch, "/config") { call in
            let world = try call.world
            world.settings = try world.settings.patched(by: call.body)
            return world.settings.json
        }
    }
}

extension JSONValue {
    /// What a call answers that has nothing to tell.
    static let done: JSONValue = ["ok": true]
}

extension WorldSettings {
    /// Settings that are absent from the JSON while they are nil.
    private static let optionalNames = ["compressAbove", "minimumRevision", "messagesPerMinute"]

    /// The settings by their names in snake_case.
    var json: JSONValue {
        .object(
            Dictionary(members.map { (Self.snakeCase($0.key), $0.value) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The settings by the names of their properties.
    private var members: [String: JSONValue] {
        (try? JSONEncoder().encode(self)).flatMap { JSONValue.parse($0)?.objectValue } ?? [:]
    }

    /// The settings with the members of `patch` in place of their own; `null` takes an optional one away. Throws 422 for an
    /// unknown name or a wrong value.
    func patched(by patch: JSONValue?) throws -> WorldSettings {
        guard let patch, patch != .null else { return self }
        guard let changes = patch.objectValue else { throw ControlError.invalid("config is an object") }
        var members = members
        let names = Dictionary(
            (members.keys + Self.optionalNames).map { (Self.snakeCase($0), $0) },
            uniquingKeysWith: { first, _ in first })
        for (name, value) in changes {
            guard let property = names[name] else { throw ControlError.invalid("there is no setting \(name)") }
            members[property] = value == .null ? nil : value
        }
        do {
            return try JSONDecoder().decode(WorldSettings.self, from: Data(JSONValue.object(members).text.utf8))
        } catch {
            throw ControlError.invalid(
                "a setting has a value of the wrong kind: \(changes.keys.sorted().joined(separator: ", "))")
        }
    }

    /// `mediaAuthTTL` → `media_auth_ttl`.
    private static func snakeCase(_ name: String) -> String {
        var result = ""
        var wasUpper = true
        for character in name {
            if character.isUppercase, !wasUpper { result.append("_") }
            wasUpper = character.isUppercase
            result += character.lowercased()
        }
        return result
    }
}

extension World {
    @SandboxActor
    var summary: JSONValue {
        [
            "id": .string(id), "clock": .string(clock.mode.rawValue), "time": .int(clock.milliseconds),
            "accounts": .number(accounts.count), "groups": .number(groups.count),
            "connections": .number(connections.count),
            "devices": .number(accounts.values.reduce(0) { $0 + $1.companions.count }),
            "events": .number(events.lastSequence),
            "counters": [
                "connections_accepted": .number(counters.connectionsAccepted),
                "frames_received": .number(counters.framesReceived), "frames_sent": .number(counters.framesSent),
                "bytes_received": .number(counters.bytesReceived), "bytes_sent": .number(counters.bytesSent),
                "messages_relayed": .number(counters.messagesRelayed), "copies_queued": .number(counters.copiesQueued),
                "violations": .number(counters.violations),
                "reused_positions": .number(counters.reusedPositions), "unknown_iqs": .number(counters.unknownIQs),
                "queue_overflows": .number(counters.queueOverflows),
            ],
        ]
    }
}

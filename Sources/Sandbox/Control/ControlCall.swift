import Foundation
import HTTPTypes
import Hummingbird
import OrderedCollections
import Transport

/// One call of the control API: its world, path parameters, query and JSON body.
@SandboxActor
package struct ControlCall {
    package let host: any ControlHost
    private let worldID: String
    private let parameters: [String: String]
    private let query: [String: String]
    /// An empty object when the request had no body.
    package let body: JSONValue
    /// The body as it came, for calls that take bytes.
    package let bytes: [UInt8]
    package let accept: String

    init(host: any ControlHost, _ request: ControlRequest) {
        self.host = host
        worldID = request.world
        parameters = request.parameters
        query = request.query
        body = request.body
        bytes = request.bytes
        accept = request.accept
    }

    /// The world of the call. Throws 404 `no_such_world`.
    package var world: World {
        get throws {
            guard let world = host.world(named: worldID) else {
                throw ControlError(404, "no_such_world", "there is no world \(worldID)")
            }
            return world
        }
    }

    /// The phones of the call's world.
    package var phones: Phones {
        get throws {
            guard let phones = try world.phones else { throw ControlError(409, "no_phones", "the world has no phones") }
            return phones
        }
    }

    // MARK: Path and query

    package func parameter(_ name: String) -> String { parameters[name] ?? "" }
    package func query(_ name: String) -> String? { query[name] }

    /// A number of the query. Throws 422 when it is no number of `range`.
    package func queryNumber(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws -> Int {
        guard let text = query[name] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw ControlError.invalid("\(name) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// The account `{a}` of the path.
    package var account: Account {
        get throws { try world.account(named: parameter("account")) }
    }

    /// The phone of the account `{a}`.
    package var phone: Phone {
        get throws { try phones.phone(of: account) }
    }

    /// The device `{d}` of the account `{a}`.
    package var device: Device {
        get throws {
            guard let id = UInt16(parameter("device")), let device = try account.devices[id] else {
                throw WorldError.noSuchDevice
            }
            return device
        }
    }

    /// The group `{g}` of the path, with or without `@g.us`.
    package var group: Group {
        get throws { try group(named: parameter("group")) }
    }

    package func group(named text: String) throws -> Group {
        let id = text.hasSuffix("@g.us") ? String(text.dropLast(5)) : text
        guard let group = try world.groups[id], !group.isDeleted else { throw WorldError.noSuchGroup }
        return group
    }

    // MARK: Body

    /// A text of the body; nil when absent or null. Throws 422 when it is something else.
    package func optionalText(_ name: String) throws -> String? {
        switch body[name] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        case .int(let number)?: return String(number)
        default: throw ControlError.invalid("\(name) is a text")
        }
    }

    package func text(_ name: String) throws -> String {
        guard let text = try optionalText(name), !text.isEmpty else { throw ControlError.missing(name) }
        return text
    }

    package func optionalBool(_ name: String) throws -> Bool? {
        switch body[name] {
        case nil, .null?: return nil
        case .bool(let value)?: return value
        default: throw ControlError.invalid("\(name) is true or false")
        }
    }

    package func optionalNumber(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        switch body[name] {
        case nil, .null?: return nil
        case let value?:
            guard let number = value.intValue, range.contains(number) else {
                throw ControlError.invalid("\(name) is a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
    }

    /// A list of texts; nil when absent.
    package func texts(_ name: String) throws -> [String]? {
        switch body[name] {
        case nil, .null?: return nil
        case .array(let values)?:
            return try values.map { value in
                guard let text = value.stringValue ?? value.intValue.map({ String($0) }) else {
                    throw ControlError.invalid("\(name) is a list of texts")
                }
                return text
            }
        default: throw ControlError.invalid("\(name) is a list of texts")
        }
    }

    /// Where a message goes: a phone number, a PN, a LID, or a group.
    package func destination(_ name: String) throws -> JID {
        let text = try text(name)
        guard let jid = JID.input(text) else { throw ControlError.invalid("\(name) is no phone number and no JID") }
        // Digits alone may also be a LID or a group.
        if jid.isUser, try world.account(jid) == nil {
            if let account = try world.accountsByLID[jid.user] { return account.lidJID }
            if try world.groups[jid.user] != nil { return .group(jid.user) }
        }
        return jid
    }

    /// The chat a JID names, as phones keep it: a bare LID or a group.
    package func chat(_ text: String) throws -> JID {
        guard let jid = JID.input(text) else { throw ControlError.invalid("chat is no phone number and no JID") }
        if let account = try world.account(jid) { return account.lidJID }
        if try world.groups[jid.user] != nil { return .group(jid.user) }
        return jid.bare
    }
}

/// The parts of an HTTP request that a call is made from.
struct ControlRequest: Sendable {
    /// Longest JSON body: 8 MiB. A snapshot may be longer.
    static let bodyLimit = 8 << 20
    static let snapshotLimit = 512 << 20

    let world: String
    let parameters: [String: String]
    let query: [String: String]
    let body: JSONValue
    let bytes: [UInt8]
    let accept: String

    /// Throws 400 for a body that is no JSON object and 413 for one that is too long.
    init(_ request: Request, parameters names: [String], context: some RequestContext, takesBytes: Bool) async throws {
        var query: [String: String] = [:]
        for parameter in request.uri.queryParameters { query[String(parameter.key)] = String(parameter.value) }
        self.query = query
        var parameters: [String: String] = [:]
        for name in names {
            let raw = context.parameters.get(name) ?? ""
            parameters[name] = raw.removingPercentEncoding ?? raw
        }
        self.parameters = parameters
        let header = HTTPField.Name("X-Sandbox-World").flatMap { request.headers[$0] }
        world = header ?? query["world"] ?? "default"
        accept = request.headers[.accept] ?? ""
        var request = request
        let buffer = try await request.collectBody(upTo: takesBytes ? Self.snapshotLimit : Self.bodyLimit)
        bytes = Array(buffer.readableBytesView)
        if bytes.isEmpty || takesBytes {
            body = .object([:])
        } else {
            guard let value = JSONValue.parse(bytes) else {
                throw ControlError(400, "malformed_json", "the body is no JSON")
            }
            guard case .object = value else { throw ControlError(400, "malformed_json", "the body is no JSON object") }
            body = value
        }
    }
}

import Transport

/// Which stanzas and requests a rule applies to; absent members match everything (09-sandbox-server, section 23).
package struct FaultMatch: Sendable, Equatable {
    /// From the client's point of view: `c2s` is what clients send.
    package enum Direction: String, Sendable, Codable { case clientToServer = "c2s", serverToClient = "s2c" }

    /// Short names for common shapes.
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case keepalive, message, receipt
        case prekeyFetch = "prekey_fetch"
        case prekeyUpload = "prekey_upload"
        case usync, appstate
        case mediaConnection = "media_conn"
        case groupInfo = "group_info"
        case login
        case pairSuccess = "pair_success"
        case upload, download
        /// The Noise handshake, the place of certificate faults (sandbox).
        case handshake
    }

    /// Phone number, digits.
    package var account: String?
    package var device: Int?
    package var connection: Int?
    package var direction: Direction?
    package var tag: String?
    package var xmlns: String?
    package var type: String?
    package var id: String?
    /// Tag of the first child.
    package var child: String?
    package var to: String?
    package var from: String?
    package var kind: Kind?

    package init(
        account: String? = nil, device: Int? = nil, direction: Direction? = nil, kind: Kind? = nil
    ) {
        self.account = account
        self.device = device
        self.direction = direction
        self.kind = kind
    }

    package init(json: JSONValue) throws {
        guard let members = json.objectValue else {
            throw FaultEffect.ParsingError.malformed("match is an object")
        }
        for (key, value) in members {
            let text = value.stringValue ?? value.intValue.map { String($0) }
            guard let text else { throw FaultEffect.ParsingError.malformed("match: \(key) is a text or a number") }
            switch key {
            case "account": account = text
            case "device":
                device = Int(text)
                if device == nil { throw FaultEffect.ParsingError.malformed("match: device is a number") }
            case "connection":
                connection = Int(text)
                if connection == nil { throw FaultEffect.ParsingError.malformed("match: connection is a number") }
            case "direction":
                direction = Direction(rawValue: text)
                if direction == nil { throw FaultEffect.ParsingError.malformed("match: direction is c2s or s2c") }
            case "kind":
                kind = Kind(rawValue: text)
                if kind == nil { throw FaultEffect.ParsingError.malformed("match: unknown kind \(text)") }
            case "tag": tag = text
            case "xmlns": xmlns = text
            case "type": type = text
            case "id": id = text
            case "child": child = text
            case "to": to = text
            case "from": from = text
            default: throw FaultEffect.ParsingError.malformed("match: unknown member \(key)")
            }
        }
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = [:]
        for (key, value) in [
            ("account", account), ("direction", direction?.rawValue), ("tag", tag), ("xmlns", xmlns), ("type", type),
            ("id", id), ("child", child), ("to", to), ("from", from), ("kind", kind?.rawValue),
        ] {
            if let value { members[key] = .string(value) }
        }
        if let device { members["device"] = .number(device) }
        if let connection { members["connection"] = .number(connection) }
        return .object(members)
    }

    package func matches(_ subject: FaultSubject) -> Bool {
        func same<Value: Equatable>(_ wanted: Value?, _ actual: Value?) -> Bool { wanted == nil || wanted == actual }
        return same(account, subject.account) && same(device, subject.device) && same(connection, subject.connection)
            && same(direction, subject.direction) && same(tag, subject.tag) && same(xmlns, subject.xmlns)
            && same(type, subject.type) && same(id, subject.id) && same(child, subject.child)
            && same(to, subject.to) && same(from, subject.from) && (kind.map { subject.kinds.contains($0) } ?? true)
    }
}

/// What passes a hook point: a stanza in one direction, a login, a handshake.
package struct FaultSubject: Sendable, Equatable {
    package var account: String?
    package var device: Int?
    package var connection: Int?
    package var direction: FaultMatch.Direction?
    package var tag: String?
    package var xmlns: String?
    package var type: String?
    package var id: String?
    package var child: String?
    package var to: String?
    package var from: String?
    package var kinds: Set<FaultMatch.Kind> = []
    /// The hook point; `nil` stands for any.
    package var stage: FaultPoint.Stage?

    package init() {}

    /// The subject that a hook point of the server stands for.
    package init(_ point: FaultPoint) {
        stage = point.stage
        account = point.account
        device = point.device
        connection = point.connection
        switch point.stage {
        case .inbound, .login: direction = .clientToServer
        case .outbound: direction = .serverToClient
        case .upload: direction = .clientToServer
        case .download: direction = .serverToClient
        case .handshake, .prekeyFetch, .usync: direction = nil
        }
        switch point.stage {
        case .login: kinds = [.login]
        case .handshake: kinds = [.handshake]
        case .prekeyFetch: kinds = [.prekeyFetch]
        case .usync: kinds = [.usync]
        case .upload: kinds = [.upload]
        case .download: kinds = [.download]
        case .inbound, .outbound: break
        }
        guard let stanza = point.stanza else { return }
        tag = stanza.tag
        xmlns = stanza["xmlns"]
        type = stanza.type
        id = stanza.id
        child = stanza.firstChild?.tag
        to = stanza["to"]
        from = stanza["from"]
        kinds.formUnion(Self.shortNames(of: stanza))
    }

    private static func shortNames(of stanza: Stanza) -> Set<FaultMatch.Kind> {
        switch stanza.tag {
        case "message": return [.message]
        case "receipt": return [.receipt]
        case "success": return [.login]
        case "iq": break
        default: return []
        }
        switch stanza["xmlns"] {
        case "w:p": return [.keepalive]
        case "usync": return [.usync]
        case "w:sync:app:state": return [.appstate]
        case "w:m": return [.mediaConnection]
        case "w:g2" where stanza.type == "get": return [.groupInfo]
        case "md" where stanza.child("pair-success") != nil: return [.pairSuccess]
        case "encrypt" where stanza.type == "get" && stanza.child("key") != nil: return [.prekeyFetch]
        case "encrypt" where stanza.type == "set" && stanza.child("list") != nil: return [.prekeyUpload]
        default: return []
        }
    }
}

import Cryptography
import HTTPTypes
import OrderedCollections
import Transport

/// Accounts: making, showing, ending, registering anew, and their profile.
extension ControlRoutes {
    /// Accounts that one call may make.
    private static let bulkLimit: Int64 = 50_000

    func addAccounts() {
        on(.post, "/accounts") { call in
            if call.body["count"] != nil { return try Self.makeMany(call) }
            let phone = try call.text("phone").filter { !"+ -().".contains($0) }
            let account = try call.world.createAccount(try Self.draft(call, phone: phone))
            return account.json(detailed: false)
        }
        on(.get, "/accounts") { call in .array(try call.world.accounts.values.map { $0.json(detailed: false) }) }
        on(.get, "/accounts/:account") { call in try call.account.json(detailed: true) }
        on(.patch, "/accounts/:account") { call in try Self.change(call) }
        on(.delete, "/accounts/:account") { call in
            let mode = try call.optionalText("mode") ?? call.query("mode") ?? "unregister"
            switch mode {
            case "unregister": call.unregister(try call.account, in: try call.world)
            case "ban": try call.world.setStanding(.banned, of: call.account)
            default: throw ControlError.invalid("mode is unregister or ban")
            }
            return .done
        }
        on(.post, "/accounts/:account/reregister") { call in
            try call.world.reregister(call.account)
            return try call.account.json(detailed: false)
        }
    }

    @SandboxActor
    private static func draft(_ call: ControlCall, phone: String) throws -> AccountDraft {
        var draft = AccountDraft(phone: phone, pushName: try call.optionalText("push_name"))
        switch call.body["business"] {
        case .string(let name)?: draft.businessName = name
        case .bool(true)?: draft.businessName = draft.pushName
        case nil, .null?, .bool(false)?: break
        default:
            guard let name = call.body["business"]?["name"]?.stringValue else {
                throw ControlError.invalid("business is true, a name, or {name}")
            }
            draft.businessName = name
        }
        draft.about = try call.optionalText("about")
        draft.locale = try call.optionalText("locale")
        if let picture = try call.optionalText("picture") {
            guard let bytes = Base64.decode(picture) else { throw ControlError.invalid("picture is base64 of a JPEG") }
            draft.picture = bytes
        }
        if let passkey = try call.optionalText("passkey") {
            guard let policy = Account.PasskeyPolicy(rawValue: passkey) else {
                throw ControlError.invalid("passkey is off or required")
            }
            draft.passkey = policy
        }
        for text in try call.texts("passkey_credentials") ?? [] {
            guard let id = Base64.decodeURLSafe(text), !id.isEmpty else {
                throw ControlError.invalid("passkey_credentials is a list of credential ids in base64url")
            }
            draft.passkeyCredentials.append(id)
        }
        for contact in call.body["contacts"]?.arrayValue ?? [] {
            guard let phone = contact.stringValue ?? contact["phone"]?.stringValue else {
                throw ControlError.invalid("contacts is a list of numbers or of {phone, name}")
            }
            draft.contacts.append((phone, contact["name"]?.stringValue ?? phone))
        }
        draft.automatic = try Account.Automatic().patched(by: call.body["auto"])
        return draft
    }

    @SandboxActor
    private static func makeMany(_ call: ControlCall) throws -> JSONValue {
        guard let count = try call.optionalNumber("count", in: 1...bulkLimit) else {
            throw ControlError.missing("count")
        }
        let prefix = try call.text("prefix")
        let digits = max(4, String(count - 1).count)
        let world = try call.world
        let numbers = (0..<count).map { index in
            let text = String(index)
            return prefix + String(repeating: "0", count: digits - text.count) + text
        }
        // All or nothing: a number that exists refuses the whole call before anything was made.
        if numbers.contains(where: { world.accounts[$0] != nil }) { throw WorldError.accountExists }
        return .array(
            try numbers.map { try world.createAccount(draft(call, phone: $0)).json(detailed: false) })
    }

    /// Flags and names that may change while the account lives.
    @SandboxActor
    private static func change(_ call: ControlCall) throws -> JSONValue {
        let account = try call.account
        let wasOnline = account.automatic.online
        account.automatic = try account.automatic.patched(by: call.body["auto"])
        if let name = try call.optionalText("push_name") { try call.phone.rename(name) }
        if let passkey = try call.optionalText("passkey") {
            guard let policy = Account.PasskeyPolicy(rawValue: passkey) else {
                throw ControlError.invalid("passkey is off or required")
            }
            account.passkey = policy
        }
        try call.world.save(account)
        if account.automatic.online != wasOnline {
            try call.world.setPresenceFromPhone(account, available: account.automatic.online)
        }
        return account.json(detailed: false)
    }
}

extension ControlCall {
    /// Unregisters an account; its phone goes offline first.
    fileprivate func unregister(_ account: Account, in world: World) {
        world.setPresenceFromPhone(account, available: false)
        world.unregister(account)
    }
}

extension Account.Automatic {
    private static let names: [(String, any WritableKeyPath<Account.Automatic, Bool> & Sendable)] = [
        ("auto_deliver", \.deliver), ("auto_read", \.read), ("auto_typing", \.typing), ("echo", \.echo),
        ("auto_accept_group_add", \.acceptGroupAdd), ("online", \.online),
    ]

    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        for (name, path) in Self.names { members[name] = .bool(self[keyPath: path]) }
        return .object(members)
    }

    /// The flags with those of `patch` in place of their own; `deliver` is understood for `auto_deliver` and so on.
    func patched(by patch: JSONValue?) throws -> Account.Automatic {
        guard let patch, patch != .null else { return self }
        guard let changes = patch.objectValue else { throw ControlError.invalid("auto is an object of flags") }
        var result = self
        for (name, value) in changes {
            guard let flag = value.boolValue,
                let path = Self.names.first(where: { $0.0 == name || $0.0 == "auto_\(name)" })?.1
            else { throw ControlError.invalid("auto: \(name) is no flag, or not true or false") }
            result[keyPath: path] = flag
        }
        return result
    }
}

extension Account {
    /// An account for lists, or with its devices.
    func json(detailed: Bool) -> JSONValue {
        var members: [String: JSONValue] = [
            "phone": .string(phone), "jid": .string(pn.description), "lid": .string(lidJID.description),
            "identity_key": .string(Base64.encode(identity.publicKey.raw)), "push_name": .string(pushName),
            "registered": .bool(isRegistered), "standing": .string(standing.word), "available": .bool(isAvailable),
            "companions": .number(companions.count), "auto": automatic.json, "created": .int(created),
            "passkey": .string(passkey.rawValue),
        ]
        if let businessName { members["business"] = .string(businessName) }
        if let about { members["about"] = .string(about.text) }
        if let lastSeen { members["last_seen"] = .int(lastSeen) }
        guard detailed else { return .object(members) }
        members["devices"] = .array(devices.values.map(\.json))
        members["contacts"] = .array(contacts.map { ["phone": .string($0.key), "name": .string($0.value)] })
        members["locale"] = .string(locale)
        return .object(members)
    }
}

extension Account.Standing {
    var word: String {
        switch self {
        case .good: "good"
        case .temporarilyBanned: "temporarily_banned"
        case .banned: "banned"
        case .locked: "locked"
        }
    }
}

extension Device {
    var json: JSONValue {
        var members: [String: JSONValue] = [
            "device": .number(id), "jid": .string(jid(in: .pn).description), "lid": .string(jid(in: .lid).description),
            "key_index": .number(keyIndex), "platform": .string(platform), "registration_id": .number(registrationID),
            "identity_key": .string(Base64.encode(identityKey.raw)), "connected": .bool(isConnected),
            "active": .bool(isActive), "available": .bool(isAvailable), "prekeys": .number(oneTimePreKeyCount),
            "queue": .number(queueLength), "linked": .int(linked), "bootstrapped": .bool(wasBootstrapped),
        ]
        if let lastLogin { members["last_login"] = .int(lastLogin) }
        if let connection { members["connection"] = .number(connection.id) }
        return .object(members)
    }
}

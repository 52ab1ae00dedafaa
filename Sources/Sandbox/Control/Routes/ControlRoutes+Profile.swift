import Cryptography
import HTTPTypes
import OrderedCollections
import Transport

/// An account's public face, privacy and blocklist, changed as on its phone.
extension ControlRoutes {
    func addProfile() {
        on(.get, "/accounts/:account/about") { call in
            let about = try call.account.about
            return ["text": .string(about?.text ?? ""), "t": .int(about?.time ?? 0)]
        }
        on(.put, "/accounts/:account/about") { call in
            guard let text = try call.optionalText("text") ?? call.optionalText("about") else {
                throw ControlError.missing("text")
            }
            try call.world.setAbout(text, of: call.account, by: nil)
            return .done
        }
        on(.get, "/accounts/:account/picture") { call in
            guard let picture = try call.account.picture else { throw ControlError.notFound("picture") }
            return ["id": .string(picture.id), "picture": .string(Base64.encode(picture.jpeg))]
        }
        on(.put, "/accounts/:account/picture") { call in
            guard let text = try call.optionalText("picture") else {
                try call.world.setPicture(nil, of: call.account, by: nil)
                return .done
            }
            guard let bytes = Base64.decode(text), bytes.starts(with: [0xFF, 0xD8]) else {
                throw ControlError.invalid("picture is base64 of a JPEG, or null")
            }
            try call.world.setPicture(bytes, of: call.account, by: nil)
            return ["id": .string(try call.account.picture?.id ?? "")]
        }
        on(.get, "/accounts/:account/privacy") { call in try call.account.privacyJSON }
        on(.put, "/accounts/:account/privacy") { call in
            let account = try call.account
            let changes = (call.body.objectValue ?? [:]).sorted { $0.key < $1.key }
            for (name, value) in changes {
                guard let category = PrivacyCategory.named(name), let text = value.stringValue,
                    category.values.contains(text)
                else { throw ControlError.invalid("\(name) is no privacy setting, or not one of its values") }
            }
            for (name, value) in changes {
                try call.world.setPrivacy(name, value.stringValue ?? "", of: account, by: nil)
            }
            return account.privacyJSON
        }
        on(.get, "/accounts/:account/blocklist") { call in try Self.blocklist(call.account, in: call.world) }
        on(.put, "/accounts/:account/blocklist") { call in
            let account = try call.account
            let world = try call.world
            if let names = try call.texts("blocked") {
                let wanted = try names.map { try world.account(named: $0) }
                for lid in account.blocked where !wanted.contains(where: { $0.lid == lid }) {
                    if let other = world.accountsByLID[lid] { world.setBlocked(other, false, for: account, by: nil) }
                }
                for other in wanted where other !== account { world.setBlocked(other, true, for: account, by: nil) }
            }
            for (member, isBlocked) in [("block", true), ("unblock", false)] {
                for name in try call.texts(member) ?? [] {
                    world.setBlocked(try world.account(named: name), isBlocked, for: account, by: nil)
                }
            }
            return Self.blocklist(account, in: world)
        }
    }

    @SandboxActor
    private static func blocklist(_ account: Account, in world: World) -> JSONValue {
        [
            "dhash": .string(account.blocklistHash),
            "blocked": .array(account.blocked.compactMap { world.accountsByLID[$0] }.map { .string($0.phone) }),
        ]
    }
}

extension Account {
    fileprivate var privacyJSON: JSONValue {
        .object(
            Dictionary(
                PrivacyCategory.all.map { ($0.name, .string(privacyValue($0.name) ?? $0.defaultValue)) },
                uniquingKeysWith: { $1 }))
    }
}

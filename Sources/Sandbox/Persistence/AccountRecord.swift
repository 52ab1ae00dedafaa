import Cryptography
import Foundation
import OrderedCollections
import Transport

/// How an account is written to the store, key `account/<phone>`: JSON with keys in hex.
struct AccountRecord: Codable {
    struct Standing: Codable {
        var kind: String
        var code: Int?
        var until: Int64?
        var header: String?
        var subtext: String?
    }

    struct Contact: Codable {
        var phone: String
        var name: String
    }

    var order: Int
    var phone: String
    var lid: String
    var identity: String
    var phonePreKey: String
    var registrationID: UInt32
    var preKeySignature: String
    var advRawID: UInt32
    var nextKeyIndex: UInt32
    var nextDeviceID: UInt16
    var keyIndexList: String?
    var keyIndexTime: Int64?
    var pushName: String
    var about: Account.About?
    var picture: Account.Picture?
    var businessName: String?
    var verifiedName: String?
    var locale: String
    var passkey: Account.PasskeyPolicy
    var passkeyCredentials: [Bytes]?
    var automatic: Account.Automatic
    var standing: Standing
    var isRegistered: Bool
    var created: Int64
    var privacy: [String: String]
    var blocked: [String]
    var blocklistHash: String
    var disappearing: [Int64]
    var contacts: [Contact]
    var lastSeen: Int64?
}

extension AccountRecord {
    @SandboxActor
    init(_ account: Account, order: Int) {
        self.order = order
        phone = account.phone
        lid = account.lid
        identity = Hex.encode(account.identity.privateKey.secret.bytes)
        phonePreKey = Hex.encode(account.phonePreKey.privateKey.secret.bytes)
        registrationID = account.primary?.registrationID ?? 1
        preKeySignature = Hex.encode(account.primary?.signedPreKey.signature ?? [])
        advRawID = account.advRawID
        nextKeyIndex = account.nextKeyIndex
        nextDeviceID = account.nextDeviceID
        keyIndexList = account.keyIndexList.map { Base64.encode($0.bytes) }
        keyIndexTime = account.keyIndexList?.time
        pushName = account.pushName
        about = account.about
        picture = account.picture
        businessName = account.businessName
        verifiedName = account.verifiedName.map { Base64.encode($0) }
        locale = account.locale
        passkey = account.passkey
        passkeyCredentials = account.passkeyCredentials
        automatic = account.automatic
        standing = Standing(account.standing)
        isRegistered = account.isRegistered
        created = account.created
        privacy = account.privacy
        blocked = Array(account.blocked)
        blocklistHash = account.blocklistHash
        disappearing = [Int64(account.disappearing.duration), account.disappearing.time]
        contacts = account.contacts.map { Contact(phone: $0.key, name: $0.value) }
        lastSeen = account.lastSeen
    }

    /// The account with its phone, no companions; `nil` when the record cannot be a written one.
    @SandboxActor
    func account(platform: String) -> Account? {
        guard let identity = Self.keyPair(identity), let phonePreKey = Self.keyPair(phonePreKey),
            let signature = Hex.decode(preKeySignature)
        else { return nil }
        let account = Account(
            phone: phone, lid: lid, identity: identity, phonePreKey: phonePreKey, advRawID: advRawID,
            pushName: pushName, created: created)
        account.nextKeyIndex = nextKeyIndex
        account.nextDeviceID = nextDeviceID
        if let keyIndexList, let bytes = Base64.decode(keyIndexList), let keyIndexTime {
            account.keyIndexList = (bytes, keyIndexTime)
        }
        account.about = about
        account.picture = picture
        account.businessName = businessName
        account.verifiedName = verifiedName.flatMap { Base64.decode($0) }
        account.locale = locale
        account.passkey = passkey
        account.passkeyCredentials = passkeyCredentials ?? []
        account.automatic = automatic
        account.standing = standing.value
        account.isRegistered = isRegistered
        account.privacy = privacy
        account.blocked = OrderedSet(blocked)
        account.blocklistHash = blocklistHash
        if disappearing.count == 2 { account.disappearing = (Int(disappearing[0]), disappearing[1]) }
        for contact in contacts { account.contacts[contact.phone] = contact.name }
        account.lastSeen = lastSeen
        account.devices[0] = Device(
            account: account, id: 0, keyIndex: 0, registrationID: registrationID,
            identityKey: identity.publicKey,
            signedPreKey: Device.SignedPreKey(id: 1, key: phonePreKey.publicKey, signature: signature),
            noiseKey: nil, signedIdentity: nil, deviceProps: nil, platform: platform, linked: created)
        return account
    }

    static func keyPair(_ hex: String) -> KeyPair? {
        guard let raw = Hex.decode(hex), let key = try? PrivateKey(raw: raw) else { return nil }
        return KeyPair(privateKey: key)
    }
}

extension AccountRecord.Standing {
    init(_ standing: Account.Standing) {
        switch standing {
        case .good: self.init(kind: "good")
        case .temporarilyBanned(let code, let until): self.init(kind: "ban_temp", code: code, until: until)
        case .banned: self.init(kind: "ban")
        case .locked(let header, let subtext): self.init(kind: "locked", header: header, subtext: subtext)
        }
    }

    var value: Account.Standing {
        switch kind {
        case "ban_temp": .temporarilyBanned(code: code ?? 101, until: until ?? 0)
        case "ban": .banned
        case "locked": .locked(header: header, subtext: subtext)
        default: .good
        }
    }
}

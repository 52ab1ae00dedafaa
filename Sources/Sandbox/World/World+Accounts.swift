import Cryptography
import OrderedCollections
import Transport

/// What an account is made from. Only the phone number is needed.
package struct AccountDraft: Sendable {
    /// Digits, 5 to 15, not beginning with 0.
    package var phone: String
    package var pushName: String
    package var businessName: String?
    package var about: String?
    package var locale: String?
    package var contacts: [(phone: String, name: String)] = []
    package var picture: Bytes?
    package var passkey = Account.PasskeyPolicy.off
    package var passkeyCredentials: [Bytes] = []
    package var automatic = Account.Automatic()

    package init(phone: String, pushName: String? = nil) {
        self.phone = phone
        self.pushName = pushName ?? "User \(phone.suffix(4))"
    }
}

extension World {
    /// Makes an account with its phone. Throws ``WorldError/invalidPhone`` and ``WorldError/accountExists``.
    @discardableResult
    package func createAccount(_ draft: AccountDraft) throws -> Account {
        let phone = draft.phone
        guard (5...15).contains(phone.utf8.count), phone.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            phone.utf8.first != 0x30
        else { throw WorldError.invalidPhone }
        guard accounts[phone] == nil else { throw WorldError.accountExists }
        var lid = random.digits("account/lids", count: 15)
        while accountsByLID[lid] != nil || accounts[lid] != nil { lid = random.digits("account/lids", count: 15) }
        let account = Account(
            phone: phone, lid: lid, identity: try keyPair("account/\(phone)/identity"),
            phonePreKey: try keyPair("account/\(phone)/signed-prekey"),
            advRawID: random.number("account/\(phone)/raw-id", below: .max), pushName: draft.pushName,
            created: clock.seconds)
        account.businessName = draft.businessName
        account.about = draft.about.map { Account.About(text: $0, time: clock.seconds) }
        account.locale = draft.locale ?? account.locale
        account.picture = draft.picture.map { Account.Picture(id: String(clock.seconds), jpeg: $0) }
        account.passkey = draft.passkey
        account.passkeyCredentials = draft.passkeyCredentials
        account.automatic = draft.automatic
        for contact in draft.contacts { account.contacts[contact.phone] = contact.name }
        try installPhone(of: account)
        admit(account)
        save(account)
        self.phone?.accountAppeared(account, restored: false)
        return account
    }

    /// Registers the number anew: another identity, no companions, and everybody who knew the old one is told
    /// (`encrypt` identity notification; 04, section 22.9).
    package func reregister(_ account: Account) throws {
        for device in account.companions { remove(device, reason: "primary_identity_key_change", notify: true) }
        phone?.accountForgotten(account)
        account.identity = try keyPair("account/\(account.phone)/identity")
        account.phonePreKey = try keyPair("account/\(account.phone)/signed-prekey")
        account.advRawID = random.number("account/\(account.phone)/raw-id", below: .max)
        account.keyIndexList = nil
        account.isRegistered = true
        account.standing = .good
        try installPhone(of: account)
        save(account)
        phone?.accountAppeared(account, restored: false)
        notifyIdentityChange(of: account)
    }

    /// Takes the number off WhatsApp: companions are unlinked, the number answers as unknown.
    package func unregister(_ account: Account) {
        for device in account.companions { remove(device, reason: "account_deleted", notify: true) }
        account.isRegistered = false
        media.deleteAll(of: account.phone)
        account.standing = .locked(header: nil, subtext: nil)
        phone?.accountForgotten(account)
        save(account)
    }

    /// Sets the standing; connected companions of an account that is no longer good are told by `stream:error` 503 and
    /// learn the reason at their next login.
    package func setStanding(_ standing: Account.Standing, of account: Account) {
        account.standing = standing
        save(account)
        guard standing != .good else { return }
        for device in account.companions {
            device.connection?.end(with: .streamError(code: 503))
        }
    }

    /// Device 0: its key index list covers the phone alone.
    private func installPhone(of account: Account) throws {
        let preKey = account.phonePreKey.publicKey
        let signature = account.identity.privateKey.sign(
            preKey.serialized, random: random.stream("account/\(account.phone)/signatures").bytes(64))
        account.devices[0] = Device(
            account: account, id: 0, keyIndex: 0,
            registrationID: 1 + random.number("account/\(account.phone)/registration-id", below: 16_380),
            identityKey: account.identity.publicKey,
            signedPreKey: Device.SignedPreKey(id: 1, key: preKey, signature: signature), noiseKey: nil,
            signedIdentity: nil, deviceProps: nil, platform: settings.phonePlatform, linked: clock.seconds)
    }

    func admit(_ account: Account) {
        accounts[account.phone] = account
        accountsByLID[account.lid] = account
    }

    /// A fresh key pair from the stream of `purpose`.
    package func keyPair(_ purpose: String) throws -> KeyPair {
        KeyPair(privateKey: try PrivateKey(raw: random.stream(purpose).bytes(32)))
    }
}

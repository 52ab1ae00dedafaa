import Cryptography
import OrderedCollections
import Transport

/// All phones of one world: what the server knows as device 0 of every account.
@SandboxActor
package final class Phones: PhoneEngine {
    unowned let world: World
    private var phones: [String: Phone] = [:]
    /// Code pairings whose `primary_hello` was sent, by number of the pairing session.
    var codePairings: [Int: CodePairing] = [:]

    package init(world: World) { self.world = world }

    /// The phone of an account; every account of the world has one.
    package func phone(of account: Account) -> Phone {
        if let phone = phones[account.phone] { return phone }
        let phone = Phone(world: world, account: account, restored: false)
        phones[account.phone] = phone
        return phone
    }

    package func accountAppeared(_ account: Account, restored: Bool) {
        let phone = Phone(world: world, account: account, restored: restored)
        phones[account.phone] = phone
        if phone.collection("critical_block").version == 0 { phone.createAppState() }
        if account.automatic.online { world.setPresenceFromPhone(account, available: true) }
    }

    package func accountForgotten(_ account: Account) {
        phones[account.phone] = nil
        Phone.erase(account, in: world)
        world.forgetAppState(of: account)
    }

    package func receive(_ stanza: Stanza, for account: Account) {
        let phone = phone(of: account)
        switch stanza.tag {
        case "message": phone.receiveMessage(stanza)
        case "receipt": phone.receiveReceipt(stanza)
        case "notification": phone.receiveNotification(stanza)
        default: break
        }
    }

    package func makeOneTimePreKey(for account: Account) -> Device.OneTimePreKey {
        phone(of: account).makeOneTimePreKey()
    }

    package func companionLinked(_ device: Device) {}

    package func companionUnlinked(_ device: Device) {
        phone(of: device.account).companionUnlinked(device)
    }

    package func companionReady(_ device: Device) {
        phone(of: device.account).bootstrap(device)
    }

    package func signKeyIndexList(
        for account: Account, currentIndex: UInt32, validIndexes: [UInt32], time: Int64
    ) -> Bytes {
        KeyIndexList(
            rawID: account.advRawID, timestamp: UInt64(clamping: time), currentIndex: currentIndex,
            validIndexes: validIndexes
        ).signed(by: account.identity, random: phone(of: account).random("signatures").bytes(64))
    }

    func appStateUploaded(_ patch: SyncdPatch, mutations: [SyncdMutation], to name: String, by device: Device) {
        phone(of: device.account).receivePatch(patch, mutations: mutations, to: name, by: device)
    }
}

import Cryptography
import OrderedCollections
import Transport

/// All phones of one world: what the server knows as device 0 of every account.
@SandboxActor
package final class Phones: PhoneEngine {
    unowned let world: World
    private var phones: [String: Phone] = [:]
    /// Code pairings whose `primary_hello` was sent, by number of the pairing session. `unanswered` counts the hellos, also
    /// of codes typed before, whose bundle is still to come.
    var codePairings: [Int: (account: Account, pairing: LinkCodePairing, outcome: CodeOutcomeBox, unanswered: Int)] =
        [:]

    package init(world: World) { self.world = world }

    /// The phone of an account; every account of the world has one.
    package func phone(of account: Account) -> Phone {
        if let phone = phones[account.phone] { return phone }
        let phone = Phone(world: world, account: account, restored: false)
        phones[account.phone] = phone
        return phone
    }

    package func accountAppeared(_ account: Account, restored: Bool) {
        phones[account.phone] = Phone(world: world, account: account, restored: restored)
        if account.automatic.online { world.setPresenceFromPhone(account, available: true) }
    }

    package func accountForgotten(_ account: Account) {
        phones[account.phone] = nil
        Phone.erase(account, in: world)
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

    /// App state is empty and cannot be written yet: every collection is answered as being at version 0.
    package func answerAppState(_ iq: Stanza, from device: Device) -> Stanza? {
        guard let sync = iq.child("sync") else { return nil }
        let collections = sync.children("collection")
        guard collections.allSatisfy({ $0.child("patch") == nil }) else { return nil }
        return Stanza.result(
            to: iq,
            children: [
                Stanza(
                    "sync",
                    children: collections.map { collection in
                        Stanza("collection", ["name": collection.attributes["name"], "version": "0"])
                    })
            ])
    }

    /// There is no media server yet.
    package func mediaAuth(for device: Device) -> MediaGrant? { nil }
}

import Cryptography
import Sandbox
import Transport

/// A phone that signs companions and otherwise only remembers what it is told.
@SandboxActor
final class TestPhone: PhoneEngine {
    unowned let world: World
    private(set) var received: [(account: String, stanza: Stanza)] = []
    private(set) var ready: [String] = []
    private var nextKey: UInt32 = 1

    init(world: World) { self.world = world }

    /// Scans `qr` with the phone of `account`, as 09 section 7.2 says.
    func scan(_ qr: String, with account: Account, secret: Bytes) throws {
        let fields = qr.split(separator: "#").last.map { $0.split(separator: ",").map(String.init) } ?? []
        guard let ref = fields.first, let session = world.pairing(ref: ref) else { throw WorldError.noSuchPairing }
        let numbers = try world.nextCompanionNumbers(for: account)
        let time = UInt64(world.clock.seconds)
        let approval = CompanionApproval(
            approving: .init(identityPublic: session.registration.identityKey.raw, advSecret: secret),
            details: .init(rawID: account.advRawID, timestamp: time, keyIndex: numbers.keyIndex),
            account: account.identity, random: Bytes(repeating: 1, count: 64))
        let list = signKeyIndexList(
            for: account, currentIndex: numbers.keyIndex, validIndexes: numbers.validIndexes, time: Int64(time))
        try world.sendPairSuccess(
            session, to: account, numbers: numbers, approval: approval, keyIndexList: (list, Int64(time)))
    }

    func stanzas(_ tag: String, for account: Account) -> [Stanza] {
        received.filter { $0.account == account.phone && $0.stanza.tag == tag }.map(\.stanza)
    }

    func accountAppeared(_ account: Account, restored: Bool) {}
    func accountForgotten(_ account: Account) {}
    func receive(_ stanza: Stanza, for account: Account) { received.append((account.phone, stanza)) }
    func makeOneTimePreKey(for account: Account) -> Device.OneTimePreKey {
        defer { nextKey += 1 }
        return Device.OneTimePreKey(id: nextKey, key: KeyPair.generate().publicKey)
    }
    func companionLinked(_ device: Device) {}
    func companionUnlinked(_ device: Device) {}
    func signKeyIndexList(
        for account: Account, currentIndex: UInt32, validIndexes: [UInt32], time: Int64
    ) -> Bytes {
        KeyIndexList(
            rawID: account.advRawID, timestamp: UInt64(time), currentIndex: currentIndex, validIndexes: validIndexes
        ).signed(by: account.identity, random: Bytes(repeating: 2, count: 64))
    }
    func companionReady(_ device: Device) {
        ready.append("\(device.account.phone):\(device.id)")
        world.markBootstrapped(device)
    }
    func linkCodeFinished(_ session: PairingSession, wrappedBundle: Bytes, companionIdentity: Bytes) {}
    func pairingEnded(_ session: PairingSession) {}
    func passkeyAnswered(_ session: PairingSession) {}
}

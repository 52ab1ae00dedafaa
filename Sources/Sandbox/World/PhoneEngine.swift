import Cryptography
import Transport

/// The phones of a world, seen from the server: one engine plays device 0 of every account (09, section 19).
///
/// Everything here runs on ``SandboxActor``, so calls are synchronous in both directions. The server calls these methods
/// **after** the stanza that caused them was processed to the end (its ack is already written): a phone that answers at
/// once cannot overtake the ack of what it answers. What the phone wants to survive a restart it keeps in
/// ``World/store`` under keys that begin with `phone/`; those writes become durable together with the server's own.
///
/// The phone's way back is the set of `World` functions named in "For the phone" sections:
/// - ``World/pairing(ref:)``, ``World/pairings(waitingFor:)``, ``World/nextCompanionNumbers(for:)``,
///   ``World/sendPairSuccess(_:to:numbers:approval:keyIndexList:)``, ``World/sendPrimaryHello(_:wrappedEphemeral:identity:)``,
///   ``World/sendDowngrade(_:)``, ``World/failPairing(_:reason:)``, ``World/whenOver(_:)``
/// - ``World/sendFromPhone(_:_:)`` for messages, receipts and chat states; ``World/setPresenceFromPhone(_:available:)``
/// - ``World/devices(of:)``, ``World/takeBundle(for:)``
/// - ``World/deliver(_:to:)`` for notifications to devices
@SandboxActor
package protocol PhoneEngine: AnyObject, Sendable {
    /// A new account, or one that came back from the journal when the world was loaded (`restored`). For a new one the
    /// server has already made the identity (``Account/identity``), device 0's registration id and its signed prekey with id 1
    /// (``Account/phonePreKey`` has the private half).
    func accountAppeared(_ account: Account, restored: Bool)
    /// The account is gone, or registered again under a new identity: forget its sessions.
    func accountForgotten(_ account: Account)

    /// A `message`, `receipt`, `notification` or `call` for device 0, in the form section 12, 14 or 15 gives it. Delivery to a
    /// phone is final: nothing is queued, no ack is due, and the phone's receipts go through ``World/sendFromPhone(_:_:)``.
    func receive(_ stanza: Stanza, for account: Account)

    /// The public half of a new one-time prekey of device 0, made on demand for one key fetch (13.1).
    func makeOneTimePreKey(for account: Account) -> Device.OneTimePreKey

    /// A companion was linked or unlinked. `present`: the account's companions after the change.
    func companionLinked(_ device: Device)
    func companionUnlinked(_ device: Device)
    /// The key index list of the account without the removed companions, signed anew: serialized `ADVSignedKeyIndexList`.
    func signKeyIndexList(for account: Account, currentIndex: UInt32, validIndexes: [UInt32], time: Int64) -> Bytes

    /// The companion's `<active/>` was answered, the offline marker was written, and it never got its first material (19.4).
    /// Call ``World/markBootstrapped(_:)`` once the material is queued.
    func companionReady(_ device: Device)

    /// `companion_finish` of a code pairing arrived (8, step 5): wrapped key bundle 156 bytes, companion identity 32 bytes.
    func linkCodeFinished(_ session: PairingSession, wrappedBundle: Bytes, companionIdentity: Bytes)
    /// A registration connection ended or its pairing was decided.
    func pairingEnded(_ session: PairingSession)
    /// A companion's encrypted pairing request came, which ends the passkey step (9).
    func passkeyAnswered(_ session: PairingSession)

}

/// The bundle a session with a device is built from (03, section 4.3), as handed to phones.
package struct PublicBundle: Sendable, Equatable {
    package let jid: JID
    package let registrationID: UInt32
    package let identityKey: PublicKey
    package let signedPreKey: Device.SignedPreKey
    package let oneTimePreKey: Device.OneTimePreKey?
    package let signedIdentity: Bytes?
}

/// The device id and key index set aside for a companion that is being signed (7.2, step 1).
package struct CompanionNumbers: Sendable, Equatable {
    package let deviceID: UInt16
    package let keyIndex: UInt32
    /// Key indexes that are valid once the companion is linked: 0, all live ones, the new one.
    package let validIndexes: [UInt32]
}

/// What the server said to a stanza that a phone sent.
package struct PhoneSendResult: Sendable, Equatable {
    /// Server time of the message, Unix seconds.
    package let time: Int64
    /// `error` of the ack, if it was refused.
    package let error: Int?
}

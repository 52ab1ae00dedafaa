import Cryptography
import DequeModule
import Transport

/// A device of an account: the phone (id 0) or a linked companion.
@SandboxActor
package final class Device {
    /// A public signed prekey.
    package struct SignedPreKey: Sendable, Equatable {
        /// 24 bits.
        package var id: UInt32
        package var key: PublicKey
        /// 64 bytes: XEdDSA by the identity over `05 ‖ key`.
        package var signature: Bytes
        package init(id: UInt32, key: PublicKey, signature: Bytes) {
            self.id = id
            self.key = key
            self.signature = signature
        }
    }

    /// A public one-time prekey.
    package struct OneTimePreKey: Sendable, Equatable {
        /// 24 bits.
        package var id: UInt32
        package var key: PublicKey
        /// Position in the device's FIFO; only for the journal.
        var order: UInt64 = 0
        package init(id: UInt32, key: PublicKey) {
            self.id = id
            self.key = key
        }
    }

    package unowned let account: Account
    /// 0 = phone, 1…255 without 99 for companions.
    package let id: UInt16
    package var isPhone: Bool { id == 0 }
    /// 0 for the phone, ≥ 1 for companions.
    package let keyIndex: UInt32
    package let registrationID: UInt32
    package let identityKey: PublicKey
    package internal(set) var signedPreKey: SignedPreKey
    /// Noise static key of a companion.
    package let noiseKey: PublicKey?
    /// Complete `ADVSignedDeviceIdentity` (account key re-inserted) of a companion.
    package let signedIdentity: Bytes?
    /// Serialized `DeviceProps` of the registration.
    package let deviceProps: Bytes?
    /// Name shown in the list of linked devices.
    package let platform: String
    package let linked: Int64
    package internal(set) var lastLogin: Int64?

    var oneTimePreKeys: Deque<OneTimePreKey> = []
    /// Keys uploaded beyond ``WorldSettings/prekeyKeepMax``: counted, not stored.
    var countedPreKeys = 0
    var nextPreKeyOrder: UInt64 = 0
    var lastLowNotice: Int64?

    let queue = DeviceQueue()
    var answers = AnswerLedger()
    /// Marked caches of this device: type → time.
    var dirty: [String: Int64] = [:]
    package internal(set) var pushConfig: Stanza?

    /// The socket, while there is one and its login was accepted.
    package internal(set) weak var connection: ClientConnection?
    package internal(set) var isActive = false
    package internal(set) var isAvailable = false
    /// Whether the phone has sent its first-login material (19.4).
    package internal(set) var wasBootstrapped = false
    /// Set while the device is being taken out of its account.
    var isRemoved = false

    init(
        account: Account, id: UInt16, keyIndex: UInt32, registrationID: UInt32, identityKey: PublicKey,
        signedPreKey: SignedPreKey, noiseKey: PublicKey?, signedIdentity: Bytes?, deviceProps: Bytes?,
        platform: String, linked: Int64
    ) {
        self.account = account
        self.id = id
        self.keyIndex = keyIndex
        self.registrationID = registrationID
        self.identityKey = identityKey
        self.signedPreKey = signedPreKey
        self.noiseKey = noiseKey
        self.signedIdentity = signedIdentity
        self.deviceProps = deviceProps
        self.platform = platform
        self.linked = linked
    }

    package func jid(in space: AddressSpace) -> JID { account.jid(in: space, device: id) }
    /// Keys a fetch could still hand out, counted ones included.
    package var oneTimePreKeyCount: Int { oneTimePreKeys.count + countedPreKeys }
    /// Stanzas waiting or unacknowledged.
    package var queueLength: Int { queue.count }
    package var isConnected: Bool { connection != nil }
}

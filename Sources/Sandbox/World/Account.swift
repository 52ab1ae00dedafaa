import Cryptography
import OrderedCollections
import Transport

/// A WhatsApp account: a phone number, its hidden id, its phone and its companions (09, section 2).
@SandboxActor
package final class Account {
    /// Why an account cannot be used, if it cannot.
    package enum Standing: Sendable, Equatable {
        case good
        /// Login: `failure` 402 with `code` and `expire` (seconds left, counted from world time).
        case temporarilyBanned(code: Int, until: Int64)
        /// Login: `failure` 406.
        case banned
        /// Login: `failure` 403, with the texts shown to the user.
        case locked(header: String?, subtext: String?)
    }

    /// A text with the time it was set (Unix seconds).
    package struct About: Sendable, Equatable, Codable {
        package var text: String
        package var time: Int64
        package init(text: String, time: Int64) {
            self.text = text
            self.time = time
        }
    }

    package struct Picture: Sendable, Equatable, Codable {
        package var id: String
        package var jpeg: Bytes
        package init(id: String, jpeg: Bytes) {
            self.id = id
            self.jpeg = jpeg
        }
    }

    /// Flags of automatic behaviour of the account's phone (19.7).
    package struct Automatic: Sendable, Equatable, Codable {
        package var deliver = true
        package var read = false
        package var typing = false
        package var echo = false
        package var acceptGroupAdd = false
        package var online = false
        package init() {}
    }

    package enum PasskeyPolicy: String, Sendable, Codable { case off, required }

    /// Phone number, digits only; the key of the account.
    package nonisolated let phone: String
    /// 15 decimal digits.
    package nonisolated let lid: String
    /// Signs companions, and is the Signal identity of device 0. Replaced when the account registers again.
    package internal(set) var identity: KeyPair
    /// Signed prekey (id 1) of device 0.
    package internal(set) var phonePreKey: KeyPair
    /// `ADVDeviceIdentity.rawID`; replaced with the identity.
    package internal(set) var advRawID: UInt32
    /// Next `keyIndex`; never reused, also after a failed pairing.
    package internal(set) var nextKeyIndex: UInt32 = 1
    package internal(set) var nextDeviceID: UInt16 = 1
    /// Latest `ADVSignedKeyIndexList` and its time, made by the phone at each link and unlink.
    package internal(set) var keyIndexList: (bytes: Bytes, time: Int64)?

    package var pushName: String
    package var about: About?
    package var picture: Picture?
    /// Name of a business account.
    package var businessName: String?
    package var verifiedName: Bytes?
    package var locale = "en_US"
    package var passkey = PasskeyPolicy.off
    /// Raw ids of the passkeys that the account has; the sandbox makes one where it has none.
    package var passkeyCredentials: [Bytes] = []
    package var automatic = Automatic()
    package var standing = Standing.good
    /// Whether the number exists on WhatsApp; `false` after it was unregistered.
    package var isRegistered = true
    package let created: Int64

    /// Privacy categories that differ from the default (08, section 9.1).
    package internal(set) var privacy: [String: String] = [:]
    /// LID users this account blocks, in order of blocking.
    package internal(set) var blocked: OrderedSet<String> = []
    package internal(set) var blocklistHash = "none"
    package internal(set) var disappearing: (duration: Int, time: Int64) = (0, 0)
    /// Phone numbers in the phone's address book, with the name there.
    package var contacts: OrderedDictionary<String, String> = [:]

    /// Device 0 first, then companions by id.
    package internal(set) var devices: OrderedDictionary<UInt16, Device> = [:]
    /// When an available device last became unavailable, Unix seconds.
    package internal(set) var lastSeen: Int64?

    init(
        phone: String, lid: String, identity: KeyPair, phonePreKey: KeyPair, advRawID: UInt32, pushName: String,
        created: Int64
    ) {
        self.phone = phone
        self.lid = lid
        self.identity = identity
        self.phonePreKey = phonePreKey
        self.advRawID = advRawID
        self.pushName = pushName
        self.created = created
    }

    /// `<digits>@s.whatsapp.net`.
    package nonisolated var pn: JID { .user(phone) }
    /// `<15 digits>@lid`.
    package nonisolated var lidJID: JID { .lid(lid) }

    package nonisolated func jid(in space: AddressSpace, device: UInt16 = 0) -> JID {
        switch space {
        case .pn: JID(user: phone, server: .user, device: device)
        case .lid: JID(user: lid, server: .lid, device: device)
        }
    }

    /// Device `id` of the account, 0 being the phone.
    package func device(_ id: UInt16) -> Device? { devices[id] }
    /// The phone itself.
    package var primary: Device? { devices[0] }
    /// Linked devices by id.
    package var companions: [Device] { devices.values.filter { !$0.isPhone } }
    package var isAvailable: Bool { devices.values.contains { $0.isAvailable } }

    package func privacyValue(_ category: String) -> String? {
        privacy[category] ?? PrivacyCategory.named(category)?.defaultValue
    }
}

/// The two ways to name a person.
package enum AddressSpace: Sendable, Equatable, Hashable {
    case pn, lid

    /// The space `jid` is written in; `nil` for groups, broadcasts and servers.
    package init?(_ jid: JID) {
        switch jid.server {
        case .user, .legacyUser, .hosted: self = .pn
        case .lid, .hostedLID: self = .lid
        default: return nil
        }
    }

    package var other: AddressSpace { self == .pn ? .lid : .pn }
    /// The wire word of `addressing_mode`.
    package var word: String { self == .pn ? "pn" : "lid" }
}

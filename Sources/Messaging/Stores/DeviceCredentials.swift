import Cryptography

/// What a companion device is: the keys made before its first connection and the identity pairing gave it.
///
/// Source: 02-pairing-login, section 2; columns of `wa_credentials`, 14-storage, section 3.3. Keys are stored before
/// anything is sent, because they must survive the restart after pairing; the ADV fields are nil until pairing succeeded.
package struct DeviceCredentials: Sendable, Equatable {
    /// 14 random bits, never 0 (03-signal, section 2.3).
    package var registrationID: UInt32
    /// X25519 private keys, 32 bytes each.
    package var noiseKey: SecretBytes
    package var identityKey: SecretBytes
    /// 32-byte public half of `identityKey`.
    package var identityPublic: [UInt8]
    package var signedPreKey: SignedPreKeyRow
    /// The signed prekey before the last rotation, kept for pkmsgs in flight (02, section 15.6).
    package var previousSignedPreKey: SignedPreKeyRow?
    /// 32 bytes; replaced by code and passkey pairing.
    package var advSecret: SecretBytes
    package var account: AccountIdentity?
    /// Own addresses with device, `15557770000:7@s.whatsapp.net` and `222000111000222:7@lid`. Nil until paired.
    package var jid: String?
    package var lid: String?
    /// Next one-time prekey id, 1…16777214, wraps to 1 and never searches for gaps.
    package var nextPreKeyID: UInt32
    package var lidMigrationTimestamp: Int64
    /// Salt of cstokens from history sync (04, section 10.2).
    package var nctSalt: [UInt8]?
    /// Static Noise key the server last showed; 32 bytes.
    package var serverStatic: [UInt8]?
    /// Opaque edge routing bytes sent as preamble of the next connection (01, section 4.1).
    package var routingInfo: [UInt8]?
    package var pairedAt: Timestamp?

    package init(
        registrationID: UInt32, noiseKey: SecretBytes, identityKey: SecretBytes, identityPublic: [UInt8],
        signedPreKey: SignedPreKeyRow, previousSignedPreKey: SignedPreKeyRow? = nil, advSecret: SecretBytes,
        account: AccountIdentity? = nil, jid: String? = nil, lid: String? = nil, nextPreKeyID: UInt32 = 1,
        lidMigrationTimestamp: Int64 = 0, nctSalt: [UInt8]? = nil, serverStatic: [UInt8]? = nil,
        routingInfo: [UInt8]? = nil, pairedAt: Timestamp? = nil
    ) {
        self.registrationID = registrationID
        self.noiseKey = noiseKey
        self.identityKey = identityKey
        self.identityPublic = identityPublic
        self.signedPreKey = signedPreKey
        self.previousSignedPreKey = previousSignedPreKey
        self.advSecret = advSecret
        self.account = account
        self.jid = jid
        self.lid = lid
        self.nextPreKeyID = nextPreKeyID
        self.lidMigrationTimestamp = lidMigrationTimestamp
        self.nctSalt = nctSalt
        self.serverStatic = serverStatic
        self.routingInfo = routingInfo
        self.pairedAt = pairedAt
    }

    /// A device is paired when pairing stored its own address (02, section 2).
    package var isPaired: Bool { jid != nil && account != nil }
}

/// A signed prekey with its private half.
package struct SignedPreKeyRow: Sendable, Equatable {
    /// 1…16777215, 3 bytes on the wire.
    package var id: UInt32
    package var privateKey: SecretBytes
    /// XEdDSA over `05 ‖ public`, 64 bytes.
    package var signature: [UInt8]
    package var createdAt: Timestamp

    package init(id: UInt32, privateKey: SecretBytes, signature: [UInt8], createdAt: Timestamp) {
        self.id = id
        self.privateKey = privateKey
        self.signature = signature
        self.createdAt = createdAt
    }
}

/// The ADV signed device identity of this device, exactly as pairing received it plus our signature (02, section 7).
package struct AccountIdentity: Sendable, Hashable {
    /// Serialized ADVDeviceIdentity as received, never re-encoded.
    package var details: [UInt8]
    /// 64 bytes, by the account key.
    package var accountSignature: [UInt8]
    /// 32 bytes: identity key of the phone (device 0).
    package var accountSignatureKey: [UInt8]
    /// 64 bytes, by our identity key.
    package var deviceSignature: [UInt8]

    package init(
        details: [UInt8], accountSignature: [UInt8], accountSignatureKey: [UInt8], deviceSignature: [UInt8]
    ) {
        self.details = details
        self.accountSignature = accountSignature
        self.accountSignatureKey = accountSignatureKey
        self.deviceSignature = deviceSignature
    }
}

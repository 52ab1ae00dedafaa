import Cryptography

/// The public side of a device's identity: what registration and prekey uploads show (02-pairing-login, section 2).
package struct DevicePublicKeys: Sendable, Equatable {
    package var registrationID: UInt32
    package var identity: PublicKey
    /// 1…16777215, three bytes on the wire.
    package var signedPreKeyID: UInt32
    package var signedPreKey: PublicKey
    /// XEdDSA over the serialized signed prekey; 64 bytes.
    package var signedPreKeySignature: Bytes

    package init(
        registrationID: UInt32, identity: PublicKey, signedPreKeyID: UInt32, signedPreKey: PublicKey,
        signedPreKeySignature: Bytes
    ) {
        self.registrationID = registrationID
        self.identity = identity
        self.signedPreKeyID = signedPreKeyID
        self.signedPreKey = signedPreKey
        self.signedPreKeySignature = signedPreKeySignature
    }

    /// From stored credentials. Throws `CryptographyError` when a stored key has the wrong length.
    package init(_ credentials: DeviceCredentials) throws {
        self.init(
            registrationID: credentials.registrationID, identity: try PublicKey(raw: credentials.identityPublic),
            signedPreKeyID: credentials.signedPreKey.id,
            signedPreKey: try PrivateKey(credentials.signedPreKey.privateKey).publicKey,
            signedPreKeySignature: credentials.signedPreKey.signature)
    }
}

/// The low `count` bytes of a number, most significant first.
func bigEndian(_ number: UInt32, _ count: Int) -> Bytes {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * (count - 1 - $0))) }
}

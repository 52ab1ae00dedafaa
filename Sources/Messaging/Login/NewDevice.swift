import Cryptography
import Signal

extension DeviceCredentials {
    /// Keys of a device that is about to pair for the first time (02-pairing-login, section 2): stored before anything is
    /// sent.
    package static func fresh(random: some RandomSource, now: Timestamp) -> DeviceCredentials {
        let identity = KeyPair.generate(random: random)
        let signed = SignedPreKey.generate(id: 1, identity: identity, random: random)
        return DeviceCredentials(
            registrationID: SignalNumbers.registrationID(random: random),
            noiseKey: PrivateKey(random: random).secret, identityKey: identity.privateKey.secret,
            identityPublic: identity.publicKey.raw, signedPreKey: SignedPreKeyRow(signed, createdAt: now),
            advSecret: SecretBytes(random.bytes(32)))
    }
}

extension SignedPreKeyRow {
    init(_ key: SignedPreKey, createdAt: Timestamp) {
        self.init(id: key.id, privateKey: key.keyPair.privateKey.secret, signature: key.signature, createdAt: createdAt)
    }
}

/// The keys of a device in usable form, derived once per session object.
package struct OwnKeys: Sendable {
    package let noise: KeyPair
    package let identity: SignalIdentity
    package let signedPreKey: KeyPair
    package let previousSignedPreKey: (id: UInt32, keyPair: KeyPair)?
    package let publicKeys: DevicePublicKeys

    /// Throws `CryptographyError` for a stored key of the wrong length.
    package init(_ credentials: DeviceCredentials) throws {
        noise = KeyPair(privateKey: try PrivateKey(credentials.noiseKey))
        identity = SignalIdentity(
            keyPair: KeyPair(privateKey: try PrivateKey(credentials.identityKey)),
            registrationID: credentials.registrationID)
        signedPreKey = KeyPair(privateKey: try PrivateKey(credentials.signedPreKey.privateKey))
        previousSignedPreKey = try credentials.previousSignedPreKey.map {
            ($0.id, KeyPair(privateKey: try PrivateKey($0.privateKey)))
        }
        publicKeys = try DevicePublicKeys(credentials)
    }

    /// The signed prekey a pkmsg names: the current one, or the one before the last rotation.
    package func signedPreKey(id: UInt32) -> KeyPair? {
        if id == publicKeys.signedPreKeyID { return signedPreKey }
        return previousSignedPreKey?.id == id ? previousSignedPreKey?.keyPair : nil
    }
}

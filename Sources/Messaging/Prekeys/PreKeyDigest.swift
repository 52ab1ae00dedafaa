import Cryptography
import Transport

/// What the server says it holds of this device (02-pairing-login, section 15.5).
package struct PreKeyDigest: Sendable, Equatable {
    package var registrationID: UInt32
    package var identity: PublicKey
    package var signedPreKeyID: UInt32
    package var signedPreKey: PublicKey
    package var signedPreKeySignature: [UInt8]
    package var preKeyIDs: [UInt32]
    /// SHA-1, 20 bytes.
    package var hash: [UInt8]

    package init?(answer: Stanza) {
        guard let node = answer.child("digest"), let registration = node.child("registration")?.number(bytes: 4),
            let identity = node.child("identity")?.publicKey, let signed = node.child("skey"),
            let signedID = signed.child("id")?.number(bytes: 3), let signedKey = signed.child("value")?.publicKey,
            let signature = signed.child("signature")?.bytesContent, let hash = node.child("hash")?.bytesContent
        else { return nil }
        registrationID = registration
        self.identity = identity
        signedPreKeyID = signedID
        signedPreKey = signedKey
        signedPreKeySignature = signature
        preKeyIDs = node.child("list")?.children("id").compactMap { $0.number(bytes: 3) } ?? []
        self.hash = hash
    }

    /// Whether the server's copy is this device's. `preKeys` are the public halves of those listed, nil when one is not
    /// here.
    package func matches(_ device: DevicePublicKeys, preKeys: [PublicKey]?) -> Bool {
        guard let preKeys, registrationID == device.registrationID, identity == device.identity,
            signedPreKeyID == device.signedPreKeyID, signedPreKey == device.signedPreKey
        else { return false }
        let expected = PreKeyStanzas.digestHash(
            identity: identity, signedPreKey: signedPreKey, signature: signedPreKeySignature, preKeys: preKeys)
        return expected == hash
    }
}

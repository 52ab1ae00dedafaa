import Cryptography
import Transport

/// Stanzas by which a device publishes its prekeys (02-pairing-login, section 15).
package enum PreKeyStanzas {
    /// `<key><id>3 bytes</id><value>32 bytes</value></key>`.
    package static func key(id: UInt32, _ publicKey: PublicKey) -> Stanza {
        Stanza("key", children: idAndValue(id, publicKey))
    }

    /// `<skey><id/><value/><signature>64 bytes</signature></skey>`.
    package static func signedKey(id: UInt32, _ publicKey: PublicKey, signature: Bytes) -> Stanza {
        Stanza("skey", children: idAndValue(id, publicKey) + [Stanza("signature", bytes: signature)])
    }

    private static func idAndValue(_ id: UInt32, _ publicKey: PublicKey) -> [Stanza] {
        [Stanza("id", bytes: bigEndian(id, 3)), Stanza("value", bytes: publicKey.raw)]
    }

    /// Uploads one-time prekeys together with the signed one.
    package static func upload(
        id: String, device: DevicePublicKeys, preKeys: [(id: UInt32, publicKey: PublicKey)]
    ) -> Stanza {
        encrypt(
            id: id, type: "set",
            [
                Stanza("registration", bytes: bigEndian(device.registrationID, 4)),
                Stanza("type", bytes: [PublicKey.typeByte]),
                Stanza("identity", bytes: device.identity.raw),
                Stanza("list", children: preKeys.map { key(id: $0.id, $0.publicKey) }),
                signedKey(
                    id: device.signedPreKeyID, device.signedPreKey, signature: device.signedPreKeySignature),
            ])
    }

    /// Asks how many one-time prekeys the server still holds.
    package static func count(id: String) -> Stanza { encrypt(id: id, type: "get", [Stanza("count")]) }

    /// The number in the answer to `count`, or in the notification that they run low; nil when there is none, or none that
    /// can be.
    package static func count(in stanza: Stanza) -> Int? {
        stanza.child("count")?.int("value").flatMap { (0...1_000_000).contains($0) ? $0 : nil }
    }

    /// Asks for a digest of what the server holds of this device.
    package static func digest(id: String) -> Stanza { encrypt(id: id, type: "get", [Stanza("digest")]) }

    /// SHA-1 over identity, signed prekey, its signature and the one-time prekeys that the digest lists, in its order.
    package static func digestHash(
        identity: PublicKey, signedPreKey: PublicKey, signature: Bytes, preKeys: [PublicKey]
    ) -> Bytes {
        SHA1Digest.hash(identity.raw + signedPreKey.raw + signature + preKeys.flatMap(\.raw))
    }

    /// Replaces the signed prekey.
    package static func rotate(id: String, keyID: UInt32, _ publicKey: PublicKey, signature: Bytes) -> Stanza {
        let key = signedKey(id: keyID, publicKey, signature: signature)
        return encrypt(id: id, type: "set", [Stanza("rotate", children: [key])])
    }

    private static func encrypt(id: String, type: String, _ children: [Stanza]) -> Stanza {
        Stanza(
            "iq", ["id": .text(id), "xmlns": "encrypt", "type": .text(type), "to": .jid(.serverJID)],
            children: children)
    }
}

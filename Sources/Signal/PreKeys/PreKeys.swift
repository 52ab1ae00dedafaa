import Cryptography

/// Numbers that name keys and devices in the Signal protocol (03-signal, section 2.3).
package enum SignalNumbers {
    /// Largest one-time prekey id that is given out; 0 means "none" and FFFFFF is a sentinel of old code.
    package static let largestPreKeyID: UInt32 = 0xFF_FFFE

    /// The id after `id`: ids only rise, and wrap to 1 after the largest.
    package static func preKeyID(after id: UInt32) -> UInt32 { id >= largestPreKeyID ? 1 : id + 1 }

    /// A registration id: 14 random bits, never 0.
    package static func registrationID(random: some RandomSource) -> UInt32 {
        while true {
            let id = number(random.bytes(4)) & 0x3FFF
            if id != 0 { return id }
        }
    }

    /// A sender-key id: 31 random bits.
    package static func senderKeyID(random: some RandomSource) -> UInt32 { number(random.bytes(4)) & 0x7FFF_FFFF }

    private static func number(_ bytes: Bytes) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}

/// A one-time prekey: used for one session, then deleted with the commit of that session.
package struct OneTimePreKey: Sendable {
    /// 1...FFFFFE, three bytes on the wire.
    package let id: UInt32
    package let keyPair: KeyPair

    package init(id: UInt32, keyPair: KeyPair) {
        self.id = id
        self.keyPair = keyPair
    }

    /// `count` fresh keys with the ids after `last` (0 before the first).
    package static func generate(_ count: Int, after last: UInt32, random: some RandomSource) -> [OneTimePreKey] {
        var id = last
        return (0..<count).map { _ in
            id = SignalNumbers.preKeyID(after: id)
            return OneTimePreKey(id: id, keyPair: .generate(random: random))
        }
    }
}

/// A signed prekey: signed by the device's identity key over the 33-byte form.
package struct SignedPreKey: Sendable {
    /// Three bytes on the wire.
    package let id: UInt32
    package let keyPair: KeyPair
    /// 64 bytes.
    package let signature: Bytes

    package init(id: UInt32, keyPair: KeyPair, signature: Bytes) {
        self.id = id
        self.keyPair = keyPair
        self.signature = signature
    }

    /// A fresh key, signed by `identity`.
    package static func generate(id: UInt32, identity: KeyPair, random: some RandomSource) -> SignedPreKey {
        let keyPair = KeyPair.generate(random: random)
        let signature = identity.privateKey.sign(
            keyPair.publicKey.serialized, random: random.bytes(XEdDSA.randomCount))
        return SignedPreKey(id: id, keyPair: keyPair, signature: signature)
    }
}

/// What a session with a device is built from (03-signal, section 4.3).
package struct PreKeyBundle: Sendable, Equatable {
    package var registrationID: UInt32
    /// From the `jid` of the bundle's `<user>` node.
    package var deviceID: UInt32
    package var identityKey: PublicKey
    package var signedPreKeyID: UInt32
    package var signedPreKey: PublicKey
    /// 64 bytes over the 33-byte form of the signed prekey.
    package var signedPreKeySignature: Bytes
    /// Absent when the server has none left.
    package var oneTimePreKeyID: UInt32?
    package var oneTimePreKey: PublicKey?

    package init(
        registrationID: UInt32, deviceID: UInt32, identityKey: PublicKey, signedPreKeyID: UInt32,
        signedPreKey: PublicKey, signedPreKeySignature: Bytes, oneTimePreKeyID: UInt32? = nil,
        oneTimePreKey: PublicKey? = nil
    ) {
        self.registrationID = registrationID
        self.deviceID = deviceID
        self.identityKey = identityKey
        self.signedPreKeyID = signedPreKeyID
        self.signedPreKey = signedPreKey
        self.signedPreKeySignature = signedPreKeySignature
        self.oneTimePreKeyID = oneTimePreKeyID
        self.oneTimePreKey = oneTimePreKey
    }

    /// Throws `invalidSignature` unless the signed prekey is signed by the bundle's identity.
    package func verifySignature() throws {
        guard identityKey.verify(signature: signedPreKeySignature, of: signedPreKey.serialized) else {
            throw SignalError.invalidSignature
        }
    }
}

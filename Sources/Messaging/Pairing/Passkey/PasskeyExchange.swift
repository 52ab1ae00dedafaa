import Cryptography
import WhatsAppProtobuf

/// The companion's half of pairing by passkey: what it commits to, the code both sides show, and the key that carries the
/// pairing request (02-pairing-login, section 10, steps 2 and 5 to 12). Pure: random bytes come in.
package struct PasskeyExchange: Sendable {
    /// Code and key that follow from the phone's answer.
    package struct Agreement: Sendable, Equatable {
        /// Eight characters, to be compared with what the phone shows.
        package var code: String
        /// 32 bytes.
        package var key: SecretBytes
    }

    private let ephemeral: KeyPair
    /// Number of `WACompanionReg.DeviceProps.PlatformType`.
    private let deviceType: UInt64
    private let ref: String
    /// 32 bytes, shown to the phone after it committed itself.
    package let nonce: [UInt8]
    /// Serialized `ProloguePayload`.
    package let payload: [UInt8]

    package init(ephemeral: KeyPair, deviceType: UInt64, ref: String, nonce: [UInt8]) {
        self.ephemeral = ephemeral
        self.deviceType = deviceType
        self.ref = ref
        self.nonce = nonce
        var identity = ProtoWriter()
        identity.bytes(1, ephemeral.publicKey.raw)
        identity.varint(2, deviceType)
        identity.string(3, ref)
        var commitment = ProtoWriter()
        commitment.bytes(1, SHA256Digest.hash(identity.bytes + nonce))
        var payload = ProtoWriter()
        payload.bytes(1, identity.bytes)
        payload.message(2, commitment.bytes)
        self.payload = payload.bytes
    }

    /// Key that proves to the phone that the prologue comes from the companion whose QR or code it was given.
    package static func handoffKey(advSecret: SecretBytes) -> SecretBytes {
        SecretBytes(
            HKDFSHA256.derive(
                inputKeyMaterial: advSecret.bytes, info: Array("shortcake-passkey-handoff-v1".utf8), count: 32))
    }

    /// `pairing_handoff_proof`, 32 bytes.
    package func proof(handoffKey: SecretBytes) -> [UInt8] { HMACSHA256.authenticate(payload, key: handoffKey) }

    /// What follows from the phone's key and nonce. Throws `CryptographyError` for a key that agrees on nothing.
    package func agree(with primary: PasskeyStanzas.PrimaryIdentity) throws -> Agreement {
        let digest = SHA256Digest.hash(nonce + primary.publicKey.raw)
        let mixed = zip(primary.nonce.prefix(5), digest.prefix(5)).map { $0 ^ $1 }
        let shared = try ephemeral.privateKey.agree(with: primary.publicKey)
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes, salt: Array("Companion Pairing \(deviceType) with ref \(ref)".utf8),
            info: Array("Pairing Information Encryption Key".utf8), count: 32)
        return Agreement(code: LinkCode.text(random: mixed), key: SecretBytes(key))
    }
}

extension PasskeyExchange.Agreement {
    /// Serialized `EncryptedPairingRequest` of the keys the phone is to sign. `iv` has 12 bytes.
    package func request(
        noisePublic: [UInt8], identityPublic: [UInt8], advSecret: SecretBytes, iv: [UInt8]
    ) throws -> [UInt8] {
        var request = ProtoWriter()
        request.bytes(1, noisePublic)
        request.bytes(2, identityPublic)
        request.bytes(3, advSecret.bytes)
        var sealed = ProtoWriter()
        sealed.bytes(1, try AESGCM.seal(request.bytes, key: key, nonce: iv))
        sealed.bytes(2, iv)
        return sealed.bytes
    }
}

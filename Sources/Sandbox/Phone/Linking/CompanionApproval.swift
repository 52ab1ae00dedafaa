import Cryptography

/// An account's approval of one companion: what the server puts into `pair-success`, and what it must get back.
///
/// Steps: 02-pairing-login, section 11.2 (signing) and 7.5 (the reply).
package struct CompanionApproval: Sendable, Equatable {
    /// The companion, as the phone knows it from a QR code or a code pairing.
    package struct Companion: Sendable, Equatable {
        /// 32 bytes.
        package var identityPublic: Bytes
        /// 32 bytes, from the QR code or derived in the code pairing.
        package var advSecret: Bytes
        package var isHosted: Bool

        package init(identityPublic: Bytes, advSecret: Bytes, isHosted: Bool = false) {
            self.identityPublic = identityPublic
            self.advSecret = advSecret
            self.isHosted = isHosted
        }
    }

    package enum ReplyError: Error, Equatable {
        case malformed
        /// The `key-index` attribute is not the one given out.
        case keyIndexMismatch
        /// Details or account signature are not those that were sent.
        case identityChanged
        case deviceSignatureInvalid
    }

    package let keyIndex: UInt32
    package let companionIdentity: Bytes
    /// Details and account signature, no device signature yet.
    package let signedIdentity: DeviceIdentity.Signed
    /// The serialized `ADVSignedDeviceIdentityHMAC`: content of `<device-identity>` in `pair-success`.
    package let container: Bytes

    /// An approval made earlier.
    package init(
        keyIndex: UInt32, companionIdentity: Bytes, signedIdentity: DeviceIdentity.Signed, container: Bytes
    ) {
        self.keyIndex = keyIndex
        self.companionIdentity = companionIdentity
        self.signedIdentity = signedIdentity
        self.container = container
    }

    /// Signs `companion` as number `details.keyIndex` of the account. `random` is the 64 bytes of the XEdDSA signature.
    package init(
        approving companion: Companion, details: DeviceIdentity.Details, account: KeyPair, random: Bytes
    ) {
        var details = details
        details.isHosted = companion.isHosted
        let detailBytes = details.serialized()
        let prefix =
            companion.isHosted
            ? DeviceIdentity.Prefix.hostedAccountSignature : DeviceIdentity.Prefix.accountSignature
        let signature = account.privateKey.sign(prefix + detailBytes + companion.identityPublic, random: random)
        keyIndex = details.keyIndex
        companionIdentity = companion.identityPublic
        signedIdentity = DeviceIdentity.Signed(
            details: detailBytes, accountSignatureKey: account.publicKey.raw, accountSignature: signature)
        container = DeviceIdentity.Container(
            sealing: signedIdentity, advSecret: companion.advSecret, isHosted: companion.isHosted
        ).serialized()
    }

    /// Checks the content of `<pair-device-sign><device-identity key-index=…>` and returns the complete identity,
    /// account key included, as it is to be stored.
    package func complete(reply: Bytes, keyIndex replyKeyIndex: UInt32?) throws(ReplyError) -> DeviceIdentity.Signed {
        guard replyKeyIndex == keyIndex else { throw .keyIndexMismatch }
        guard var signed = try? DeviceIdentity.Signed(parsing: reply),
            let companion = try? PublicKey(raw: companionIdentity),
            let accountKey = signedIdentity.accountSignatureKey
        else { throw .malformed }
        guard signed.details == signedIdentity.details, signed.accountSignature == signedIdentity.accountSignature
        else { throw .identityChanged }
        signed.accountSignatureKey = accountKey
        guard signed.isSigned(byCompanion: companion, for: accountKey) else { throw .deviceSignatureInvalid }
        return signed
    }
}

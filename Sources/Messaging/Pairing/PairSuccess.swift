import Cryptography
import Transport

/// The server's `pair-success` (02-pairing-login, section 7.1).
///
/// ```
/// <iq from="s.whatsapp.net" id type="set" xmlns="md" t>
///   <pair-success><device-identity>container</device-identity><device jid lid/><platform name/>[<biz name/>]</pair-success>
/// </iq>
/// ```
package struct PairSuccess: Sendable, Equatable {
    package var id: String
    /// Own addresses, with device ≥ 1.
    package var jid: JID
    package var lid: JID
    /// Server time, Unix seconds, for the clock offset.
    package var timestamp: Int64?
    package var platform: String
    package var businessName: String
    package var container: [UInt8]

    /// Throws `PairingError.malformed`.
    package init(stanza: Stanza) throws(PairingError) {
        guard let id = stanza.id, let body = stanza.child("pair-success") else {
            throw .malformed("pair-success without id or body")
        }
        guard let container = body.child("device-identity")?.bytesContent, (1...4096).contains(container.count) else {
            throw .malformed("pair-success without device identity")
        }
        guard let device = body.child("device"), let jid = device.jid("jid"), jid.server == .user, !jid.user.isEmpty,
            jid.device >= 1
        else { throw .malformed("pair-success without own address") }
        guard let lid = device.jid("lid"), lid.isLID, !lid.user.isEmpty, lid.device == jid.device else {
            throw .malformed("pair-success without own LID")
        }
        self.id = id
        self.jid = jid
        self.lid = lid
        timestamp = stanza.int("t").map(Int64.init)
        platform = body.child("platform")?["name"] ?? ""
        businessName = body.child("biz")?["name"] ?? ""
        self.container = container
    }

    /// Whether the container was made with this secret; false also when it cannot be read.
    package func isAuthentic(advSecret: SecretBytes) -> Bool {
        (try? SignedDeviceIdentityContainer(parsing: container))?.isAuthentic(advSecret: advSecret) ?? false
    }

    /// Steps 1 to 5 of 02, section 7.4: authenticates the container, checks the account's signature, signs in return.
    package func verified(
        advSecret: SecretBytes, identity: KeyPair, random: [UInt8]
    ) throws(PairingError) -> VerifiedPairing {
        let container: SignedDeviceIdentityContainer
        do {
            container = try SignedDeviceIdentityContainer(parsing: self.container)
        } catch { throw .malformed("device identity container is no protobuf") }
        guard container.isAuthentic(advSecret: advSecret) else { throw .hmacMismatch }
        var signed: SignedDeviceIdentity
        let details: DeviceIdentityDetails
        do {
            signed = try SignedDeviceIdentity(parsing: container.details)
            details = try signed.identityDetails()
        } catch { throw .malformed("device identity is no protobuf") }
        let publicIdentity = identity.publicKey.raw
        guard let accountKey = signed.accountSignatureKey, signed.isSignedByAccount(device: publicIdentity) else {
            throw .signatureMismatch
        }
        let message = SignaturePrefix.device + signed.details + publicIdentity + accountKey
        let signature = identity.privateKey.sign(message, random: random)
        signed.deviceSignature = signature
        return VerifiedPairing(
            account: AccountIdentity(
                details: signed.details, accountSignature: signed.accountSignature, accountSignatureKey: accountKey,
                deviceSignature: signature),
            keyIndex: details.keyIndex)
    }
}

/// A pairing whose proofs hold.
package struct VerifiedPairing: Sendable, Equatable {
    package var account: AccountIdentity
    package var keyIndex: UInt32
}

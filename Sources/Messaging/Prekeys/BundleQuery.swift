import Cryptography
import Signal
import Transport

/// Fetching the prekey bundles of other devices (02-pairing-login, section 15.7).
package enum BundleQuery {
    /// Devices per request.
    package static let batchCount = 50

    /// `<iq xmlns="encrypt" type="get"><key><user jid reason="identity"/>…</key></iq>`
    package static func make(id: String, devices: [JID]) -> Stanza {
        let users = devices.map { Stanza("user", ["jid": .jid($0), "reason": "identity"]) }
        return IQ.get(id: id, namespace: "encrypt", Stanza("key", children: users))
    }

    /// The bundles of an answer by the address asked. Devices the server refuses, or whose bundle is malformed, badly signed
    /// or vouched for by the wrong account, are left out. Throws `malformedAnswer` for an answer without a list.
    package static func bundles(
        of answer: Stanza, accountKey: (JID) -> PublicKey? = { _ in nil }
    ) throws(SessionError) -> [JID: PreKeyBundle] {
        guard let list = answer.child("list") else { throw .malformedAnswer("no bundle list") }
        var bundles: [JID: PreKeyBundle] = [:]
        for user in list.children("user") where user.child("error") == nil {
            guard let jid = user.jid("jid"), let bundle = PreKeyBundle(node: user, device: jid) else { continue }
            bundles[jid] = bundle
        }
        for user in list.children("user") {
            guard let jid = user.jid("jid"), let bundle = bundles[jid] else { continue }
            // The phone's identity in the same answer is newer than the one that is known.
            let account = bundles[jid.bare]?.identityKey ?? accountKey(jid)
            if !isVouched(user, identity: bundle.identityKey, accountKey: account) { bundles[jid] = nil }
        }
        return bundles
    }

    /// Checks a `<device-identity>` that came along as the official client does: signed by the account in the blob or known
    /// here, and by the device; where both are there, they are one. Nothing known and nothing in the blob: accepted
    /// (02, section 17.1).
    private static func isVouched(_ user: Stanza, identity: PublicKey, accountKey: PublicKey?) -> Bool {
        guard let bytes = user.child("device-identity")?.bytesContent else { return true }
        guard let signed = try? SignedDeviceIdentity(parsing: bytes) else { return false }
        if signed.accountSignatureKey == nil, accountKey == nil { return true }
        if let claimed = signed.accountSignatureKey, let accountKey, claimed != accountKey.raw { return false }
        return signed.isSignedByAccount(device: identity.raw, accountKey: accountKey?.raw)
            && signed.isSignedByDevice(device: identity.raw, accountKey: accountKey?.raw)
    }
}

extension PreKeyBundle {
    /// From a `<user>` of a bundle answer or the `<keys>` of a retry receipt (whose `<registration>` is given apart).
    /// Nil unless registration has 4 bytes, keys 32, ids 3 and the signature 64.
    package init?(node: Stanza, device: JID, registration: Stanza? = nil) {
        let keys = node.child("keys") ?? node
        guard let registrationID = (registration ?? node.child("registration"))?.number(bytes: 4),
            let identity = keys.child("identity")?.publicKey, let signed = keys.child("skey"),
            let signedID = signed.child("id")?.number(bytes: 3), let signedKey = signed.child("value")?.publicKey,
            let signature = signed.child("signature")?.bytesContent, signature.count == 64
        else { return nil }
        self.init(
            registrationID: registrationID, deviceID: UInt32(device.device), identityKey: identity,
            signedPreKeyID: signedID, signedPreKey: signedKey, signedPreKeySignature: signature)
        if let oneTime = keys.child("key") {
            guard let id = oneTime.child("id")?.number(bytes: 3), let key = oneTime.child("value")?.publicKey else {
                return nil
            }
            (oneTimePreKeyID, oneTimePreKey) = (id, key)
        }
    }
}

extension Stanza {
    /// A big-endian number of exactly `count` bytes.
    func number(bytes count: Int) -> UInt32? {
        guard let bytes = bytesContent, bytes.count == count else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// A 32-byte key.
    var publicKey: PublicKey? { bytesContent.flatMap { try? PublicKey(raw: $0) } }
}

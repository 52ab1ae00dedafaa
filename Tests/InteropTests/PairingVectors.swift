import Cryptography
import Sandbox
import Testing

/// `pairing.json` from the side of the phone and the server, with the companion's pure computations beside them.
@Suite struct PairingVectors {
    @Test("every linking that a real client went through is computed alike by the phone")
    func everyCase() throws {
        try VectorFile("pairing").run { vector in
            switch try vector.string("name") {
            case "qr pairing": try checkQRPairing(vector, isHosted: false)
            case "qr pairing, hosted account": try checkQRPairing(vector, isHosted: true)
            case "qr pairing refused: container HMAC damaged": try checkDamagedContainer(vector)
            case "qr pairing refused: account signature damaged": try checkDamagedSignature(vector)
            case "code pairing": try checkCodePairing(vector)
            case "qr text": try checkQRText(vector)
            case "account signature": try checkAccountSignature(vector)
            case let other: throw vector.unknown(other)
            }
        }
    }

    private func keyPair(_ vector: VectorCase, _ name: String) throws -> KeyPair {
        let object = try vector.object(name)
        let pair = KeyPair(privateKey: try PrivateKey(raw: object.hex("private")))
        #expect(pair.publicKey.raw == (try object.hex("public")))
        return pair
    }

    private func checkQRPairing(_ vector: VectorCase, isHosted: Bool) throws {
        let identity = try keyPair(vector, "identity_key")
        let noise = try keyPair(vector, "noise_key")
        for text in try vector.strings("qr_codes") {
            let qr = try LinkingQRText(text)
            #expect(qr.noisePublic == noise.publicKey.raw)
            #expect(qr.identityPublic == identity.publicKey.raw)
            #expect(qr.advSecret == (try vector.hex("adv_secret")))
            #expect(qr.reference.hasPrefix("2@"))
            #expect(qr.text == text)
        }
        let signedPreKey = try vector.object("signed_prekey")
        let preKey = try PublicKey(raw: signedPreKey.hex("public"))
        #expect(identity.publicKey.verify(signature: try signedPreKey.hex("signature"), of: preKey.serialized))
        try checkApproval(vector, advSecret: vector.hex("adv_secret"), isHosted: isHosted)
    }

    /// From the phone's details to the identity that the server stores.
    private func checkApproval(_ vector: VectorCase, advSecret: [UInt8], isHosted: Bool) throws {
        let success = try vector.object("pair_success")
        let identity = try keyPair(vector, "identity_key")
        let account = try keyPair(success, "account")
        let details = try DeviceIdentity.Details(parsing: success.hex("details"))
        #expect(details.isHosted == isHosted)
        #expect(details.serialized() == (try success.hex("details")))
        let signed = try DeviceIdentity.Signed(parsing: success.hex("signed_device_identity"))
        #expect(signed.accountSignatureKey == account.publicKey.raw)
        #expect(signed.accountSignature == (try success.hex("account_signature")))
        #expect(signed.isSigned(byAccount: account.publicKey, for: identity.publicKey.raw))
        #expect(!signed.isSigned(byAccount: identity.publicKey, for: identity.publicKey.raw))
        let container = DeviceIdentity.Container(sealing: signed, advSecret: advSecret, isHosted: isHosted)
        #expect(container.hmac == (try success.hex("hmac")))
        #expect(container.serialized() == (try success.hex("container")))
        let received = try DeviceIdentity.Container(parsing: success.hex("container"))
        #expect(received.isAuthentic(advSecret: advSecret))

        let ours = CompanionApproval(
            approving: .init(identityPublic: identity.publicKey.raw, advSecret: advSecret, isHosted: isHosted),
            details: details, account: account, random: [UInt8](repeating: 7, count: 64))
        #expect(ours.signedIdentity.details == signed.details)
        #expect(ours.signedIdentity.isSigned(byAccount: account.publicKey, for: identity.publicKey.raw))

        let reply = try vector.object("pair_device_sign")
        let signature = identity.privateKey.sign(
            try reply.hex("device_signature_message"), random: try reply.hex("device_signature_random64"))
        #expect(signature == (try reply.hex("device_signature")))
        let approval = CompanionApproval(
            keyIndex: details.keyIndex, companionIdentity: identity.publicKey.raw, signedIdentity: signed,
            container: container.serialized())
        let sent = try reply.hex("sent_device_identity")
        let complete = try approval.complete(reply: sent, keyIndex: details.keyIndex)
        #expect(complete.serialized() == (try reply.hex("stored_device_identity")))
        #expect(throws: CompanionApproval.ReplyError.keyIndexMismatch) {
            try approval.complete(reply: sent, keyIndex: details.keyIndex + 1)
        }
        var forged = try DeviceIdentity.Signed(parsing: sent)
        forged.deviceSignature?[3] ^= 1
        #expect(throws: CompanionApproval.ReplyError.deviceSignatureInvalid) {
            try approval.complete(reply: forged.serialized(), keyIndex: details.keyIndex)
        }
    }

    private func checkDamagedContainer(_ vector: VectorCase) throws {
        let container = try DeviceIdentity.Container(parsing: vector.object("pair_success").hex("container"))
        #expect(!container.isAuthentic(advSecret: try vector.hex("adv_secret")))
    }

    private func checkDamagedSignature(_ vector: VectorCase) throws {
        let success = try vector.object("pair_success")
        let container = try DeviceIdentity.Container(parsing: success.hex("container"))
        #expect(container.isAuthentic(advSecret: try vector.hex("adv_secret")))
        let signed = try DeviceIdentity.Signed(parsing: container.details)
        let account = try keyPair(success, "account")
        let identity = try keyPair(vector, "identity_key")
        #expect(!signed.isSigned(byAccount: account.publicKey, for: identity.publicKey.raw))
    }

    private func checkCodePairing(_ vector: VectorCase) throws {
        let code = try #require(LinkCode(random: try vector.hex("code_random5")))
        #expect(code.characters == (try vector.string("code")))
        #expect(code.shown == (try vector.string("code_shown")))
        #expect(LinkCode(typed: code.shown.lowercased()) == code)

        let hello = try vector.object("companion_hello")
        let companionEphemeral = try keyPair(hello, "ephemeral")
        #expect(code.key(salt: try hello.hex("salt")) == (try hello.hex("link_code_key")))
        #expect(
            try code.wrap(companionEphemeral.publicKey, salt: hello.hex("salt"), iv: hello.hex("iv"))
                == hello.hex("wrapped_companion_ephemeral_pub"))

        let primary = try vector.object("primary_hello")
        let account = try keyPair(primary, "identity")
        let pairing = try LinkCodePairing(
            code: code, wrappedCompanionEphemeral: hello.hex("wrapped_companion_ephemeral_pub"),
            randomness: .init(
                ephemeral: keyPair(primary, "ephemeral"), salt: primary.hex("salt"), iv: primary.hex("iv")))
        #expect(pairing.wrappedEphemeral == (try primary.hex("wrapped_primary_ephemeral_pub")))

        let finish = try vector.object("companion_finish")
        let bundle = try finish.hex("wrapped_key_bundle")
        let identity = try finish.hex("companion_identity_public")
        let secret = try pairing.finish(wrappedBundle: bundle, companionIdentity: identity, account: account)
        #expect(secret == (try vector.hex("adv_secret")))
        var damaged = bundle
        damaged[60] ^= 1
        #expect(throws: LinkCodePairing.FinishError.wrongCode) {
            try pairing.finish(wrappedBundle: damaged, companionIdentity: identity, account: account)
        }
        #expect(throws: LinkCodePairing.FinishError.identityMismatch) {
            try pairing.finish(wrappedBundle: bundle, companionIdentity: account.publicKey.raw, account: account)
        }
        try checkApproval(vector, advSecret: secret, isHosted: false)
    }

    private func checkQRText(_ vector: VectorCase) throws {
        let text = try vector.string("qr")
        let qr = try LinkingQRText(text)
        #expect(qr.reference == (try vector.string("ref")))
        #expect(qr.noisePublic == (try vector.hex("noise_public")))
        #expect(qr.identityPublic == (try vector.hex("identity_public")))
        #expect(qr.advSecret == (try vector.hex("adv_secret")))
        #expect(qr.clientType == (try vector.string("client_type")))
        #expect(qr.text == text)
    }

    private func checkAccountSignature(_ vector: VectorCase) throws {
        let account = try keyPair(vector, "account")
        let companion = try keyPair(vector, "companion_identity")
        let isHosted = try vector.bool("hosted")
        let container = try DeviceIdentity.Container(parsing: vector.hex("container"))
        #expect(container.isAuthentic(advSecret: try vector.hex("adv_secret")))
        #expect(container.hmac == (try vector.hex("hmac")))
        let signed = try DeviceIdentity.Signed(parsing: container.details)
        #expect(signed.serialized() == (try vector.hex("signed_device_identity")))
        #expect(signed.details == (try vector.hex("details")))
        let prefix: [UInt8] = isHosted ? [6, 5] : [6, 0]
        #expect(prefix + signed.details + companion.publicKey.raw == (try vector.hex("account_message")))
        #expect(
            signed.isSigned(byAccount: account.publicKey, for: companion.publicKey.raw) == (try vector.bool("valid")))
        #expect(
            signed.isSigned(byAccount: account.publicKey, for: account.publicKey.raw)
                == (try vector.bool("valid_for_other_companion")))
        let other = (isHosted ? [6, 0] : [6, 5]) + signed.details + companion.publicKey.raw
        #expect(
            account.publicKey.verify(signature: signed.accountSignature, of: other)
                == (try vector.bool("valid_with_other_prefix")))
    }
}

import Cryptography
import Messaging
import Testing
import Transport

/// `pairing.json` from the side of the companion: our own code goes through every linking that a real client went through.
@Suite struct PairingClientVectors {
    @Test("every linking of a real client is computed alike by ours")
    func everyCase() throws {
        try VectorFile("pairing").run { vector in
            switch try vector.string("name") {
            case "qr pairing", "qr pairing, hosted account": try checkQR(vector)
            case "qr pairing refused: container HMAC damaged": try checkRefusal(vector, .hmacMismatch)
            case "qr pairing refused: account signature damaged": try checkRefusal(vector, .signatureMismatch)
            case "code pairing": try checkCode(vector)
            case "qr text":
                let text = QRText.make(
                    ref: try vector.string("ref"), noisePublic: try vector.hex("noise_public"),
                    identityPublic: try vector.hex("identity_public"),
                    advSecret: SecretBytes(try vector.hex("adv_secret")),
                    clientType: try #require(ClientType(rawValue: try vector.string("client_type"))))
                #expect(text == (try vector.string("qr")))
            case "account signature": try checkSignature(vector)
            case let other: throw vector.unknown(other)
            }
        }
    }

    private func identity(_ vector: VectorCase) throws -> KeyPair {
        KeyPair(privateKey: try PrivateKey(raw: try vector.object("identity_key").hex("private")))
    }

    private func pairSuccess(_ vector: VectorCase) throws -> PairSuccess {
        let success = try vector.object("pair_success")
        let jid = try #require(JID(try success.string("jid")))
        let lid = try #require(JID(try success.string("lid")))
        return try PairSuccess(
            stanza: Stanza(
                "iq", ["id": "1", "from": .jid(.serverJID), "type": "set", "xmlns": "md", "t": "1700000000"],
                children: [
                    Stanza(
                        "pair-success",
                        children: [
                            Stanza("device-identity", bytes: try success.hex("container")),
                            Stanza("device", ["jid": .jid(jid), "lid": .jid(lid)]),
                            Stanza("platform", ["name": "android"]),
                        ])
                ]))
    }

    private func checkQR(_ vector: VectorCase) throws {
        let identity = try identity(vector)
        let noise = try PrivateKey(raw: try vector.object("noise_key").hex("private"))
        for text in try vector.strings("qr_codes") {
            let ref = String(text.drop { $0 != "#" }.dropFirst().prefix { $0 != "," })
            let ours = QRText.make(
                ref: ref, noisePublic: noise.publicKey.raw, identityPublic: identity.publicKey.raw,
                advSecret: SecretBytes(try vector.hex("adv_secret")), clientType: .otherWeb)
            #expect(ours == text)
        }
        try checkReply(vector, advSecret: SecretBytes(try vector.hex("adv_secret")))
    }

    /// From the container to the reply and to what is kept.
    private func checkReply(_ vector: VectorCase, advSecret: SecretBytes) throws {
        let reply = try vector.object("pair_device_sign")
        let verified = try pairSuccess(vector).verified(
            advSecret: advSecret, identity: try identity(vector),
            random: try reply.hex("device_signature_random64"))
        let signed = SignedDeviceIdentity(verified.account)
        #expect(signed.deviceSignature == (try reply.hex("device_signature")))
        #expect(signed.serialized(withAccountKey: false) == (try reply.hex("sent_device_identity")))
        #expect(signed.serialized() == (try reply.hex("stored_device_identity")))
        #expect(signed.isSignedByDevice(device: try identity(vector).publicKey.raw))
        let stanza = PairingStanzas.pairDeviceSign(id: "1", pairing: verified)
        #expect(
            stanza.child("pair-device-sign", "device-identity")?.bytesContent
                == (try reply.hex("sent_device_identity")))
    }

    private func checkRefusal(_ vector: VectorCase, _ expected: PairingError) throws {
        let success = try pairSuccess(vector)
        let (secret, identity) = (SecretBytes(try vector.hex("adv_secret")), try identity(vector))
        #expect(throws: expected) {
            try success.verified(advSecret: secret, identity: identity, random: [UInt8](repeating: 0, count: 64))
        }
        #expect(expected.text == (try vector.string("error")))
    }

    private func checkCode(_ vector: VectorCase) throws {
        let code = LinkCode.text(random: try vector.hex("code_random5"))
        #expect(code == (try vector.string("code")))
        #expect(LinkCode.shown(code) == (try vector.string("code_shown")))
        #expect(LinkCode.normalized(try vector.string("code_shown").lowercased()) == code)

        let hello = try vector.object("companion_hello")
        let ephemeral = try PrivateKey(raw: try hello.object("ephemeral").hex("private"))
        let wrapped = try LinkCode.wrap(
            ephemeral.publicKey.raw, code: code, salt: try hello.hex("salt"), iv: try hello.hex("iv"))
        #expect(wrapped == (try hello.hex("wrapped_companion_ephemeral_pub")))

        let primary = try vector.object("primary_hello")
        let primaryEphemeral = try LinkCode.unwrap(
            try primary.hex("wrapped_primary_ephemeral_pub"), code: code)
        #expect(primaryEphemeral.raw == (try primary.object("ephemeral").hex("public")))
        let account = try PublicKey(raw: try vector.object("pair_success").object("account").hex("public"))

        let finish = try vector.object("companion_finish")
        let ours = try LinkCode.finish(
            ephemeral: ephemeral, primaryEphemeral: primaryEphemeral, identity: try identity(vector),
            primaryIdentity: account,
            random: LinkCode.FinishRandom(
                salt: try finish.hex("bundle_salt"), nonce: try finish.hex("bundle_nonce"),
                secret: try finish.hex("adv_secret_random")))
        #expect(ours.wrappedBundle == (try finish.hex("wrapped_key_bundle")))
        let shared = try ephemeral.agree(with: primaryEphemeral)
        #expect(shared.bytes == (try finish.hex("ephemeral_shared_secret")))
        let identities = try identity(vector).privateKey.agree(with: account)
        #expect(identities.bytes == (try finish.hex("identity_shared_secret")))
        #expect(try identity(vector).publicKey.raw == finish.hex("companion_identity_public"))
        // What the phone does with the bundle: salt, nonce, ciphertext under a key of the ephemeral secret.
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared, salt: try finish.hex("bundle_salt"),
            info: Array("link_code_pairing_key_bundle_encryption_key".utf8), count: 32)
        #expect(key == (try finish.hex("bundle_key")))
        let bundle = try AESGCM.open(ours.wrappedBundle.dropFirst(44), key: key, nonce: finish.hex("bundle_nonce"))
        #expect(bundle == (try finish.hex("bundle_plaintext")))
        #expect(ours.advSecret.bytes == (try vector.hex("adv_secret")))
        try checkReply(vector, advSecret: ours.advSecret)
    }

    private func checkSignature(_ vector: VectorCase) throws {
        let identity = try vector.object("companion_identity").hex("public")
        let container = try SignedDeviceIdentityContainer(parsing: try vector.hex("container"))
        #expect(container.isAuthentic(advSecret: SecretBytes(try vector.hex("adv_secret"))))
        #expect(container.isHosted == (try vector.bool("hosted")))
        #expect(container.details == (try vector.hex("signed_device_identity")))
        let signed = try SignedDeviceIdentity(parsing: container.details)
        #expect(signed.isSignedByAccount(device: identity) == (try vector.bool("valid")))
        var other = identity
        other[0] ^= 1
        #expect(signed.isSignedByAccount(device: other) == (try vector.bool("valid_for_other_companion")))
    }
}

import Cryptography
import Testing

@testable import Signal

private func hex(_ text: String) -> Bytes { Hex.decode(text) ?? [] }

@Suite("Known answers of 03-signal, section 16")
struct KnownAnswerTests {
    private func secret(_ text: String) -> SecretBytes { SecretBytes(hex(text)) }

    /// Private key = clamp(SHA-256(label)) (section 16.4).
    private func key(_ label: String) throws -> KeyPair {
        var scalar = SHA256Digest.hash(Bytes("kat/\(label)".utf8))
        scalar[0] &= 0xF8
        scalar[31] = scalar[31] & 0x7F | 0x40
        return try KeyPair(privateKey: PrivateKey(raw: scalar))
    }

    private let hello = hex("0a0568656c6c6f030303")
    private let world = hex("0a05776f726c6401")
    private let ho = hex("0a02686f0202")

    @Test("the labelled keys are the listed ones (16.4)")
    func fixedKeys() throws {
        #expect(
            try key("alice-identity").publicKey.raw
                == hex("ceeec80bbed1274709a6faaadf1af726fbae288222a005e43547083a6bcd504d"))
        #expect(
            try key("bob-signed-prekey").publicKey.raw
                == hex("1fe56368d50e4bb4cdde125424d315569bce25a61f375afc854eb1b8716b7f23"))
        #expect(
            try key("sender-signing").publicKey.raw
                == hex("3eef49413741c135c996a483d19d330625219065b9f58deb7ed0556625b48137"))
        #expect(
            try key("alice-ratchet-2").privateKey.secret.bytes
                == hex("08d1d555d72d336cfec801195e073298aeaac9d44dd95d764a1701c0f71eff72"))
    }

    @Test("a chain step gives the known message keys and next chain key (16.3)")
    func chainStep() throws {
        var engine = HMACEngine(.sha256)
        let chain = ChainKey(
            key: secret("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f"), index: 0)
        let expanded = chain.seed(&engine).withUnsafeBytes { seed in
            HKDFSHA256.derive(inputKeyMaterial: Bytes(seed), info: Bytes("WhisperMessageKeys".utf8), count: 80)
        }
        #expect(
            Hex.encode(expanded)
                == "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"
                + "c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"
                + "afa8207986b692a116d4b40bbff72d6c")
        let next = chain.next(&engine)
        #expect(next.key == secret("28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"))
        #expect(next.index == 1)
    }

    @Test("X3DH gives the known root and chain keys, with and without a one-time prekey (16.6)")
    func x3dh() throws {
        var engine = HMACEngine(.sha256)
        let (alice, base) = (try key("alice-identity"), try key("alice-base"))
        let (bob, signed, oneTime) = (
            try key("bob-identity"), try key("bob-signed-prekey"), try key("bob-one-time-prekey")
        )
        var agreements = [
            (alice.privateKey, signed.publicKey), (base.privateKey, bob.publicKey), (base.privateKey, signed.publicKey),
        ]
        let bare = try X3DH.derive(agreements, &engine)
        #expect(bare.root == secret("661f59307f1dffb7d3337c441932b1e25240af5ae5810e35803088204e9a3478"))
        #expect(bare.chain.key == secret("2c6f2e79daab55ff20c6fa86fb566ea07b2d55003ae3ddca37e568795b501b08"))
        agreements.append((base.privateKey, oneTime.publicKey))
        let full = try X3DH.derive(agreements, &engine)
        #expect(full.root == secret("50588ca13cf2653e4a2742aa382c7e9093008bb442665f75ace6635837aefe3b"))
        #expect(full.chain.key == secret("e8f8e920a8c01498848dbc856d383048641f83200db52a17f7e85ab41eadd260"))
    }

    /// The two ends of the conversation of section 16.7, before its first message.
    private struct Conversation {
        var alice = SessionRecord()
        var bob = SessionRecord()
        let bobIdentity: KeyPair
        let signedPreKey: KeyPair
        let oneTimePreKey: KeyPair
        let bobRatchet: KeyPair
    }

    private func conversation() throws -> Conversation {
        let (bob, signed, oneTime) = (
            try key("bob-identity"), try key("bob-signed-prekey"), try key("bob-one-time-prekey")
        )
        var conversation = Conversation(
            bobIdentity: bob, signedPreKey: signed, oneTimePreKey: oneTime, bobRatchet: try key("bob-ratchet-1"))
        let bundle = PreKeyBundle(
            registrationID: 1, deviceID: 0, identityKey: bob.publicKey, signedPreKeyID: 1,
            signedPreKey: signed.publicKey,
            signedPreKeySignature: bob.privateKey.sign(signed.publicKey.serialized, random: Bytes(0..<64)),
            oneTimePreKeyID: 7, oneTimePreKey: oneTime.publicKey)
        let draws = Prescribed([
            try key("alice-base").privateKey.secret.bytes, try key("alice-ratchet-1").privateKey.secret.bytes,
        ])
        try SessionBuilder.process(
            bundle: bundle, record: &conversation.alice, identity: key("alice-identity"), registrationID: 5752,
            random: draws)
        return conversation
    }

    private func bobReceives(_ bytes: Bytes, _ conversation: inout Conversation) throws -> Bytes {
        let message = try PreKeySignalMessage(parsing: bytes)
        return try SessionCipher.decrypt(
            message, record: &conversation.bob, identity: conversation.bobIdentity, registrationID: 1,
            signedPreKey: message.signedPreKeyID == 1 ? conversation.signedPreKey : nil,
            oneTimePreKey: message.preKeyID == 7 ? conversation.oneTimePreKey : nil,
            random: Prescribed([conversation.bobRatchet.privateKey.secret.bytes])
        ).plaintext
    }

    private let whisper0 = hex(
        "330a2105ecb6456fb2b6ced9d13e89f78fd77262e1e8f19b32d66c2e40e8cc8e1ec22f7810001800221018ddd1b499f83c93e8099933dd50b683186c62e494bc701c"
    )
    private let preKey0 = hex(
        "330807122105d3b80e65533c474ceb0e201f695c2b02d65615722680bde4bd3a79e37608590f1a2105ceeec80bbed1274709a6faaadf1af726fbae288222a005e43547083a6bcd504d2242330a2105ecb6456fb2b6ced9d13e89f78fd77262e1e8f19b32d66c2e40e8cc8e1ec22f7810001800221018ddd1b499f83c93e8099933dd50b683186c62e494bc701c28f82c3001"
    )
    private let preKey1 = hex(
        "330807122105d3b80e65533c474ceb0e201f695c2b02d65615722680bde4bd3a79e37608590f1a2105ceeec80bbed1274709a6faaadf1af726fbae288222a005e43547083a6bcd504d2242330a2105ecb6456fb2b6ced9d13e89f78fd77262e1e8f19b32d66c2e40e8cc8e1ec22f78100118002210a5edbd521dd0fe42d9d6d1dc43c01e755797fd01525a30db28f82c3001"
    )
    private let bobWhisper0 = hex(
        "330a2105e2b166467e6fde498245024fac974fe6be7acbc0596cea594b62e0046d11326b100018002210690e2556796d71fdaa8e3f2233c8d0b9d37a7a3e535f9b3c"
    )
    private let bobWhisper0Wrapped = hex(
        "330a2105e2b166467e6fde498245024fac974fe6be7acbc0596cea594b62e0046d11326b100018ffffffff0f2210690e2556796d71fdaa8e3f2233c8d0b9fa45b1ef5a6671da"
    )
    private let whisper2 = hex(
        "330a21050e6243130814a961df0f76f4d736eac7b1f7d9aa6daafae31381e8339934d85d1000180122101ddee1ae5357d3a2a773963f65901005c5aef4d743c7a0b1"
    )

    @Test("the conversation runs byte for byte, in order (16.7)")
    func conversationInOrder() throws {
        var talk = try conversation()
        let first = try SessionCipher.encrypt(hello, record: &talk.alice)
        #expect(first.type == .preKey)
        #expect(first.bytes == preKey0)
        #expect(try PreKeySignalMessage(parsing: first.bytes).message == SignalMessage(parsing: whisper0))
        #expect(try SessionCipher.encrypt(world, record: &talk.alice).bytes == preKey1)

        #expect(try bobReceives(preKey0, &talk) == hello)
        #expect(talk.bob.current?.rootKey == secret("981cee85d1bd72e8ac0f1e7a266949333c265a010ec0e36fcacc53cf8c6115d8"))
        #expect(
            talk.bob.current?.sender.chain.live.key
                == secret("f6cca13c442e41ab039c7ebb2b83435dc87554469f0a4caaf58f89370f0cff2c"))
        #expect(try bobReceives(preKey1, &talk) == world)
        let answer = try SessionCipher.encrypt(ho, record: &talk.bob)
        #expect(answer.type == .whisper)
        #expect(answer.bytes == bobWhisper0)

        let draws = Prescribed([try key("alice-ratchet-2").privateKey.secret.bytes])
        let received = try SessionCipher.decrypt(
            SignalMessage(parsing: answer.bytes), record: &talk.alice, random: draws)
        #expect(received.plaintext == ho)
        #expect(
            talk.alice.current?.rootKey == secret("55efd86aa159db38a456202f2252f26eb3cf5701e004aa1564b79125cd71247b"))
        let third = try SessionCipher.encrypt(hello, record: &talk.alice)
        #expect(third.type == .whisper)
        #expect(third.bytes == whisper2)
    }

    @Test(
        "the second pkmsg decrypts before the first; a repeated one is a duplicate; flipped bits change nothing (16.7)")
    func conversationOutOfOrder() throws {
        var talk = try conversation()
        _ = try SessionCipher.encrypt(hello, record: &talk.alice)
        for bit in 0..<preKey1.count * 8 {
            var damaged = preKey1
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            // The registration id is not authenticated, and the low version nibble is not looked at.
            let registration = (preKey1.count - 5) * 8..<(preKey1.count - 2) * 8
            if registration.contains(bit) || bit < 4 { continue }
            let before = talk.bob.serialized()
            #expect(throws: SignalError.self, "bit \(bit)") { try bobReceives(damaged, &talk) }
            #expect(talk.bob.serialized() == before)
        }
        #expect(try bobReceives(preKey1, &talk) == world)
        #expect(talk.bob.current?.receivers.first?.chain.skipped.count == 1)
        #expect(try bobReceives(preKey0, &talk) == hello)
        #expect(throws: SignalError.duplicateMessage(counter: 0)) { try bobReceives(preKey0, &talk) }
        #expect(throws: SignalError.duplicateMessage(counter: 1)) { try bobReceives(preKey1, &talk) }
    }

    @Test("a first answer with the reference's wrapped previous counter decrypts too (16.7)")
    func wrappedPreviousCounter() throws {
        var talk = try conversation()
        _ = try SessionCipher.encrypt(hello, record: &talk.alice)
        let message = try SignalMessage(parsing: bobWhisper0Wrapped)
        #expect(message.previousCounter == .max)
        #expect(try SessionCipher.decrypt(message, record: &talk.alice, random: SystemRandom()).plaintext == ho)
    }

    @Test("sender keys give the known distributions and messages (16.8)")
    func senderKey() throws {
        var own = SenderKeyRecord()
        let chainKey = SecretBytes(SHA256Digest.hash(Bytes("kat/sender-chain".utf8)))
        let signing = try key("sender-signing")
        let distribution = GroupCipher.start(keyID: 0x1122_3344, chainKey: chainKey, signing: signing, record: &own)
        #expect(
            Hex.encode(distribution.serialized())
                == "3308c4e688890110001a202c8dbd3c92c8c4eb9ddb337ea640b942d3a2a276ecc928c3907ffac1913441f62221053eef49413741c135c996a483d19d330625219065b9f58deb7ed0556625b48137"
        )
        var member = SenderKeyRecord()
        try GroupCipher.process(distribution, record: &member)
        let random = Bytes(0..<64)
        let first = try GroupCipher.encrypt(hello, record: &own, random: Prescribed([random]))
        #expect(
            Hex.encode(first.bytes)
                == "3308c4e688890110001a10d5448789c33b0700a6c3569c55ac3d77f87410bd1ce9adbee0441c3ab3112126894ea445709fde1294d437ebb6771a861804fc34bc521bbacce543de1f4b9d985424aa0d2a6aa2bc797351776de2d00e"
        )
        let second = try GroupCipher.encrypt(world, record: &own, random: Prescribed([random]))
        #expect(
            Hex.encode(second.bytes)
                == "3308c4e688890110011a10567311b6ecb039fe26a9f28d7331835538e7f8ae8c653cbd33c4422c69f8f3cecc1d196f56074f9b9cef462ea0da7d2733c4dc54bf696ca303d2736ef0ba6e59e4473456a21370aad0c848bc205b1105"
        )
        let later = GroupCipher.createDistribution(record: &own, random: SystemRandom())
        #expect(
            Hex.encode(later.serialized())
                == "3308c4e688890110021a20ccec4a7778c1256e07789ec9d80193de01b3d68cd6e140ab84da530f1caa9d5c2221053eef49413741c135c996a483d19d330625219065b9f58deb7ed0556625b48137"
        )
        #expect(try GroupCipher.decrypt(SenderKeyMessage(parsing: second.bytes), record: &member) == world)
        #expect(try GroupCipher.decrypt(SenderKeyMessage(parsing: first.bytes), record: &member) == hello)
    }
}

import Cryptography
import Foundation
import OrderedCollections
import Sandbox
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@Suite struct PhoneCompanionTests {
    @Test("after its first login a companion gets the app state keys and then its history, as peer messages")
    func firstLogin() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let share = try await home.message(companion, client, "key share")
            #expect(share.stanza["category"] == "peer")
            #expect(share.stanza.from == .user("12025550100"))
            let keys = try ProtoMessage(.message, parsing: share.plaintext)
            let entry = try #require(
                keys[message: "protocolMessage"]?[message: "appStateSyncKeyShare"]?[messages: "keys"].first)
            #expect(entry[message: "keyID"]?[bytes: "keyID"]?.count == 6)
            #expect(entry[message: "keyData"]?[bytes: "keyData"]?.count == 32)
            #expect(
                entry[message: "keyData"]?[message: "fingerprint"]?[uint: "rawID"] == UInt64(await account.advRawID))

            let bootstrap = try await home.message(companion, client, "history")
            let notification = try #require(
                try ProtoMessage(.message, parsing: bootstrap.plaintext)[message: "protocolMessage"]?[
                    message: "historySyncNotification"])
            let payload = try #require(notification[bytes: "initialHistBootstrapInlinePayload"])
            #expect(notification[bytes: "fileSHA256"] == SHA256Digest.hash(payload))
            #expect(payload.starts(with: [0x78, 0x01]))
            _ = try await home.message(companion, client, "push names")
            let isBootstrapped = await account.devices[1]?.wasBootstrapped
            #expect(isBootstrapped == true)
        }
    }

    @Test("a companion and another account's phone talk; the own phone sees the copy")
    func directMessages() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101", pushName: "Bob"))
            for what in ["key share", "history", "push names"] { _ = try await home.message(companion, client, what) }
            let text = MessageContent.text("from the companion")
            let bobLID = bob.lidJID
            let ownLID = account.lidJID
            let copies = [
                try await companion.seal(text.bytes, for: bobLID, on: client),
                try await companion.seal(text.deviceSent(to: bobLID), for: ownLID, on: client),
            ]
            let identity = try #require(await account.devices[1]?.signedIdentity)
            let ack = try await client.sendForAck(
                Stanza(
                    "message", ["id": "M1", "to": .jid(bobLID), "type": "text"],
                    children: [
                        Stanza("participants", children: copies), Stanza("device-identity", bytes: identity),
                    ]))
            #expect(ack["error"] == nil)
            let received = try await client.next("delivery receipt") {
                $0.tag == "receipt" && $0.id == "M1" && $0.type == nil
            }
            #expect(received.from?.bare == bobLID)
            let atBob = await home.phones.phone(of: bob).log.messages()
            #expect(atBob.map(\.message.text) == ["from the companion"])
            #expect(atBob.first?.sender == ownLID.device(1))
            let atOwn = await home.phones.phone(of: account).log.messages()
            #expect(atOwn.map(\.direction) == [.outgoing])
            #expect(atOwn.first?.chat == bobLID)

            _ = try await home.phones.phone(of: bob).send(.text("back"), to: .user("12025550100"))
            let back = try await home.message(companion, client, "answer") { $0["category"] == nil }
            #expect(back.stanza["notify"] == "Bob")
            #expect(try ReceivedContent(back.plaintext).content?.text == "back")
            let failures = await home.world.events.events(since: 0) {
                $0.type == .phoneDecryptFailed || $0.type == .violation
            }
            #expect(failures.isEmpty)
        }
    }

    @Test("a message the phone cannot read is asked for again, without keys and then with them, and then read")
    func phoneAsksAgain() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            let bobLID = bob.lidJID
            let identity = try #require(await account.devices[1]?.signedIdentity)
            var damaged = try await companion.seal(MessageContent.text("damaged").bytes, for: bobLID, on: client)
            var enc = damaged.childrenContent[0]
            var bytes = try #require(enc.bytesContent)
            bytes[bytes.count - 9] ^= 1
            enc.content = .bytes(bytes)
            damaged.content = .children([enc])
            for count in 1...2 {
                _ = try await client.sendForAck(
                    Stanza(
                        "message", ["id": "M2", "to": .jid(bobLID), "type": "text", "n": .int(count)],
                        children: [
                            Stanza("participants", children: [damaged]), Stanza("device-identity", bytes: identity),
                        ]))
                let retry = try await client.next("retry") { $0.tag == "receipt" && $0.type == "retry" }
                #expect(retry.child("retry")?["count"] == String(count))
                #expect((retry.child("keys") != nil) == (count == 2))
                if count == 2 {
                    try companion.start(
                        SignalAddress(bobLID), with: try #require(retry.child("keys")),
                        registration: retry.child("registration"))
                }
            }
            var resent = try await companion.seal(MessageContent.text("repaired").bytes, for: bobLID, on: client)
            var resentEnc = resent.childrenContent[0]
            resentEnc["count"] = "2"
            resent.content = .children([resentEnc])
            _ = try await client.sendForAck(
                Stanza(
                    "message",
                    ["id": "M2", "to": .jid(bobLID), "type": "text", "device_fanout": "false"],
                    children: [resentEnc, Stanza("device-identity", bytes: identity)]))
            _ = try await client.next("delivery receipt") { $0.tag == "receipt" && $0.id == "M2" && $0.type == nil }
            let texts = await home.phones.phone(of: bob).log.messages().map(\.message.text)
            #expect(texts == ["repaired"])
        }
    }

    @Test("a companion that lost its session gets the phone's message again")
    func phoneAnswersRetry() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            for what in ["key share", "history", "push names"] { _ = try await home.message(companion, client, what) }
            let sent = try await home.phones.phone(of: bob).send(.text("once more"), to: .user("12025550100"))
            let first = try await client.next("message") { $0.tag == "message" && $0.id == sent.id }
            let identity = try #require(await account.devices[1]?.signedIdentity)
            try await client.send(
                Stanza(
                    "receipt", ["id": .text(sent.id), "type": "retry", "to": first.attributes["from"]],
                    children: [
                        Stanza("retry", ["count": "1", "id": .text(sent.id), "t": first.attributes["t"], "v": "1"])
                    ] + companion.retryKeys(deviceIdentity: identity)))
            let again = try await home.message(companion, client, "resend") { $0.id == sent.id }
            #expect(again.stanza.child("enc")?["count"] == "1")
            #expect(again.stanza.child("enc")?.type == "pkmsg")
            #expect(try ReceivedContent(again.plaintext).content?.text == "once more")
        }
    }

    @Test("a companion links by code; a wrong code is noticed and can be corrected on the same connection")
    func linkByCode() async throws {
        try await LinkedSandbox.with { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let companion = SignalCompanion()
            let (client, _) = try await home.register(companion)
            let code = try #require(LinkCode(random: SystemRandom().bytes(5)))
            let ephemeral = KeyPair.generate()
            let wrapped = try code.wrap(
                ephemeral.publicKey, salt: SystemRandom().bytes(32), iv: SystemRandom().bytes(16))
            let answer = try await client.query(
                "set", "md",
                Stanza(
                    "link_code_companion_reg",
                    [
                        "jid": .jid(.user("12025550100")), "stage": "companion_hello",
                        "should_show_push_notification": "true",
                    ],
                    children: [
                        Stanza("link_code_pairing_wrapped_companion_ephemeral_pub", bytes: wrapped),
                        Stanza("companion_server_auth_key_pub", bytes: companion.keys.noiseKey.publicKey.raw),
                        Stanza("companion_platform_id", text: "1"),
                        Stanza("companion_platform_display", text: "Chrome (Linux)"),
                        Stanza("link_code_pairing_nonce", bytes: [0]),
                    ]))
            let ref = try #require(answer.child("link_code_companion_reg", "link_code_pairing_ref")?.bytesContent)
            for (typed, outcome) in [("11111111", "wrong_code"), (code.shown.lowercased(), "paired")] {
                async let entered = home.phones.enterCode(typed, with: account, timeout: 10_000)
                let hello = try await client.next("primary_hello") { $0.tag == "notification" }
                let node = try #require(hello.child("link_code_companion_reg"))
                let primary = try code.unwrap(
                    try #require(node.child("link_code_pairing_wrapped_primary_ephemeral_pub")?.bytesContent))
                let accountKey = try PublicKey(raw: try #require(node.child("primary_identity_pub")?.bytesContent))
                try await client.send(
                    finishStanza(companion, ephemeral: ephemeral, primary: primary, accountKey: accountKey, ref: ref))
                switch try await entered {
                case .wrongCode: #expect(outcome == "wrong_code")
                case .approved: #expect(outcome == "paired")
                case .failed(let reason): Issue.record("\(reason)")
                case .passkeyRequested: Issue.record("a passkey was asked for")
                case nil: Issue.record("no outcome")
                }
            }
            try await home.finish(companion, client)
            let device = await account.devices[1]
            #expect(device != nil)
        }
    }

    /// `companion_finish`, and the ADV secret that goes with it kept in the companion.
    private func finishStanza(
        _ companion: SignalCompanion, ephemeral: KeyPair, primary: PublicKey, accountKey: PublicKey, ref: Bytes
    ) throws -> Stanza {
        let random = SystemRandom()
        let shared = try ephemeral.privateKey.agree(with: primary).bytes
        let (salt, nonce, secret) = (random.bytes(32), random.bytes(12), random.bytes(32))
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared, salt: salt, info: Bytes("link_code_pairing_key_bundle_encryption_key".utf8),
            count: 32)
        let identity = companion.keys.identity
        let bundle = try AESGCM.seal(identity.publicKey.raw + accountKey.raw + secret, key: key, nonce: nonce)
        companion.keys.advSecret = HKDFSHA256.derive(
            inputKeyMaterial: shared + (try identity.privateKey.agree(with: accountKey).bytes) + secret,
            info: Bytes("adv_secret".utf8), count: 32)
        return Stanza(
            "iq", ["id": .text("finish-\(Hex.encode(nonce))"), "type": "set", "xmlns": "md", "to": .jid(.serverJID)],
            children: [
                Stanza(
                    "link_code_companion_reg",
                    ["jid": .jid(.user("12025550100")), "stage": "companion_finish"],
                    children: [
                        Stanza("link_code_pairing_wrapped_key_bundle", bytes: salt + nonce + bundle),
                        Stanza("companion_identity_public", bytes: identity.publicKey.raw),
                        Stanza("link_code_pairing_ref", bytes: ref),
                    ])
            ])
    }
}

import Cryptography
import Foundation
import OrderedCollections
import Sandbox
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@Suite struct PhoneCompanionTests {
    /// A running sandbox with real phones, one account, and its companion logged in.
    private struct Linked {
        let server: SandboxServer
        let world: World
        let phones: Phones
        let target: URLAndRoot
    }

    private func with(_ body: (Linked) async throws -> Void) async throws {
        var configuration = SandboxConfiguration()
        (configuration.chatPort, configuration.controlPort, configuration.mediaPort) = (0, 0, 0)
        let server = SandboxServer(configuration: configuration)
        let addresses = try await server.start()
        do {
            guard let world = await server.world, let phones = await world.phones else { throw TestFailure("no world") }
            try await body(
                Linked(
                    server: server, world: world, phones: phones,
                    target: URLAndRoot(url: addresses.webSocket, root: Hex.decode(addresses.rootPublicKey) ?? [])))
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    private func register(_ companion: SignalCompanion, _ home: Linked) async throws -> (ScriptedClient, String) {
        let client = try await ScriptedClient.connect(
            home.target, noiseKey: companion.keys.noiseKey, payload: companion.keys.registrationPayload())
        let iq = try await client.next("pair-device") { $0.child("pair-device") != nil }
        try await client.send(Stanza("iq", ["to": .jid(.serverJID), "id": iq.attributes["id"], "type": "result"]))
        guard let ref = iq.child("pair-device")?.children("ref").first?.textContent else { throw TestFailure("no ref") }
        return (client, ref)
    }

    /// Answers pair-success and sees the 515.
    private func finish(_ companion: SignalCompanion, _ client: ScriptedClient) async throws {
        let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
        try await client.send(companion.keys.answer(pairSuccess: success))
        let restart = try await client.next("515") { $0.tag == "stream:error" }
        #expect(restart["code"] == "515")
        try await client.sendClose()
    }

    private func online(_ companion: SignalCompanion, _ home: Linked) async throws -> ScriptedClient {
        let client = try await ScriptedClient.connect(
            home.target, noiseKey: companion.keys.noiseKey, payload: companion.keys.loginPayload())
        _ = try await client.next("success") { $0.tag == "success" }
        let answer = try await client.query("set", "encrypt", children: companion.keys.upload(count: 20))
        #expect(answer.type == "result")
        _ = try await client.query("set", "passive", Stanza("active"))
        _ = try await client.next("offline marker") { $0.child("offline") != nil }
        return client
    }

    private func link(_ number: String, _ home: Linked) async throws -> (SignalCompanion, ScriptedClient, Account) {
        let account = try await home.world.createAccount(AccountDraft(phone: number, pushName: "Ada"))
        let companion = SignalCompanion()
        let (client, ref) = try await register(companion, home)
        let linked = try await home.phones.scan(companion.keys.qr(ref: ref), with: account)
        #expect(linked.deviceID == 1)
        #expect(linked.keyIndex == 1)
        try await finish(companion, client)
        return (companion, try await online(companion, home), account)
    }

    /// The next message for the companion, decrypted.
    private func message(
        _ companion: SignalCompanion, _ client: ScriptedClient, _ what: String,
        where matches: @Sendable (Stanza) -> Bool = { _ in true }
    ) async throws -> (stanza: Stanza, plaintext: Bytes) {
        let stanza = try await client.next(what) { $0.tag == "message" && matches($0) }
        try await client.send(stanza.deliveryReceipt)
        return (stanza, try companion.open(stanza))
    }

    @Test("after its first login a companion gets the app state keys and then its history, as peer messages")
    func firstLogin() async throws {
        try await with { home in
            let (companion, client, account) = try await link("12025550100", home)
            let share = try await message(companion, client, "key share")
            #expect(share.stanza["category"] == "peer")
            #expect(share.stanza.from == .user("12025550100"))
            let keys = try ProtoMessage(.message, parsing: share.plaintext)
            let entry = try #require(
                keys[message: "protocolMessage"]?[message: "appStateSyncKeyShare"]?[messages: "keys"].first)
            #expect(entry[message: "keyID"]?[bytes: "keyID"]?.count == 6)
            #expect(entry[message: "keyData"]?[bytes: "keyData"]?.count == 32)
            #expect(
                entry[message: "keyData"]?[message: "fingerprint"]?[uint: "rawID"] == UInt64(await account.advRawID))

            let bootstrap = try await message(companion, client, "history")
            let notification = try #require(
                try ProtoMessage(.message, parsing: bootstrap.plaintext)[message: "protocolMessage"]?[
                    message: "historySyncNotification"])
            let payload = try #require(notification[bytes: "initialHistBootstrapInlinePayload"])
            #expect(notification[bytes: "fileSHA256"] == SHA256Digest.hash(payload))
            #expect(payload.starts(with: [0x78, 0x01]))
            _ = try await message(companion, client, "push names")
            let isBootstrapped = await account.devices[1]?.wasBootstrapped
            #expect(isBootstrapped == true)
        }
    }

    @Test("a companion and another account's phone talk; the own phone sees the copy")
    func directMessages() async throws {
        try await with { home in
            let (companion, client, account) = try await link("12025550100", home)
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101", pushName: "Bob"))
            for what in ["key share", "history", "push names"] { _ = try await message(companion, client, what) }
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
            let back = try await message(companion, client, "answer") { $0["category"] == nil }
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
        try await with { home in
            let (companion, client, account) = try await link("12025550100", home)
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
        try await with { home in
            let (companion, client, account) = try await link("12025550100", home)
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            for what in ["key share", "history", "push names"] { _ = try await message(companion, client, what) }
            let sent = try await home.phones.phone(of: bob).send(.text("once more"), to: .user("12025550100"))
            let first = try await client.next("message") { $0.tag == "message" && $0.id == sent.id }
            let identity = try #require(await account.devices[1]?.signedIdentity)
            try await client.send(
                Stanza(
                    "receipt", ["id": .text(sent.id), "type": "retry", "to": first.attributes["from"]],
                    children: [
                        Stanza("retry", ["count": "1", "id": .text(sent.id), "t": first.attributes["t"], "v": "1"])
                    ] + companion.retryKeys(deviceIdentity: identity)))
            let again = try await message(companion, client, "resend") { $0.id == sent.id }
            #expect(again.stanza.child("enc")?["count"] == "1")
            #expect(again.stanza.child("enc")?.type == "pkmsg")
            #expect(try ReceivedContent(again.plaintext).content?.text == "once more")
        }
    }

    @Test("a companion links by code; a wrong code is noticed and can be corrected on the same connection")
    func linkByCode() async throws {
        try await with { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let companion = SignalCompanion()
            let (client, _) = try await register(companion, home)
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
                case nil: Issue.record("no outcome")
                }
            }
            try await finish(companion, client)
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

extension ScriptedClient {
    /// An IQ with a list of children.
    fileprivate func query(_ type: String, _ xmlns: String, children: [Stanza]) async throws -> Stanza {
        let id = "list-\(Hex.encode(SystemRandom().bytes(4)))"
        try await send(
            Stanza(
                "iq", ["id": .text(id), "type": .text(type), "xmlns": .text(xmlns), "to": .jid(.serverJID)],
                children: children))
        return try await next("answer to \(xmlns)") { $0.tag == "iq" && $0.id == id }
    }
}

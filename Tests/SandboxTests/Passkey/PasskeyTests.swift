import Cryptography
import OrderedCollections
import Testing
import Transport
import WhatsAppProtobuf

@testable import Sandbox

/// The companion's half of 02-pairing-login, section 10, as a test needs it.
private struct PasskeyCompanion {
    let keys: Companion
    let ephemeral = KeyPair.generate()
    let nonce = SystemRandom().bytes(32)
    /// Of the QR that was scanned.
    let handoffKey: Bytes
    var identity: Bytes = []
    var ref = ""

    init(_ keys: Companion) {
        self.keys = keys
        handoffKey = HKDFSHA256.derive(
            inputKeyMaterial: keys.advSecret, info: Bytes("shortcake-passkey-handoff-v1".utf8), count: 32)
        keys.advSecret = SystemRandom().bytes(32)
    }

    mutating func prologue(options: JSONValue, ref: String, proves: Bool, challenge: String? = nil) throws -> Stanza {
        self.ref = ref
        var identity = ProtoWriter()
        identity.bytes(1, ephemeral.publicKey.raw)
        identity.varint(2, 1)
        identity.string(3, ref)
        self.identity = identity.bytes
        var payload = ProtoWriter()
        payload.bytes(1, identity.bytes)
        payload.message(2) { $0.bytes(1, SHA256Digest.hash(identity.bytes + nonce)) }
        let id = try #require(options["allowCredentials"]?.arrayValue?.first?["id"]?.stringValue)
        let clientData: JSONValue = [
            "type": "webauthn.get", "challenge": .string(challenge ?? options["challenge"]?.stringValue ?? ""),
            "origin": "https://web.whatsapp.com",
        ]
        let assertion: JSONValue = [
            "id": .string(id), "rawId": .string(id), "type": "public-key",
            "response": [
                "clientDataJSON": .string(Base64.encodeURLSafe(Bytes(clientData.text.utf8))),
                "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": .null,
            ],
        ]
        var children = [
            Stanza("credential_id", bytes: try #require(Base64.decodeURLSafe(id))),
            Stanza("webauthn_assertion", bytes: Bytes(assertion.text.utf8)),
            Stanza("prologue_payload", bytes: payload.bytes),
        ]
        if proves {
            children.append(
                Stanza(
                    "pairing_handoff_proof", bytes: HMACSHA256.authenticate(payload.bytes, key: handoffKey)))
        }
        return Stanza("passkey_prologue", children: children)
    }

    /// The code to show, and the request that ends the step.
    func finish(_ primary: Bytes) throws -> (code: String, request: Stanza) {
        let fields = ProtoFields(lenient: primary)
        let key = try PublicKey(raw: try #require(fields.bytes(1)))
        let primaryNonce = try #require(fields.bytes(2))
        let mask = SHA256Digest.hash(nonce + key.raw)
        let code = try #require(LinkCode(random: zip(primaryNonce.prefix(5), mask.prefix(5)).map { $0 ^ $1 }))
        let shared = try ephemeral.privateKey.agree(with: key).bytes
        let secret = HKDFSHA256.derive(
            inputKeyMaterial: shared, salt: Bytes("Companion Pairing 1 with ref \(ref)".utf8),
            info: Bytes("Pairing Information Encryption Key".utf8), count: 32)
        var pairing = ProtoWriter()
        pairing.bytes(1, keys.noiseKey.publicKey.raw)
        pairing.bytes(2, keys.identity.publicKey.raw)
        pairing.bytes(3, keys.advSecret)
        let iv = SystemRandom().bytes(12)
        var request = ProtoWriter()
        request.bytes(1, try AESGCM.seal(pairing.bytes, key: secret, nonce: iv))
        request.bytes(2, iv)
        return (code.shown, Stanza("encrypted_pairing_request", bytes: request.bytes))
    }
}

@Suite("Pairing by passkey, on demand")
struct PasskeyTests {
    /// Scans, and goes with the client up to the code. Returns what ends the step.
    private func demand(
        _ home: LinkedSandbox, _ account: Account, _ companion: SignalCompanion, _ client: ScriptedClient, ref: String,
        proves: Bool
    ) async throws -> (code: String, request: Stanza) {
        let scanned = try await home.phones.scan(
            companion.keys.qr(ref: ref), with: account, demandsPasskey: true)
        #expect(scanned == nil)
        let demand = try await client.next("passkey request") { $0.type == "passkey_prologue_request" }
        #expect(demand.from == .serverJID)
        let options = try #require(
            JSONValue.parse(demand.child("passkey_request_options")?.bytesContent ?? []))
        #expect(options["timeout"] == 300_000 && options["userVerification"] == "preferred")
        let again = try await client.query("get", "md", Stanza("passkey_request_options"))
        #expect(again.child("passkey_request_options") == demand.child("passkey_request_options"))
        let answer = try await client.query("get", "md", Stanza("ref"))
        let passkeyRef = try #require(answer.child("ref")?.textContent)
        var half = PasskeyCompanion(companion.keys)
        let prologue = try half.prologue(options: options, ref: passkeyRef, proves: proves)
        #expect(try await client.query("set", "md", prologue).type == "result")
        let continuation = try await client.next("continuation") { $0.type == "crsc_continuation" }
        let nonce = try await client.query("set", "md", Stanza("companion_nonce", bytes: half.nonce))
        #expect(nonce.type == "result")
        return try half.finish(try #require(continuation.child("primary_ephemeral_identity")?.bytesContent))
    }

    @Test("with the proof of the QR's secret the companion is linked without a confirmation, under its new secret")
    func proven() async throws {
        try await LinkedSandbox.with { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let companion = SignalCompanion()
            let (client, ref) = try await home.register(companion)
            let (code, request) = try await demand(home, account, companion, client, ref: ref, proves: true)
            let shown = await home.world.events.events(since: 0) { $0.type == .pairingPasskeyCode }
            #expect(shown.first?.data["code"]?.stringValue == code)
            #expect(shown.first?.data["needs_confirmation"] == false)
            #expect(try await client.query("set", "md", request).type == "result")
            try await home.finish(companion, client)
            #expect(await account.devices[1] != nil)
        }
    }

    @Test("without the proof the phone waits for its person, who may say that the codes differ")
    func confirmed() async throws {
        try await LinkedSandbox.with { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let companion = SignalCompanion()
            let (client, ref) = try await home.register(companion)
            let (code, request) = try await demand(home, account, companion, client, ref: ref, proves: false)
            #expect(try await client.query("set", "md", request).type == "result")
            #expect(await home.world.pairingSessions.last?.state == .passkeyCode)
            #expect(try await home.phones.confirmPasskey("AAAA-AAAA", with: account).outcome == .wrongCode)
            #expect(try await home.phones.confirmPasskey(code, with: account).outcome == .confirmed)
            try await home.finish(companion, client)
            #expect(await account.devices[1] != nil)
        }
    }

    @Test("an assertion for another challenge is refused, and the pairing fails")
    func wrongChallenge() async throws {
        try await LinkedSandbox.with { home in
            var draft = AccountDraft(phone: "12025550100")
            draft.passkey = .required
            let account = try await home.world.createAccount(draft)
            let companion = SignalCompanion()
            let (client, ref) = try await home.register(companion)
            #expect(try await home.phones.scan(companion.keys.qr(ref: ref), with: account) == nil)
            let demand = try await client.next("passkey request") { $0.type == "passkey_prologue_request" }
            let options = try #require(
                JSONValue.parse(demand.child("passkey_request_options")?.bytesContent ?? []))
            let answer = try await client.query("get", "md", Stanza("ref"))
            var half = PasskeyCompanion(companion.keys)
            let prologue = try half.prologue(
                options: options, ref: try #require(answer.child("ref")?.textContent), proves: true, challenge: "AAAA")
            let refused = try await client.query("set", "md", prologue)
            #expect(refused.child("error")?["code"] == "400")
            let failed = await home.world.events.events(since: 0) { $0.type == .pairingFailed }
            #expect(failed.first?.data["reason"] == "passkey_refused")
            #expect(await account.devices[1] == nil)
        }
    }

    @Test("a client that was not asked for a passkey gets 501")
    func unasked() async throws {
        try await LinkedSandbox.with { home in
            let (client, _) = try await home.register(SignalCompanion())
            let answer = try await client.query("get", "md", Stanza("passkey_request_options"))
            #expect(answer.child("error")?["code"] == "501")
        }
    }

    @Test("the handoff key of the specification's known answer")
    func knownAnswer() {
        let key = HKDFSHA256.derive(
            inputKeyMaterial: Bytes(repeating: 0x77, count: 32), info: Bytes("shortcake-passkey-handoff-v1".utf8),
            count: 32)
        #expect(Hex.encode(key) == "62118df793558a628832bf4a1ae0c34fc2655efe21884c699d7b6ef664da324a")
    }
}

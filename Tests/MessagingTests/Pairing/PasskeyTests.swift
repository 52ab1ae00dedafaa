import Cryptography
import TestSupport
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// The phone's half of pairing by passkey, written from 02-pairing-login, section 10.
private struct PasskeyPhone {
    let phone = FakePhone()
    let ephemeral = KeyPair.generate()
    let nonce = [UInt8](repeating: 7, count: 32)

    /// What the companion committed itself to.
    struct Prologue {
        var publicKey: PublicKey
        var deviceType: UInt64
        var ref: String
        var identity: [UInt8]
        var hash: [UInt8]
        var payload: [UInt8]

        init(_ stanza: Stanza) throws {
            payload = try #require(stanza.child("passkey_prologue", "prologue_payload")?.bytesContent)
            let outer = try ProtoMessage(
                try #require(ProtoType.named("WACompanionReg.ProloguePayload")), parsing: payload)
            identity = try #require(outer[bytes: "companionEphemeralIdentity"])
            hash = try #require(outer[message: "commitment"]?[bytes: "hash"])
            let inner = try ProtoMessage(
                try #require(ProtoType.named("WACompanionReg.CompanionEphemeralIdentity")), parsing: identity)
            publicKey = try PublicKey(raw: try #require(inner[bytes: "publicKey"]))
            deviceType = UInt64(clamping: inner[int: "deviceType"] ?? 0)
            ref = inner[string: "ref"] ?? ""
        }
    }

    static func request(_ options: String) -> Stanza {
        notification(
            "passkey_prologue_request", id: "pk-1", Stanza("passkey_request_options", bytes: Array(options.utf8)))
    }

    static func notification(_ type: String, id: String, from: JID = .serverJID, _ child: Stanza) -> Stanza {
        Stanza(
            "notification", ["id": .text(id), "from": .jid(from), "t": "1767323045", "type": .text(type)],
            children: [child])
    }

    func continuation(from: JID = .serverJID) throws -> Stanza {
        let identity = ProtoMessage(try #require(ProtoType.named("WACompanionReg.PrimaryEphemeralIdentity"))) {
            $0[bytes: "publicKey"] = ephemeral.publicKey.raw
            $0[bytes: "nonce"] = nonce
        }
        return Self.notification(
            "crsc_continuation", id: "pk-2", from: from,
            Stanza("primary_ephemeral_identity", bytes: identity.serialized()))
    }

    func code(companionNonce: [UInt8]) -> String {
        let digest = SHA256Digest.hash(companionNonce + ephemeral.publicKey.raw)
        return LinkCode.shown(LinkCode.text(random: zip(nonce.prefix(5), digest.prefix(5)).map { $0 ^ $1 }))
    }

    /// The companion's keys in an `encrypted_pairing_request`.
    func open(_ stanza: Stanza, _ prologue: Prologue) throws -> ProtoMessage {
        let sealed = try ProtoMessage(
            try #require(ProtoType.named("WACompanionReg.EncryptedPairingRequest")),
            parsing: try #require(stanza.child("encrypted_pairing_request")?.bytesContent))
        let key = HKDFSHA256.derive(
            inputKeyMaterial: try ephemeral.privateKey.agree(with: prologue.publicKey).bytes,
            salt: Array("Companion Pairing \(prologue.deviceType) with ref \(prologue.ref)".utf8),
            info: Array("Pairing Information Encryption Key".utf8), count: 32)
        let opened = try AESGCM.open(
            try #require(sealed[bytes: "encryptedPayload"]), key: key, nonce: try #require(sealed[bytes: "IV"]))
        return try ProtoMessage(try #require(ProtoType.named("WACompanionReg.PairingRequest")), parsing: opened)
    }
}

@Suite("Pairing by passkey", .timeLimit(.minutes(3)))
struct PasskeyTests {
    private static let options =
        #"{"challenge":"AAEC","timeout":300000,"rpId":"web.whatsapp.com","allowCredentials":[]}"#

    private var assertion: PasskeyAssertion {
        PasskeyAssertion(
            id: "AQID", rawID: "AQID", clientDataJSON: "e30", authenticatorData: "AAAA", signature: "BBBB")
    }

    private func passkey(_ bench: Bench) -> PasskeyState? {
        if case .passkey(let state)? = bench.session.state.pairing { state } else { nil }
    }

    /// A registration whose QR was scanned by an account that needs a passkey.
    private func demanded() async throws -> (bench: Bench, secret: SecretBytes) {
        let bench = PairingTests().bench()
        bench.server.world.pairingRef = "2@passkey"
        let qr = try ScannedQR(try await bench.session.startQRLogin(restart: false).current.text)
        #expect(bench.session.state.pairing == .qr)
        bench.server.deliver(PasskeyPhone.request(Self.options))
        try await bench.until("the passkey is asked for") { passkey(bench)?.step == .awaitingResponse }
        return (bench, qr.advSecret)
    }

    private func pair(_ bench: Bench, _ phone: PasskeyPhone, _ prologue: PasskeyPhone.Prologue) async throws {
        let stanza = try await bench.server.stanza("request") { $0.child("encrypted_pairing_request") != nil }
        let request = try phone.open(stanza, prologue)
        #expect(request[bytes: "companionPublicKey"] == bench.server.requests[0].staticKey.publicKey.raw)
        let identity = try #require(request[bytes: "companionIdentityKey"])
        let secret = SecretBytes(try #require(request[bytes: "advSecret"]))
        #expect(bench.device.credentials?.advSecret == secret)
        bench.server.deliver(phone.phone.pairSuccess(identityPublic: identity, advSecret: secret))
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.session.state.pairing == nil)
    }

    @Test("a passkey that is demanded after a scan is answered, and with the proof of the scan nobody compares codes")
    func handoff() async throws {
        let (bench, oldSecret) = try await demanded()
        #expect(passkey(bench)?.options == Self.options)
        try await bench.until("event and new secret are stored") {
            !bench.events("connection.passkey_required").isEmpty
                && bench.device.credentials?.advSecret != oldSecret
        }
        #expect(
            bench.events("connection.passkey_required").first?.json.contains(#""public_key":{"challenge":"AAEC""#)
                == true)
        #expect(bench.device.credentials?.advSecret != oldSecret)
        await #expect(throws: SessionError.passkeyRequired) { try await bench.session.startQRLogin(restart: false) }

        try await bench.session.respondToPasskey(assertion)
        let stanza = try await bench.server.stanza("prologue") { $0.child("passkey_prologue") != nil }
        let prologue = try PasskeyPhone.Prologue(stanza)
        #expect(prologue.ref == "2@passkey" && prologue.deviceType == 1)
        #expect(stanza.child("passkey_prologue", "credential_id")?.bytesContent == [1, 2, 3])
        let proof = HMACSHA256.authenticate(
            prologue.payload, key: PasskeyExchange.handoffKey(advSecret: oldSecret))
        #expect(stanza.child("passkey_prologue", "pairing_handoff_proof")?.bytesContent == proof)

        let phone = PasskeyPhone()
        bench.server.deliver(try phone.continuation())
        let shown = try await bench.server.stanza("nonce") { $0.child("companion_nonce") != nil }
        let nonce = try #require(shown.child("companion_nonce")?.bytesContent)
        #expect(SHA256Digest.hash(prologue.identity + nonce) == prologue.hash)
        try await pair(bench, phone, prologue)
    }

    @Test("without the proof the person compares the codes, and only then do the keys go out")
    func confirmation() async throws {
        let (bench, _) = try await demanded()
        // A late answer: the handoff key has expired, the exchange of the server has not.
        bench.clock.advance(301)
        try await bench.session.respondToPasskey(assertion)
        let stanza = try await bench.server.stanza("prologue") { $0.child("passkey_prologue") != nil }
        #expect(stanza.child("passkey_prologue", "pairing_handoff_proof") == nil)
        let prologue = try PasskeyPhone.Prologue(stanza)
        let phone = PasskeyPhone()
        await #expect(throws: SessionError.passkeyNotPending) { try await bench.session.confirmPasskey() }
        bench.server.deliver(try phone.continuation())
        let shown = try await bench.server.stanza("nonce") { $0.child("companion_nonce") != nil }
        let code = phone.code(companionNonce: try #require(shown.child("companion_nonce")?.bytesContent))
        try await bench.until("the code is shown") {
            passkey(bench)?.step == .awaitingConfirmation(code: code, skipsHandoff: false)
        }
        #expect(!bench.server.sent.contains { $0.child("encrypted_pairing_request") != nil })
        try await bench.session.confirmPasskey()
        try await pair(bench, phone, prologue)
    }

    @Test("a refused assertion may be sent again; what comes when none is wanted is refused at once")
    func refusedAssertion() async throws {
        let (bench, _) = try await demanded()
        bench.server.world.refusedPrologues = 1
        await #expect(throws: SessionError.assertionRefused) { try await bench.session.respondToPasskey(assertion) }
        #expect(passkey(bench)?.step == .awaitingResponse)
        #expect(passkey(bench)?.lastError.isEmpty == false)
        try await bench.session.respondToPasskey(assertion)
        #expect(passkey(bench)?.step == .responded)
        await #expect(throws: SessionError.passkeyNotPending) { try await bench.session.respondToPasskey(assertion) }
        var broken = assertion
        broken.rawID = "*"
        await #expect(throws: SessionError.invalidAssertion) { try await bench.session.respondToPasskey(broken) }
    }

    @Test("options that cannot be read are asked for; a stranger's notifications are acked and nothing more")
    func unreadableOptions() async throws {
        let bench = PairingTests().bench()
        _ = try await bench.session.startQRLogin(restart: false)
        bench.server.world.passkeyOptions = Self.options
        let child = Stanza("passkey_request_options", bytes: Array(Self.options.utf8))
        bench.server.deliver(
            PasskeyPhone.notification("passkey_prologue_request", id: "pk-0", from: .user("15550001111"), child))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0.id == "pk-0" }
        #expect(bench.session.state.pairing == .qr)
        bench.server.deliver(PasskeyPhone.request("{not json"))
        _ = try await bench.server.stanza("question") { $0.child("passkey_request_options") != nil }
        try await bench.until("the passkey is asked for") { passkey(bench)?.step == .awaitingResponse }
        let phone = PasskeyPhone()
        bench.server.deliver(try phone.continuation())
        try await bench.server.settle()
        #expect(passkey(bench)?.step == .awaitingResponse)
    }

    @Test("the passkey step outlives the refs and ends after five minutes")
    func lifetime() {
        var flow = RegistrationFlow(
            noisePublic: [1], identityPublic: [2], advSecret: SecretBytes([UInt8](repeating: 3, count: 32)),
            clientType: .chrome)
        let start = Timestamp(seconds: 1000)
        _ = flow.pairDevice(refs: ["a", "b"], now: start)
        let fresh = SecretBytes([UInt8](repeating: 4, count: 32))
        let state = flow.demandPasskey(options: "{}", newSecret: fresh, now: start.adding(seconds: 79))
        #expect(state?.expiresAt == start.adding(seconds: 379))
        #expect(flow.timerFired(at: start.adding(seconds: 200)) == .nothing)
        // Asked again: other options, the same secret and end.
        let again = flow.demandPasskey(options: "[]", newSecret: SecretBytes([1]), now: start.adding(seconds: 300))
        #expect(again?.expiresAt == state?.expiresAt && again?.options == "[]")
        #expect(flow.provableSecrets == [fresh])
        #expect(flow.timerFired(at: start.adding(seconds: 379)) == .end(.pairingTimedOut))
        #expect(flow.errorOnClose == .pairingTimedOut)
    }

    @Test("the handoff key has the known value")
    func handoffKey() {
        let key = PasskeyExchange.handoffKey(advSecret: SecretBytes([UInt8](repeating: 0x77, count: 32)))
        #expect(Hex.encode(key.bytes) == "62118df793558a628832bf4a1ae0c34fc2655efe21884c699d7b6ef664da324a")
    }
}

import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// The phone's half of pairing, as 02-pairing-login, section 11 has it.
struct FakePhone {
    let account = KeyPair.generate()
    var keyIndex: UInt64 = 1

    func pairSuccess(identityPublic: [UInt8], advSecret: SecretBytes, corruptHMAC: Bool = false) -> Stanza {
        var details = ProtoWriter()
        details.varint(1, 12345)
        details.varint(2, 1_767_323_045)
        details.varint(3, keyIndex)
        let signature = account.privateKey.sign([6, 0] + details.bytes + identityPublic)
        let inner = SignedDeviceIdentity(
            details: details.bytes, accountSignatureKey: account.publicKey.raw, accountSignature: signature
        ).serialized()
        var container = ProtoWriter()
        container.bytes(1, inner)
        var hmac = HMACSHA256.authenticate(inner, key: advSecret)
        if corruptHMAC { hmac[0] ^= 1 }
        container.bytes(2, hmac)
        return Stanza(
            "iq",
            ["id": "ps-1", "from": .jid(.serverJID), "type": "set", "xmlns": "md", "t": "1767323045"],
            children: [
                Stanza(
                    "pair-success",
                    children: [
                        Stanza("device-identity", bytes: container.bytes),
                        Stanza("device", ["jid": .jid(Bench.pn), "lid": .jid(Bench.lid)]),
                        Stanza("platform", ["name": "android"]), Stanza("biz", ["name": "Shop"]),
                    ])
            ])
    }
}

/// What a QR shows.
struct ScannedQR {
    let noisePublic: [UInt8]
    let identityPublic: [UInt8]
    let advSecret: SecretBytes

    init(_ text: String) throws {
        let parts = text.drop { $0 != "#" }.dropFirst().split(separator: ",")
        try #require(parts.count == 5)
        noisePublic = try #require(Base64.decode(String(parts[1])))
        identityPublic = try #require(Base64.decode(String(parts[2])))
        advSecret = SecretBytes(try #require(Base64.decode(String(parts[3]))))
    }
}

@Suite("Pairing", .timeLimit(.minutes(3)))
struct PairingTests {
    static let pairDevice = Stanza(
        "iq", ["id": "pd-1", "from": .jid(.serverJID), "type": "set", "xmlns": "md"],
        children: [
            Stanza("pair-device", children: (1...6).map { Stanza("ref", bytes: Array("2@ref\($0)".utf8)) })
        ])

    func bench() -> Bench {
        let bench = Bench()
        bench.server.world.greeting = { request in
            request.isPairing
                ? [PairingTests.pairDevice] : [Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid)])]
        }
        bench.server.world.preKeyCount = 0
        return bench
    }

    @Test("a scanned QR pairs: keys stored first, proofs checked, reply signed, restart, login, 812 prekeys, ready")
    func qr() async throws {
        let bench = bench()
        let login = try await bench.session.startQRLogin(restart: false)
        #expect(login.current.index == 0 && login.current.count == 6)
        #expect(login.current.expiresAt.seconds == bench.clock.now().adding(seconds: 60).seconds)
        let qr = try ScannedQR(login.current.text)
        #expect(bench.device.credentials?.identityPublic == qr.identityPublic)
        #expect(bench.device.credentials?.isPaired == false)
        #expect(bench.events("connection.qr").first?.json.contains("2@ref6") == true)

        let phone = FakePhone()
        bench.server.deliver(phone.pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        let reply = try await bench.server.stanza("pair-device-sign") { $0.child("pair-device-sign") != nil }
        #expect(reply.id == "ps-1" && reply.type == "result")
        let node = try #require(reply.child("pair-device-sign", "device-identity"))
        #expect(node["key-index"] == "1")
        var signed = try SignedDeviceIdentity(parsing: try #require(node.bytesContent))
        #expect(signed.accountSignatureKey == nil)
        signed.accountSignatureKey = phone.account.publicKey.raw
        #expect(signed.isSignedByDevice(device: qr.identityPublic))
        // Stored before the reply left.
        #expect(bench.device.credentials?.jid == Bench.pn.description)
        #expect(bench.device.identities["222000111000222_1:0"] == phone.account.publicKey.raw)
        #expect(bench.device.row.businessName == "Shop")

        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.server.connectCount == 2)
        #expect(bench.server.requests[0].staticKey.publicKey == bench.server.requests[1].staticKey.publicKey)
        let upload = try await bench.server.stanza("upload") { $0.child("list") != nil }
        #expect(upload.child("list")?.children("key").count == 812)
        #expect(bench.device.preKeys.count == 812)
        #expect(bench.device.credentials?.nextPreKeyID == 813)
        _ = try await bench.server.stanza("active") { $0.child("active") != nil }
        #expect(bench.device.row.status == .active)
        #expect(bench.events("connection.pair_success").count == 1)
        #expect(bench.events("connection.connected").count == 1)

        var updates: [LoginUpdate] = []
        for await update in login.updates { updates.append(update) }
        #expect(updates == [.paired(jid: Bench.pn.description)])
    }

    @Test("a second caller gets the QR that is on show")
    func shared() async throws {
        let bench = bench()
        let first = try await bench.session.startQRLogin(restart: false)
        let second = try await bench.session.startQRLogin(restart: false)
        #expect(first.current == second.current)
        #expect(bench.server.connectCount == 1)
        await bench.session.stop()
        for await update in second.updates { #expect(update == .failed(.stopping)) }
    }

    @Test("a forged container is refused with 401 and stores nothing")
    func forged() async throws {
        let bench = bench()
        let login = try await bench.session.startQRLogin(restart: false)
        let qr = try ScannedQR(login.current.text)
        bench.server.deliver(
            FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret, corruptHMAC: true))
        let reply = try await bench.server.stanza("refusal") { $0.id == "ps-1" }
        #expect(reply.type == "error")
        #expect(reply.child("error")?["code"] == "401")
        #expect(reply.child("error")?["text"] == "hmac-mismatch")
        for await update in login.updates { #expect(update == .failed(.pairingForged(PairingError.hmacMismatch.text))) }
        try await bench.server.settle()
        #expect(bench.device.credentials?.isPaired == false)
        #expect(bench.events("connection.pair_error").count == 1)
    }

    @Test("the host may refuse a number")
    func refusedByHost() async throws {
        let bench = bench()
        bench.host.refuse("quota")
        let login = try await bench.session.startQRLogin(restart: false)
        let qr = try ScannedQR(login.current.text)
        bench.server.deliver(FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        let reply = try await bench.server.stanza("refusal") { $0.id == "ps-1" }
        #expect(reply.child("error")?["code"] == "500")
        for await update in login.updates { #expect(update == .failed(.pairingRejected("quota"))) }
    }

    @Test(
        "a registration that the server refuses says why, to the caller and in an event",
        arguments: [
            (409, SessionEnd.refused(code: 409, text: "bad user agent"), "connection.connect_failure"),
            (403, .refused(code: 403, text: "main device gone"), "connection.connect_failure"),
            (402, .banned(code: 101, until: nil), "connection.temporary_ban"),
        ])
    func refused(code: Int, end: SessionEnd, event: String) async throws {
        let bench = Bench()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": .int(code), "code": "101"])] }
        await #expect(throws: SessionError.ended(end)) { try await bench.session.startQRLogin(restart: false) }
        #expect(bench.session.state.phase == .idle && bench.session.state.pairing == nil)
        try await bench.until("the event") { bench.events(event).count == 1 }
        #expect(bench.events("connection.logged_out").isEmpty && bench.device.row.status == nil)
    }

    @Test("a socket that closes after the reply without a 515 leads to a login as well")
    func closedWithoutRestart() async throws {
        let bench = bench()
        let qr = try ScannedQR(try await bench.session.startQRLogin(restart: false).current.text)
        bench.server.deliver(FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        bench.server.drop()
        try await bench.session.waitUntilReady(seconds: 60)
    }

    @Test("a code pairs: the phone unwraps our key with it, we unwrap theirs, both derive the same secret")
    func code() async throws {
        let bench = bench()
        let code = try await bench.session.startCodeLogin(phone: "+1 555 777 0000")
        #expect(code.expiresAt.seconds == bench.clock.now().adding(seconds: 160).seconds)
        let hello = try await bench.server.stanza("companion_hello") {
            $0.child("link_code_companion_reg")?["stage"] == "companion_hello"
        }
        let body = try #require(hello.child("link_code_companion_reg"))
        #expect(body.jid("jid") == .user("15557770000"))
        #expect(body.child("companion_platform_display")?.textContent == "Chrome (Linux)")
        let told = try #require(bench.events("connection.pairing_code").first)
        #expect(told.json.contains("\"code\":\"\(code.text)\""))
        let plain = try #require(LinkCode.normalized(code.text))
        let companion = try LinkCode.unwrap(
            try #require(body.child("link_code_pairing_wrapped_companion_ephemeral_pub")?.bytesContent), code: plain)

        let phone = FakePhone()
        let ephemeral = KeyPair.generate()
        let wrapped = try LinkCode.wrap(
            ephemeral.publicKey.raw, code: plain, salt: [UInt8](repeating: 1, count: 32),
            iv: [UInt8](repeating: 2, count: 16))
        bench.server.deliver(
            Stanza(
                "notification",
                ["id": "n-1", "from": .jid(.serverJID), "t": "1767323045", "type": "link_code_companion_reg"],
                children: [
                    Stanza(
                        "link_code_companion_reg", ["stage": "primary_hello"],
                        children: [
                            Stanza("link_code_pairing_wrapped_primary_ephemeral_pub", bytes: wrapped),
                            Stanza("primary_identity_pub", bytes: phone.account.publicKey.raw),
                            Stanza("link_code_pairing_ref", bytes: Array("ref-1".utf8)),
                        ])
                ]))
        let finish = try await bench.server.stanza("companion_finish") {
            $0.child("link_code_companion_reg")?["stage"] == "companion_finish"
        }
        let bundle = try #require(
            finish.child("link_code_companion_reg", "link_code_pairing_wrapped_key_bundle")?.bytesContent)
        #expect(bundle.count == 156)
        let shared = try ephemeral.privateKey.agree(with: companion)
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes, salt: Array(bundle[0..<32]),
            info: Array("link_code_pairing_key_bundle_encryption_key".utf8), count: 32)
        let opened = try AESGCM.open(Array(bundle[44...]), key: key, nonce: Array(bundle[32..<44]))
        let identity = try PublicKey(raw: opened[0..<32])
        let identityShared = try phone.account.privateKey.agree(with: identity)
        let secret = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes + identityShared.bytes + Array(opened[64..<96]),
            info: Array("adv_secret".utf8), count: 32)
        // Replaced before the finish was sent.
        #expect(bench.device.credentials?.advSecret.bytes == secret)

        bench.server.deliver(phone.pairSuccess(identityPublic: identity.raw, advSecret: SecretBytes(secret)))
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await bench.session.waitUntilReady(seconds: 60)
    }

    @Test("a number that cannot be a number is refused before anything is sent")
    func invalidPhone() async throws {
        let bench = bench()
        for phone in ["12345", "0155512345"] {
            await #expect(throws: SessionError.self) { try await bench.session.startCodeLogin(phone: phone) }
        }
        #expect(bench.server.connectCount == 0)
    }

    @Test("a server that refuses the display name says so")
    func refusedCode() async throws {
        let bench = bench()
        bench.server.world.answersRequests = false
        let asking = Task { try await bench.session.startCodeLogin(phone: "15557770000") }
        let hello = try await bench.server.stanza("hello") { $0.child("link_code_companion_reg") != nil }
        bench.server.deliver(
            Stanza(
                "iq", ["id": hello.attributes["id"], "type": "error", "from": .jid(.serverJID)],
                children: [Stanza("error", ["code": "400", "text": "bad-request"])]))
        await #expect(throws: SessionError.displayOrNumberRejected) { try await asking.value }
    }
}

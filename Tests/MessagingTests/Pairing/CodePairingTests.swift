import Cryptography
import TestSupport
import Testing
import Transport

@testable import Messaging

/// A phone into which codes are typed.
private struct TypingPhone {
    let phone = FakePhone()
    let ephemeral = KeyPair.generate()

    /// `primary_hello` for a typed code.
    func hello(_ code: String, id: String, ref: String = "ref-1") throws -> Stanza {
        let wrapped = try LinkCode.wrap(
            ephemeral.publicKey.raw, code: code, salt: [UInt8](repeating: 1, count: 32),
            iv: [UInt8](repeating: 2, count: 16))
        return Stanza(
            "notification",
            ["id": .text(id), "from": .jid(.serverJID), "t": "1767323045", "type": "link_code_companion_reg"],
            children: [
                Stanza(
                    "link_code_companion_reg", ["stage": "primary_hello"],
                    children: [
                        Stanza("link_code_pairing_wrapped_primary_ephemeral_pub", bytes: wrapped),
                        Stanza("primary_identity_pub", bytes: phone.account.publicKey.raw),
                        Stanza("link_code_pairing_ref", bytes: Array(ref.utf8)),
                    ])
            ])
    }

    /// The secret in a `companion_finish`; throws when the typed code was wrong.
    func secret(in finish: Stanza, companion: PublicKey) throws -> (secret: SecretBytes, identity: [UInt8]) {
        let bundle = try #require(
            finish.child("link_code_companion_reg", "link_code_pairing_wrapped_key_bundle")?.bytesContent)
        let shared = try ephemeral.privateKey.agree(with: companion)
        let key = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes, salt: Array(bundle[0..<32]),
            info: Array("link_code_pairing_key_bundle_encryption_key".utf8), count: 32)
        let opened = try AESGCM.open(Array(bundle[44...]), key: key, nonce: Array(bundle[32..<44]))
        let identityShared = try phone.account.privateKey.agree(with: PublicKey(raw: opened[0..<32]))
        let secret = HKDFSHA256.derive(
            inputKeyMaterial: shared.bytes + identityShared.bytes + Array(opened[64..<96]),
            info: Array("adv_secret".utf8), count: 32)
        return (SecretBytes(secret), Array(opened[0..<32]))
    }
}

@Suite("Pairing by code under interleavings", .timeLimit(.minutes(3)))
struct CodePairingTests {
    /// A session that gave a code out: the code, and the companion's key as the phone unwraps it with it.
    private func waiting() async throws -> (bench: Bench, code: String, companion: PublicKey) {
        let bench = PairingTests().bench()
        let code = try #require(LinkCode.normalized(try await bench.session.startCodeLogin(phone: "15557770000").text))
        let hello = try await bench.server.stanza("companion_hello") {
            $0.child("link_code_companion_reg")?["stage"] == "companion_hello"
        }
        let wrapped = try #require(
            hello.child("link_code_companion_reg", "link_code_pairing_wrapped_companion_ephemeral_pub")?.bytesContent)
        return (bench, code, try LinkCode.unwrap(wrapped, code: code))
    }

    private func finishes(_ bench: Bench, count: Int) async throws -> [Stanza] {
        try await eventually("\(count) companion_finish") {
            let found = bench.server.sent.filter {
                $0.child("link_code_companion_reg")?["stage"] == "companion_finish"
            }
            return found.count >= count ? found : nil
        }
    }

    private func login(_ bench: Bench) async throws {
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.device.credentials?.isPaired == true)
    }

    @Test("a wrong code and at once the right one: both are answered in their order, and the right one pairs")
    func wrongThenRight() async throws {
        let (bench, code, companion) = try await waiting()
        let phone = TypingPhone()
        bench.server.deliver(try phone.hello("AAAAAAAA", id: "n-1"))
        bench.server.deliver(try phone.hello(code, id: "n-2"))
        let finishes = try await finishes(bench, count: 2)
        #expect(throws: CryptographyError.self) { try phone.secret(in: finishes[0], companion: companion) }
        let (secret, identity) = try phone.secret(in: finishes[1], companion: companion)
        #expect(bench.device.credentials?.advSecret.bytes == secret.bytes)
        bench.server.deliver(phone.phone.pairSuccess(identityPublic: identity, advSecret: secret))
        try await login(bench)
    }

    @Test("a hello that comes again does not undo the answer the phone already has")
    func repeatedHello() async throws {
        let (bench, code, companion) = try await waiting()
        let phone = TypingPhone()
        bench.server.deliver(try phone.hello(code, id: "n-1"))
        let first = try await finishes(bench, count: 1)[0]
        bench.server.deliver(try phone.hello(code, id: "n-2"))
        _ = try await finishes(bench, count: 2)
        let (secret, identity) = try phone.secret(in: first, companion: companion)
        #expect(bench.device.credentials?.advSecret.bytes != secret.bytes)
        bench.server.deliver(phone.phone.pairSuccess(identityPublic: identity, advSecret: secret))
        try await login(bench)
    }

    @Test("a hello between pair-success and its commit leaves the pairing stored")
    func helloWhileConfirming() async throws {
        let (bench, code, companion) = try await waiting()
        let phone = TypingPhone()
        bench.server.deliver(try phone.hello(code, id: "n-1"))
        let (secret, identity) = try phone.secret(in: try await finishes(bench, count: 1)[0], companion: companion)
        try await bench.holdCommits()
        bench.server.deliver(try phone.hello(code, id: "n-2"))
        bench.server.deliver(phone.phone.pairSuccess(identityPublic: identity, advSecret: secret))
        bench.server.deliver(try phone.hello(code, id: "n-3"))
        try await bench.untilCommitWaits()
        try await bench.releaseCommits()
        try await login(bench)
        #expect(bench.device.credentials?.jid == Bench.pn.description)
        #expect(
            bench.server.sent.filter { $0.child("link_code_companion_reg")?["stage"] == "companion_finish" }.count < 3)
    }

    @Test("a second code replaces the first; the phone's answer to the first is not taken for one to the second")
    func secondCode() async throws {
        let (bench, code, _) = try await waiting()
        let phone = TypingPhone()
        bench.server.clearLog()
        bench.server.world.pairingRef = "ref-2"
        let second = try #require(
            LinkCode.normalized(try await bench.session.startCodeLogin(phone: "15557770000").text))
        let hello = try await bench.server.stanza("companion_hello") {
            $0.child("link_code_companion_reg")?["stage"] == "companion_hello"
        }
        let wrapped = try #require(
            hello.child("link_code_companion_reg", "link_code_pairing_wrapped_companion_ephemeral_pub")?.bytesContent)
        bench.server.deliver(try phone.hello(code, id: "n-1"))
        bench.server.deliver(try phone.hello(second, id: "n-2", ref: "ref-2"))
        let finishes = try await finishes(bench, count: 1)
        let (secret, identity) = try phone.secret(in: finishes[0], companion: LinkCode.unwrap(wrapped, code: second))
        bench.server.deliver(phone.phone.pairSuccess(identityPublic: identity, advSecret: secret))
        try await login(bench)
    }

    @Test(
        "a registration that the server or the store breaks off is over: the next login begins a new one",
        arguments: ["503", "500", "515", "storage"])
    func brokenOff(by cause: String) async throws {
        let (bench, _, _) = try await waiting()
        if cause == "storage" {
            try await bench.holdCommits()
            bench.server.deliver(try TypingPhone().hello("AAAAAAAA", id: "n-1"))
            try await bench.untilCommitWaits()
            try await bench.releaseCommits(.failed(.unavailable))
        } else {
            bench.server.deliver(Stanza("stream:error", ["code": .text(cause)]))
        }
        _ = try await eventually("the end of the registration") {
            bench.session.state.phase == .idle ? true : nil
        }
        let login = try await bench.session.startQRLogin(restart: false)
        #expect(login.current.index == 0)
        #expect(bench.server.connectCount == 2)
        let qr = try ScannedQR(login.current.text)
        bench.server.deliver(FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        try await self.login(bench)
    }

    @Test("a reconnect asked for between the pairing and its restart waits for the restart")
    func reconnectWhileConfirming() async throws {
        let bench = PairingTests().bench()
        let qr = try ScannedQR(try await bench.session.startQRLogin(restart: false).current.text)
        bench.server.deliver(FakePhone().pairSuccess(identityPublic: qr.identityPublic, advSecret: qr.advSecret))
        _ = try await bench.server.stanza("reply") { $0.child("pair-device-sign") != nil }
        let asking = Task { try await bench.session.reconnect() }
        try await bench.server.settle()
        #expect(bench.server.connectCount == 1)
        bench.server.deliver(Stanza("stream:error", ["code": "515"]))
        try await asking.value
        #expect(bench.server.connectCount == 2)
        // Nothing of the registration is left: the device can be unlinked and linked again.
        try await bench.session.logout()
        let again = try await bench.session.startQRLogin(restart: false)
        #expect(again.current.index == 0)
    }
}

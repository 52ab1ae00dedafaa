import Cryptography
import Foundation
import Sandbox
import Transport

/// A running sandbox with real phones, to which companions are linked by their phone.
struct LinkedSandbox {
    let server: SandboxServer
    let world: World
    let phones: Phones
    let addresses: SandboxAddresses
    let target: URLAndRoot

    static func with(
        _ adjust: (inout SandboxConfiguration) -> Void = { _ in }, _ body: (LinkedSandbox) async throws -> Void
    ) async throws {
        var configuration = SandboxConfiguration()
        (configuration.chatPort, configuration.controlPort, configuration.mediaPort) = (0, 0, 0)
        adjust(&configuration)
        let server = SandboxServer(configuration: configuration)
        let addresses = try await server.start()
        do {
            guard let world = await server.world, let phones = await world.phones else { throw TestFailure("no world") }
            try await body(
                LinkedSandbox(
                    server: server, world: world, phones: phones, addresses: addresses,
                    target: URLAndRoot(url: addresses.webSocket, root: Hex.decode(addresses.rootPublicKey) ?? [])))
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    func register(_ companion: SignalCompanion) async throws -> (ScriptedClient, String) {
        let client = try await ScriptedClient.connect(
            target, noiseKey: companion.keys.noiseKey, payload: companion.keys.registrationPayload())
        let iq = try await client.next("pair-device") { $0.child("pair-device") != nil }
        try await client.send(Stanza("iq", ["to": .jid(.serverJID), "id": iq.attributes["id"], "type": "result"]))
        guard let ref = iq.child("pair-device")?.children("ref").first?.textContent else { throw TestFailure("no ref") }
        return (client, ref)
    }

    /// Answers pair-success and sees the 515.
    func finish(_ companion: SignalCompanion, _ client: ScriptedClient) async throws {
        let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
        try await client.send(companion.keys.answer(pairSuccess: success))
        let restart = try await client.next("515") { $0.tag == "stream:error" }
        guard restart["code"] == "515" else { throw TestFailure("\(restart)") }
        try await client.sendClose()
    }

    func online(_ companion: SignalCompanion) async throws -> ScriptedClient {
        let client = try await ScriptedClient.connect(
            target, noiseKey: companion.keys.noiseKey, payload: companion.keys.loginPayload())
        _ = try await client.next("success") { $0.tag == "success" }
        let answer = try await client.query("set", "encrypt", children: companion.keys.upload(count: 20))
        guard answer.type == "result" else { throw TestFailure("\(answer)") }
        _ = try await client.query("set", "passive", Stanza("active"))
        _ = try await client.next("offline marker") { $0.child("offline") != nil }
        return client
    }

    /// A new account whose companion is linked by QR and online.
    func link(_ number: String) async throws -> (SignalCompanion, ScriptedClient, Account) {
        let account = try await world.createAccount(AccountDraft(phone: number, pushName: "Ada"))
        let (companion, client) = try await link(to: account)
        return (companion, client, account)
    }

    /// One more companion of an account.
    func link(to account: Account) async throws -> (SignalCompanion, ScriptedClient) {
        let companion = SignalCompanion()
        let (client, ref) = try await register(companion)
        guard try await phones.scan(companion.keys.qr(ref: ref), with: account) != nil else {
            throw TestFailure("a passkey was asked for")
        }
        try await finish(companion, client)
        return (companion, try await online(companion))
    }

    /// The next message for the companion, decrypted.
    func message(
        _ companion: SignalCompanion, _ client: ScriptedClient, _ what: String,
        where matches: @Sendable (Stanza) -> Bool = { _ in true }
    ) async throws -> (stanza: Stanza, plaintext: Bytes) {
        let stanza = try await client.next(what) { $0.tag == "message" && matches($0) }
        try await client.send(stanza.deliveryReceipt)
        return (stanza, try companion.open(stanza))
    }

    /// Violations of one kind so far.
    func violations(_ kind: String) async -> [SandboxEvent] {
        await world.events.events(since: 0) { $0.type == .violation && $0.data["kind"]?.stringValue == kind }
    }
}

extension ScriptedClient {
    /// An IQ with a list of children.
    func query(_ type: String, _ xmlns: String, children: [Stanza]) async throws -> Stanza {
        let id = "list-\(Hex.encode(SystemRandom().bytes(4)))"
        try await send(
            Stanza(
                "iq", ["id": .text(id), "type": .text(type), "xmlns": .text(xmlns), "to": .jid(.serverJID)],
                children: children))
        return try await next("answer to \(xmlns)") { $0.tag == "iq" && $0.id == id }
    }
}

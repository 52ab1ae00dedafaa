import Cryptography
import Foundation
import NIOCore
import Sandbox
import Transport

/// A running sandbox with test phones, and the usual steps of a companion in it.
struct TestSandbox: Sendable {
    let server: SandboxServer
    let addresses: SandboxAddresses
    let target: URLAndRoot
    /// Set by `prepare`, before the listener runs.
    let world: World
    let phone: TestPhone

    static func start(
        directory: String? = nil, _ adjust: (inout SandboxConfiguration) -> Void = { _ in }
    ) async throws -> TestSandbox {
        var configuration = SandboxConfiguration()
        configuration.chatPort = 0
        configuration.controlPort = 0
        configuration.mediaPort = 0
        configuration.dataDirectory = directory
        adjust(&configuration)
        let server = SandboxServer(configuration: configuration) { world in
            world.phone = TestPhone(world: world)
        }
        let addresses = try await server.start()
        guard let world = await server.world, let phone = await world.phone as? TestPhone else {
            throw TestFailure("no world")
        }
        return TestSandbox(
            server: server, addresses: addresses,
            target: URLAndRoot(url: addresses.webSocket, root: Hex.decode(addresses.rootPublicKey) ?? []),
            world: world, phone: phone)
    }

    static func with(
        directory: String? = nil, _ adjust: (inout SandboxConfiguration) -> Void = { _ in },
        _ body: (TestSandbox) async throws -> Void
    ) async throws {
        let sandbox = try await start(directory: directory, adjust)
        do { try await body(sandbox) } catch {
            await sandbox.server.stop()
            throw error
        }
        await sandbox.server.stop()
    }

    func account(_ phone: String) async throws -> Account {
        try await world.createAccount(AccountDraft(phone: phone))
    }

    /// Connects for registration and takes the refs.
    func register(_ companion: Companion) async throws -> (client: ScriptedClient, refs: [String]) {
        let client = try await ScriptedClient.connect(
            target, noiseKey: companion.noiseKey, payload: companion.registrationPayload())
        let iq = try await client.next("pair-device") { $0.child("pair-device") != nil }
        try await client.send(Stanza("iq", ["to": .jid(.serverJID), "id": iq.attributes["id"], "type": "result"]))
        return (client, (iq.child("pair-device")?.children("ref") ?? []).compactMap(\.textContent))
    }

    /// Pairs a companion with `account` by QR, through the 515.
    func pair(_ account: Account, _ companion: Companion = Companion()) async throws -> Companion {
        let (client, refs) = try await register(companion)
        guard let ref = refs.first else { throw TestFailure("no refs") }
        let qr = companion.qr(ref: ref)
        try await phone.scan(qr, with: account, secret: companion.advSecret)
        let success = try await client.next("pair-success") { $0.child("pair-success") != nil }
        try await client.send(companion.answer(pairSuccess: success))
        let restart = try await client.next("515") { $0.tag == "stream:error" }
        guard restart["code"] == "515" else { throw TestFailure("\(restart)") }
        try await client.sendClose()
        guard await client.ended() else { throw TestFailure("the server did not close") }
        return companion
    }

    /// Logs in up to `<success>`.
    func login(_ companion: Companion) async throws -> ScriptedClient {
        let client = try await ScriptedClient.connect(
            target, noiseKey: companion.noiseKey, payload: companion.loginPayload())
        _ = try await client.next("success") { $0.tag == "success" }
        return client
    }

    /// Logs in, uploads `keys` one-time keys and becomes active; returns after the offline marker.
    func online(_ companion: Companion, keys: Int = 3) async throws -> ScriptedClient {
        let client = try await login(companion)
        if keys > 0 { try await upload(companion, keys, on: client) }
        try await activate(client)
        return client
    }

    func upload(_ companion: Companion, _ count: Int, on client: ScriptedClient) async throws {
        let id = "upload-\(count)-\(companion.oneTimePreKeys.count)"
        try await client.send(
            Stanza(
                "iq", ["id": .text(id), "type": "set", "xmlns": "encrypt", "to": .jid(.serverJID)],
                children: companion.upload(count: count)))
        let answer = try await client.next("upload result") { $0.id == id }
        guard answer.type == "result" else { throw TestFailure("\(answer)") }
    }

    @discardableResult
    func activate(_ client: ScriptedClient) async throws -> Stanza {
        let answer = try await client.query("set", "passive", Stanza("active"))
        guard answer.type == "result" else { throw TestFailure("\(answer)") }
        return try await client.next("offline marker") { $0.child("offline") != nil }
    }
}

extension Stanza {
    /// A direct message with one opaque enc per device.
    static func message(
        _ id: String, to: JID, devices: [JID], body: Bytes = [1, 2, 3], type: String = "msg"
    ) -> Stanza {
        Stanza(
            "message", ["id": .text(id), "to": .jid(to), "type": "text"],
            children: [
                Stanza(
                    "participants",
                    children: devices.map { jid in
                        Stanza(
                            "to", ["jid": .jid(jid)],
                            children: [
                                Stanza("enc", ["v": "2", "type": .text(type)], bytes: body + [UInt8(jid.device)])
                            ])
                    })
            ])
    }

    /// The delivery receipt for a received message.
    var deliveryReceipt: Stanza {
        Stanza(
            "receipt",
            [
                "id": attributes["id"], "to": attributes["from"], "participant": attributes["participant"],
                "recipient": attributes["recipient"], "type": attributes["recipient"] == nil ? nil : "sender",
            ])
    }
}

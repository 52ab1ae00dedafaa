import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Who may edit and delete", .timeLimit(.minutes(3)))
struct AuthorshipTests {
    private let group = GroupMessagingTests.group

    /// A group of two others and the device under test; each other has written one message, `A` and `B`.
    private struct Scene {
        var bench: Bench
        var first: FakeDevice
        var second: FakeDevice
    }

    private func scene(admin: Bool) async throws -> Scene {
        let bench = try await Bench.ready()
        let first = bench.contact()
        let second = bench.contact("15550002222", lid: "333444555666777")
        let members = [(first, false), (second, admin)].map { member, isAdmin in
            Stanza("participant", ["jid": .jid(member.jid.bare), "type": isAdmin ? "admin" : nil])
        }
        bench.server.world.groups[group] = Stanza(
            "group", ["id": .text(group.user), "subject": "Friends", "addressing_mode": "lid"],
            children: members + [Stanza("participant", ["jid": .jid(Bench.lid.bare)])])
        let scene = Scene(bench: bench, first: first, second: second)
        try first.start(with: Bench.lid, bundle: try bench.bundle())
        try second.start(with: Bench.lid, bundle: try bench.bundle(withOneTimeKey: false))
        try await deliver("A", conversation("mine"), from: first, on: bench)
        try await deliver("B", conversation("theirs"), from: second, on: bench)
        return scene
    }

    private func deliver(
        _ id: String, _ message: ProtoMessage, from device: FakeDevice, on bench: Bench, edit: String? = nil
    ) async throws {
        let number = device.jid.user == "222333444555666" ? "15550001111" : "15550002222"
        bench.server.deliver(
            Stanza(
                "message",
                [
                    "id": .text(id), "from": .jid(group), "participant": .jid(device.jid), "t": "1767323050",
                    "type": "text", "participant_pn": .text("\(number)@s.whatsapp.net"),
                    "edit": edit.map(AttributeValue.text),
                ], children: [try device.encrypt(message, to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt for \(id)") { $0.tag == "receipt" && $0.id == id }
    }

    private func key(_ id: String, fromMe: Bool, participant: JID? = nil) -> ProtoMessage {
        MessageKey(chat: group, fromMe: fromMe, messageID: id, participant: participant).protobuf
    }

    private func edit(of id: String, to text: String) -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 14
                body[message: "key"] = key(id, fromMe: true)
                body[message: "editedMessage"] = conversation(text)
            }
        }
    }

    private func revocation(of id: String, fromMe: Bool, participant: JID? = nil) -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 0
                body[message: "key"] = key(id, fromMe: fromMe, participant: participant)
            }
        }
    }

    private func body(_ id: String, _ bench: Bench) -> String? {
        bench.device.messages.first { $0.messageID == id }?.body
    }

    @Test("a member changes own messages, and no other member's by claiming them")
    func members() async throws {
        let scene = try await scene(admin: false)
        let bench = scene.bench
        try await deliver("E1", edit(of: "A", to: "forged"), from: scene.second, on: bench)
        try await deliver("E2", revocation(of: "A", fromMe: true), from: scene.second, on: bench)
        try await deliver(
            "E3", revocation(of: "A", fromMe: false, participant: scene.first.jid.bare), from: scene.second, on: bench,
            edit: "8")
        #expect(body("A", bench) == "mine")
        #expect(bench.events("message.deleted").isEmpty)
        #expect(bench.events("message.edited").isEmpty)
        #expect(bench.events("message.received").count == 2)

        try await deliver("E4", edit(of: "A", to: "corrected"), from: scene.first, on: bench)
        #expect(body("A", bench) == "corrected")
        #expect(bench.events("message.edited").count == 1)
        try await deliver("E5", revocation(of: "A", fromMe: true), from: scene.first, on: bench)
        #expect(body("A", bench) == nil)
        #expect(bench.events("message.deleted").count == 1)
        #expect(body("B", bench) == "theirs")
    }

    @Test("an admin deletes another's message when the stanza says so")
    func admins() async throws {
        let scene = try await scene(admin: true)
        let bench = scene.bench
        let deletion = revocation(of: "A", fromMe: false, participant: scene.first.jid.bare)
        try await deliver("E1", deletion, from: scene.second, on: bench)
        #expect(body("A", bench) == "mine")
        try await deliver("E2", deletion, from: scene.second, on: bench, edit: "8")
        #expect(body("A", bench) == nil)
        #expect(bench.events("message.deleted").count == 1)
    }
}

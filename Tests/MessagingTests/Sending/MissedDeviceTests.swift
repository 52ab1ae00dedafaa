import Signal
import TestSupport
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Devices the server knows and we did not", .timeLimit(.minutes(3)))
struct MissedDeviceTests {
    @Test("a hash in the ack brings a new device its copy under the same id, once")
    func direct() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        // The list is cached by now; a tablet comes without a word to us.
        let tablet = FakeDevice(phone.jid.device(4))
        bench.server.world.devices[phone.jid]?.append(4)
        bench.server.world.bundles[tablet.jid] = tablet
        bench.server.world.ackExtra = ["phash": "2:AAAAAAAA"]
        bench.server.clearLog()
        let sent = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two"))
        let copy = try await bench.server.stanza("the tablet's copy") {
            $0.tag == "message" && $0["device_fanout"] == "false"
        }
        #expect(copy.id == sent.messageID && copy.to == tablet.jid)
        let enc = try #require(copy.child("enc"))
        #expect(enc.type == "pkmsg" && enc["count"] == nil)
        #expect(try tablet.decrypt(enc, from: Bench.lid)[string: "conversation"] == "two")
        try await bench.server.settle()
        #expect(bench.server.sent.filter { $0.tag == "message" }.count == 2)
    }

    @Test("in a group the new device gets the message with our key, and the next one needs no copy")
    func group() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        GroupMessagingTests().bench(members: [peer], on: bench)
        let chat = GroupMessagingTests.group
        _ = try await bench.session.sendText(TextMessage(chat: chat.description, text: "one"))
        let tablet = FakeDevice(peer.jid.device(4))
        bench.server.world.devices[peer.jid]?.append(4)
        bench.server.world.bundles[tablet.jid] = tablet
        bench.server.world.ackExtra = ["phash": "2:AAAAAAAA"]
        bench.server.clearLog()
        let sent = try await bench.session.sendText(TextMessage(chat: chat.description, text: "two"))
        let name = tablet.jid
        let copy = try await bench.server.stanza("the tablet's copy") { $0.jid("participant") == name }
        #expect(copy.id == sent.messageID && copy.to == chat)
        let message = try tablet.decrypt(try #require(copy.child("enc")), from: Bench.lid)
        #expect(message[string: "conversation"] == "two")
        try tablet.learnSenderKey(message, group: chat, from: Bench.lid)
        bench.server.world.ackExtra = [:]
        try await bench.until("the ack of its copy is stored") {
            bench.device.marks.contains { $0.address == SignalAddress(tablet.jid).description }
        }
        _ = try await bench.session.sendText(TextMessage(chat: chat.description, text: "three"))
        let three = try await bench.server.stanza("the next") {
            $0.tag == "message" && $0.id != sent.messageID && $0.to == chat
        }
        #expect(three.child("participants") == nil)
        let opened = try tablet.decryptGroup(try #require(three.child("enc")), group: chat, from: Bench.lid)
        #expect(opened[string: "conversation"] == "three")
    }

    @Test("a device that is removed makes a new key in every group that shared ours with it, loaded or not")
    func rotation() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        let tablet = FakeDevice(peer.jid.device(4))
        bench.server.world.devices[peer.jid]?.append(4)
        bench.server.world.bundles[tablet.jid] = tablet
        GroupMessagingTests().bench(members: [peer], on: bench)
        let chat = GroupMessagingTests.group
        _ = try await bench.session.sendText(TextMessage(chat: chat.description, text: "one"))
        let one = try await bench.server.stanza("first") { $0.tag == "message" }
        let oldKey = try SenderKeyMessage(parsing: try #require(one.child("enc")?.bytesContent)).keyID
        // A process that has nothing of it in memory.
        await bench.session.stop()
        bench.restart()
        try await bench.connect()
        bench.server.world.devices[peer.jid] = [0]
        bench.server.deliver(
            Stanza(
                "notification",
                [
                    "id": "n-1", "from": "15550001111@s.whatsapp.net", "lid": .jid(peer.jid), "t": "1767323050",
                    "type": "devices",
                ],
                children: [
                    Stanza(
                        "remove", ["device_lid_hash": .text(ParticipantHash.version2([peer.jid]))],
                        children: [Stanza("device", ["jid": "15550001111:4@s.whatsapp.net"])])
                ]))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "notification" }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: chat.description, text: "two"))
        let two = try await bench.server.stanza("second") { $0.tag == "message" }
        #expect(try SenderKeyMessage(parsing: try #require(two.child("enc")?.bytesContent)).keyID != oldKey)
        let reached = Set(two.child("participants")?.children("to").compactMap { $0.jid("jid") } ?? [])
        #expect(reached == [peer.jid, Bench.lid.bare])
    }
}

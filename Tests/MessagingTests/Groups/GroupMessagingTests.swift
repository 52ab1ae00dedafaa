import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Groups", .timeLimit(.minutes(3)))
struct GroupMessagingTests {
    static let group = JID.group("120363040000000001")

    func bench(members: [FakeDevice], on bench: Bench) {
        var participants = members.map { member in
            Stanza("participant", ["jid": .jid(member.jid.bare)])
        }
        participants.append(
            Stanza("participant", ["jid": .jid(Bench.lid.bare), "phone_number": .jid(Bench.pn.bare), "type": "admin"]))
        bench.server.world.groups[Self.group] = Stanza(
            "group",
            [
                "id": .text(Self.group.user), "subject": "Friends", "creation": "1700000000", "addressing_mode": "lid",
                "size": .int(participants.count),
            ], children: participants)
    }

    @Test("the first message brings the sender key to everybody, the next to nobody, and all can read both")
    func sends() async throws {
        let bench = try await Bench.ready()
        let first = bench.contact()
        let second = bench.contact("15550002222", lid: "333444555666777")
        self.bench(members: [first, second], on: bench)
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        let one = try await bench.server.stanza("first") { $0.tag == "message" }
        #expect(one["addressing_mode"] == "lid")
        let copies = one.child("participants")?.children("to") ?? []
        #expect(Set(copies.compactMap { $0.jid("jid") }) == [first.jid, second.jid, Bench.lid.bare])
        #expect(copies.allSatisfy { $0.child("enc")?["decrypt-fail"] == nil })
        #expect(
            one["phash"] == ParticipantHash.version2([first.jid, second.jid, Bench.lid.bare, Bench.lid]))
        for device in [first, second] {
            let enc = try #require(copies.first { $0.jid("jid") == device.jid }?.child("enc"))
            try device.learnSenderKey(try device.decrypt(enc, from: Bench.lid), group: Self.group, from: Bench.lid)
            let body = try device.decryptGroup(try #require(one.child("enc")), group: Self.group, from: Bench.lid)
            #expect(body[string: "conversation"] == "one")
        }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "two"))
        let two = try await bench.server.stanza("second") { $0.tag == "message" }
        #expect(two.child("participants") == nil)
        #expect(two.child("device-identity") == nil)
        #expect(
            try first.decryptGroup(try #require(two.child("enc")), group: Self.group, from: Bench.lid)[
                string: "conversation"] == "two")
        #expect(bench.server.sent.filter { $0.tag == "iq" }.isEmpty)
    }

    @Test("a member who registered anew and wrote before the next group message gets the sender key again")
    func registeredAnew() async throws {
        let bench = try await Bench.ready()
        let stays = bench.contact("15550002222", lid: "333444555666777")
        let old = bench.contact()
        self.bench(members: [stays, old], on: bench)
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        let one = try await bench.server.stanza("first") { $0.tag == "message" }
        let enc = try #require(
            one.child("participants")?.children("to").first { $0.jid("jid") == old.jid }?.child("enc"))
        _ = try old.decrypt(enc, from: Bench.lid)

        let new = FakeDevice(old.jid)
        bench.server.world.bundles[new.jid] = new
        try new.start(with: Bench.lid, bundle: try bench.bundle())
        bench.server.deliver(
            bench.message("A1", from: new, encs: [try new.encrypt(conversation("new phone"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "A1" }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "two"))
        let two = try await bench.server.stanza("second") { $0.tag == "message" }
        let copies = two.child("participants")?.children("to") ?? []
        #expect(copies.compactMap { $0.jid("jid") } == [new.jid])
        let copy = try #require(copies.first?.child("enc"))
        try new.learnSenderKey(try new.decrypt(copy, from: Bench.lid), group: Self.group, from: Bench.lid)
        let body = try new.decryptGroup(try #require(two.child("enc")), group: Self.group, from: Bench.lid)
        #expect(body[string: "conversation"] == "two")
    }

    @Test("after somebody left, a new key goes to those who stayed")
    func rotates() async throws {
        let bench = try await Bench.ready()
        let stays = bench.contact()
        let leaves = bench.contact("15550002222", lid: "333444555666777")
        self.bench(members: [stays, leaves], on: bench)
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        let one = try await bench.server.stanza("first") { $0.tag == "message" }
        let oldKey = try SenderKeyMessage(parsing: try #require(one.child("enc")?.bytesContent)).keyID
        bench.server.deliver(
            Stanza(
                "notification",
                [
                    "id": "g-1", "from": .jid(Self.group), "t": "1767323050", "type": "w:gp2",
                    "participant": .jid(leaves.jid),
                ],
                children: [Stanza("remove", children: [Stanza("participant", ["jid": .jid(leaves.jid)])])]))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "notification" }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "two"))
        let two = try await bench.server.stanza("second") { $0.tag == "message" }
        let copies = two.child("participants")?.children("to") ?? []
        #expect(Set(copies.compactMap { $0.jid("jid") }) == [stays.jid, Bench.lid.bare])
        #expect(try SenderKeyMessage(parsing: try #require(two.child("enc")?.bytesContent)).keyID != oldKey)
        #expect(bench.events("group.participant_update").first?.json.contains(leaves.jid.description) == true)
    }

    @Test("a group message is read with the key that came with it; without the key it is asked for, keys included")
    func receives() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        self.bench(members: [peer], on: bench)
        let stanza = { (id: String, encs: [Stanza]) in
            Stanza(
                "message",
                [
                    "id": .text(id), "from": .jid(Self.group), "participant": .jid(peer.jid), "t": "1767323050",
                    "type": "text", "addressing_mode": "lid", "participant_pn": "15550001111@s.whatsapp.net",
                ], children: encs)
        }
        let lost = try peer.encryptGroup(conversation("lost"), group: Self.group)
        bench.server.deliver(stanza("G0", [lost.enc]))
        let retry = try await bench.server.stanza("retry") { $0.type == "retry" }
        #expect(retry.jid("participant") == peer.jid && retry.to == Self.group)
        let keys = try #require(retry.child("keys"))
        let bundle = try #require(
            PreKeyBundle(node: keys, device: Bench.lid, registration: retry.child("registration")))
        #expect(bench.events("message.undecryptable").first?.json.contains("\"is_unavailable\":true") == true)

        try peer.start(with: Bench.lid, bundle: bundle)
        let next = try peer.encryptGroup(conversation("hello all"), group: Self.group)
        bench.server.deliver(stanza("G1", [next.enc, try peer.encrypt(next.distribution, to: Bench.lid)]))
        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "G1" }
        #expect(receipt.to == Self.group && receipt.jid("participant") == peer.jid)
        let row = try #require(bench.device.messages.first { $0.messageID == "G1" })
        #expect(row.chat == Self.group.description && row.sender == peer.jid.description && row.body == "hello all")
    }

    @Test("a member who could not read gets the message with our key, pairwise")
    func answersRetry() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        self.bench(members: [peer], on: bench)
        let result = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        let fresh = FakeDevice(peer.jid)
        bench.server.world.acknowledgesMessages = false
        bench.server.deliver(
            Stanza(
                "receipt",
                [
                    "id": .text(result.messageID), "from": .jid(Self.group), "participant": .jid(peer.jid),
                    "t": "1767323050", "type": "retry",
                ],
                children: [
                    Stanza("retry", ["count": "1", "id": .text(result.messageID), "t": "1767323045", "v": "1"]),
                    Stanza("registration", bytes: bigEndian(fresh.registrationID, 4)),
                    Stanza("keys", children: fresh.bundleNode().childrenContent),
                ]))
        let resend = try await bench.server.stanza("resend") { $0.tag == "message" && $0["participant"] != nil }
        #expect(resend.id == result.messageID && resend.to == Self.group && resend["t"] == "1767323045")
        let enc = try #require(resend.child("enc"))
        #expect(enc.type == "pkmsg" && enc["count"] == "1")
        let message = try fresh.decrypt(enc, from: Bench.lid)
        #expect(message[string: "conversation"] == "one")
        try fresh.learnSenderKey(message, group: Self.group, from: Bench.lid)
        // It holds our key once the server has the resend.
        let address = SignalAddress(peer.jid).description
        try await bench.server.settle()
        #expect(!bench.device.marks.contains { $0.address == address })
        bench.server.world.acknowledgesMessages = true
        bench.server.deliver(
            Stanza(
                "ack", ["class": "message", "id": resend.attributes["id"], "from": .jid(Self.group), "t": "1767323060"])
        )
        try await bench.until("the mark") { bench.device.marks.contains { $0.address == address } }
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "two"))
        let two = try await bench.server.stanza("next") { $0.tag == "message" && $0.id != result.messageID }
        #expect(
            try fresh.decryptGroup(try #require(two.child("enc")), group: Self.group, from: Bench.lid)[
                string: "conversation"] == "two")
    }

    @Test("dirty bits are cleaned for what is kept here, and the stored metadata of groups is not used after one")
    func dirtyBits() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        self.bench(members: [peer], on: bench)
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        bench.server.clearLog()
        for type in ["syncd_app_state", "newsletter_metadata", "unheard_of", "groups"] {
            bench.server.deliver(
                Stanza(
                    "ib", ["from": .jid(.serverJID)],
                    children: [Stanza("dirty", ["type": .text(type), "timestamp": "1767323050"])]))
        }
        _ = try await bench.server.stanza("clean") { $0.child("clean") != nil }
        _ = try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "two"))
        #expect(bench.server.sent.compactMap { $0.child("clean")?.type } == ["groups"])
        #expect(bench.server.sent.contains { $0["xmlns"] == "w:g2" })
    }

    @Test("a group one is not in is refused")
    func notIn() async throws {
        let bench = try await Bench.ready()
        await #expect(throws: SessionError.groupNotFound) {
            try await bench.session.sendText(TextMessage(chat: Self.group.description, text: "one"))
        }
    }
}

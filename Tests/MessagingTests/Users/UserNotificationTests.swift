import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Notifications about people and the own account", .timeLimit(.minutes(3)))
struct UserNotificationTests {
    private func notify(_ bench: Bench, _ type: String, from: JID, extra: StanzaAttributes = [:], _ children: Stanza...)
        async throws
    {
        let base: StanzaAttributes = ["id": "n-1", "from": .jid(from), "t": "1767323050", "type": .text(type)]
        bench.server.deliver(Stanza("notification", base.merging(extra), children: children))
        let ack = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "notification" }
        #expect(ack.type == type && ack.to == from)
    }

    @Test("a person who registered anew gets a new session, and nobody trusts the old identity")
    func identityChange() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        let renewed = FakeDevice(phone.jid)
        bench.server.world.bundles[phone.jid] = renewed
        bench.server.clearLog()
        try await notify(bench, "encrypt", from: phone.jid, Stanza("identity"))
        #expect(
            bench.events("identity.change").first?.json.contains("\"target\":\"15550001111@s.whatsapp.net\"") == true)
        #expect(bench.device.identities["222333444555666_1:0"] == nil)
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        #expect(try renewed.decrypt(enc, from: Bench.lid)[string: "conversation"] == "two")
        #expect(bench.device.identities["222333444555666_1:0"] == renewed.identity.publicKey.raw)
    }

    @Test("records of a number that are not stored yet move to its LID with the others")
    func migrationFromMemory() async throws {
        let bench = try await Bench.ready()
        let phone = FakeDevice(.user("15550009999"))
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        func message(_ id: String, lid: String?) throws -> Stanza {
            Stanza(
                "message",
                [
                    "id": .text(id), "from": .jid(phone.jid), "t": "1767323050", "type": "text",
                    "sender_lid": lid.map(AttributeValue.text),
                ], children: [try phone.encrypt(conversation(id), to: Bench.lid)])
        }
        let (first, second) = (try message("M1", lid: nil), try message("M2", lid: "999888777666555@lid"))
        try await bench.holdCommits()
        bench.server.deliver(first)
        try await bench.untilCommitWaits()
        let waiting = bench.commits.waitingCount
        bench.server.deliver(second)
        try await bench.until("both are handled") { bench.commits.waitingCount > waiting + 1 }
        try await bench.releaseCommits()
        for id in ["M1", "M2"] {
            _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == id && $0.type != "retry" }
        }
        #expect(bench.device.messages.compactMap(\.body) == ["M1", "M2"])
        #expect(Set(bench.device.sessions.keys) == ["999888777666555_1:0"])
    }

    @Test("the devices of more people than memory holds are all found")
    func manyPeople() async throws {
        let bench = try await Bench.ready()
        let people = (0..<2500).map { JID.lid("30000000000\(1000 + $0)") }
        var world = bench.server.world
        for person in people { world.devices[person] = [0] }
        bench.server.world = world
        let lists = try await bench.session.deviceLists(of: people)
        #expect(lists.map(\.user) == people.map(\.description))
    }

    @Test("a device that was added gets the next message without a query")
    func deviceAdded() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        let tablet = FakeDevice(phone.jid.device(4))
        bench.server.world.bundles[tablet.jid] = tablet
        bench.server.clearLog()
        try await notify(
            bench, "devices", from: .user("15550001111"), extra: ["lid": .jid(phone.jid)],
            Stanza(
                "add", ["device_lid_hash": .text(ParticipantHash.version2([phone.jid, tablet.jid]))],
                children: [Stanza("device", ["jid": "15550001111:4@s.whatsapp.net", "key-index": "2"])]))
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let targets = stanza.child("participants")?.children("to").compactMap { $0.jid("jid") } ?? []
        #expect(targets.contains(tablet.jid))
        #expect(!bench.server.sent.contains { $0["xmlns"] == "usync" })
    }

    @Test("the own device list of a notification is used when its hash agrees")
    func ownDevices() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        let devices = [Bench.pn.bare, Bench.pn, Bench.pn.device(9)]
        try await notify(
            bench, "account_sync", from: Bench.pn.bare,
            Stanza(
                "devices", ["dhash": .text(ParticipantHash.version2(devices))],
                children: devices.map { Stanza("device", ["jid": .jid($0)]) }))
        #expect(bench.device.userDevices[Bench.lid.bare.description]?.devices == [0, 7, 9])
    }

    @Test("few prekeys left: fifty fresh ones are stored, then uploaded, then marked")
    func preKeysLow() async throws {
        let bench = try await Bench.ready()
        try await notify(bench, "encrypt", from: .serverJID, Stanza("count", ["value": "3"]))
        let upload = try await bench.server.stanza("upload") { $0.child("list") != nil }
        let keys = upload.child("list")?.children("key") ?? []
        #expect(keys.count == 50)
        #expect(keys.first?.child("id")?.bytesContent == [0, 0, 11])
        try await bench.until("all are marked") { bench.device.preKeys.values.allSatisfy(\.uploaded) }
        #expect(bench.device.credentials?.nextPreKeyID == 61)
    }

    @Test("a token somebody gave us goes with the next message to them")
    func token() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try await notify(
            bench, "privacy_token", from: .user("15550001111"), extra: ["sender_lid": .jid(phone.jid)],
            Stanza(
                "tokens",
                children: [Stanza("token", ["type": "trusted_contact", "t": "1767323000"], bytes: [1, 2, 3])]))
        try await bench.server.settle()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(stanza.child("tctoken")?.bytesContent == [1, 2, 3])
        let issue = try await bench.server.stanza("our token") { $0.child("tokens") != nil && $0.tag == "iq" }
        #expect(issue.child("tokens", "token")?.jid("jid") == phone.jid)
    }

    @Test("a session made under a number moves to the LID once that is known")
    func migration() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let byNumber = { (id: String, enc: Stanza) in
            Stanza(
                "message", ["id": .text(id), "from": "15550001111@s.whatsapp.net", "t": "1767323050", "type": "text"],
                children: [enc])
        }
        bench.server.deliver(byNumber("P1", try phone.encrypt(conversation("by number"), to: Bench.lid)))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "P1" }
        #expect(bench.device.sessions.keys.sorted() == ["15550001111:0"])
        bench.server.deliver(
            bench.message("P2", from: phone, encs: [try phone.encrypt(conversation("by LID"), to: Bench.lid)]))
        bench.server.deliver(
            Stanza(
                "message",
                [
                    "id": "P3", "from": "15550001111@s.whatsapp.net", "sender_lid": .jid(phone.jid),
                    "t": "1767323051", "type": "text",
                ], children: [try phone.encrypt(conversation("again"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "P3" }
        #expect(bench.device.sessions.keys.sorted() == ["222333444555666_1:0"])
        #expect(bench.device.messages.contains { $0.messageID == "P3" && $0.chat == phone.jid.description })
    }

    @Test("an answer to somebody who wrote under the number goes on in the same session, under the LID")
    func answerUnderLID() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        bench.server.deliver(
            Stanza(
                "message",
                ["id": "N1", "from": "15550001111@s.whatsapp.net", "t": "1767323050", "type": "text"],
                children: [try phone.encrypt(conversation("by number"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "N1" }

        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "answer"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        #expect(enc.type == "msg")
        #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "answer")
        try await bench.until("the records have moved") { bench.device.sessions["15550001111:0"] == nil }
        #expect(bench.device.sessions["222333444555666_1:0"] != nil)
    }

    @Test("numbers are looked up in one query, with or without plus")
    func isOnWhatsApp() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        let users = try await bench.session.isOnWhatsApp(["+15550001111", "15550009999"])
        #expect(users.map(\.isRegistered) == [true, false])
        #expect(users[0].jid == "15550001111@s.whatsapp.net" && users[0].lid == "222333444555666@lid")
        #expect(users[0].phone == "+15550001111")
        #expect(bench.server.sent.filter { $0["xmlns"] == "usync" }.count == 1)
        try await bench.until("the pair is stored") { bench.device.lidByPN["15550001111"] == "222333444555666" }
    }

    @Test("reading marks a chat read, with the kind the privacy settings ask for")
    func markRead() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.isOnWhatsApp(["15550001111"])
        try await bench.session.markRead(
            chat: "15550001111@s.whatsapp.net", messageIDs: ["A", "B"], sender: nil, played: false)
        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        #expect(receipt.type == "read" && receipt.to == phone.jid && receipt.id == "A")
        #expect(receipt.child("list")?.children("item").compactMap(\.id) == ["B"])
    }
}

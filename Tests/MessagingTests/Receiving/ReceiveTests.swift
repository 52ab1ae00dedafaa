import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Receiving", .timeLimit(.minutes(3)))
struct ReceiveTests {
    @Test("a first message is decrypted, stored with its event, and receipted only after the commit")
    func firstMessage() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        try await bench.holdCommits()
        bench.server.deliver(
            bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)]))
        try await bench.untilCommitWaits()
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "receipt" || $0.tag == "ack" })
        try await bench.releaseCommits()

        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        #expect(receipt.id == "M1" && receipt.to == phone.jid && receipt.type == "inactive")
        let row = try #require(bench.device.messages.first)
        #expect(row.chat == phone.jid.description && row.body == "hello" && !row.fromMe)
        #expect(row.senderAlternative == "15550001111@s.whatsapp.net")
        let event = try #require(bench.events("message.received").first)
        #expect(event.json.contains("\"message_id\":\"M1\""))
        #expect(event.json.contains("\"text\":\"hello\""))
        // People are shown by number; rows are kept under the LID.
        #expect(event.json.contains("\"from\":\"15550001111@s.whatsapp.net\""))
        #expect(event.json.contains("\"chat\":\"15550001111@s.whatsapp.net\""))
        #expect(event.json.contains("\"from_lid\":\"222333444555666@lid\""))
        #expect(bench.device.preKeys[1] == nil)
        #expect(bench.device.lidByPN["15550001111"] == "222333444555666")
        #expect(!bench.server.sent.contains { $0.tag == "ack" })
    }

    @Test("a redelivered message is stored once and receipted again")
    func redelivered() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let stanza = bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)])
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        bench.server.clearLog()
        bench.server.deliver(stanza)
        let again = try await bench.server.stanza("second receipt") { $0.tag == "receipt" }
        #expect(again.type == "inactive")
        #expect(bench.device.messages.count == 1)
        #expect(bench.events("message.received").count == 1)
    }

    @Test("a message handled by an earlier process is receipted, not asked for again")
    func redeliveredAfterRestart() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let stanza = bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)])
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        await bench.session.stop()
        bench.restart()
        try await bench.connect()
        bench.server.deliver(stanza)
        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        #expect(receipt.type == "inactive")
        #expect(bench.events("message.received").count == 1)
    }

    @Test("an unreadable message asks for a resend, with keys the second time, and the resend replaces the placeholder")
    func retry() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        var enc = try phone.encrypt(conversation("hello"), to: Bench.lid)
        let good = try #require(enc.bytesContent)
        enc.content = .bytes(Array(good.dropLast(9)) + [good[good.count - 9] ^ 1] + good.suffix(8))
        bench.server.deliver(bench.message("M1", from: phone, encs: [enc]))
        let first = try await bench.server.stanza("retry") { $0.tag == "receipt" && $0.type == "retry" }
        #expect(first.child("retry")?.int("count") == 1)
        #expect(first.child("registration")?.bytesContent?.count == 4)
        #expect(bench.device.messages.first?.type == "undecryptable")
        #expect(bench.events("message.undecryptable").count == 1)
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "message" }

        bench.server.clearLog()
        bench.server.deliver(bench.message("M1", from: phone, encs: [enc]))
        let second = try await bench.server.stanza("second retry") { $0.tag == "receipt" && $0.type == "retry" }
        #expect(second.child("retry")?.int("count") == 2)
        let keys = try #require(second.child("keys"))
        let bundle = try #require(
            PreKeyBundle(node: keys, device: Bench.lid, registration: second.child("registration")))
        let id = try #require(bundle.oneTimePreKeyID)
        #expect(bench.device.preKeys[id]?.uploaded == true)

        var resend = try {
            try phone.start(with: Bench.lid, bundle: bundle)
            return try phone.encrypt(conversation("hello"), to: Bench.lid)
        }()
        resend.attributes["count"] = "2"
        bench.server.deliver(bench.message("M1", from: phone, encs: [resend]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.type == "inactive" }
        #expect(bench.device.messages.count == 1)
        #expect(bench.device.messages.first?.body == "hello")
        #expect(bench.events("message.received").first?.json.contains("\"retry_count\":2") == true)
    }

    @Test("a companion that its owner's list lacks gets keys with the first request, and the list is asked for again")
    func unknownCompanion() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "the list is known from now on"))
        bench.server.clearLog()
        let companion = FakeDevice(.lid("222333444555666", device: 9))
        try companion.start(with: Bench.lid, bundle: try bench.bundle())
        var enc = try companion.encrypt(conversation("hello"), to: Bench.lid)
        let good = try #require(enc.bytesContent)
        enc.content = .bytes(Array(good.dropLast(9)) + [good[good.count - 9] ^ 1] + good.suffix(8))
        bench.server.deliver(bench.message("M1", from: companion, encs: [enc]))
        let retry = try await bench.server.stanza("retry") { $0.tag == "receipt" && $0.type == "retry" }
        #expect(retry.child("retry")?.int("count") == 1 && retry.child("retry")?.int("error") == 11)
        #expect(retry.child("keys") != nil)
        _ = try await bench.server.stanza("the list") { $0["xmlns"] == "usync" }
    }

    @Test("after four requests for one message nothing is asked any more, and it is acked")
    func givesUp() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let enc = Stanza("enc", ["v": "2", "type": "msg"], bytes: [0x33, 1, 2, 3])
        for _ in 0..<6 {
            bench.server.clearLog()
            bench.server.deliver(bench.message("M1", from: phone, encs: [enc]))
            _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "message" }
            try await bench.server.settle()
        }
        #expect(!bench.server.sent.contains { $0.type == "retry" })
        #expect(bench.device.messages.count == 1)
    }

    @Test("a copy from another own device belongs to the chat it was sent to")
    func deviceSent() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let own = try #require(bench.server.world.bundles[Bench.lid.bare])
        try own.start(with: Bench.lid, bundle: try bench.bundle())
        let copy = try #require(MessagePlaintext.deviceSent(conversation("from my phone"), to: phone.jid))
        bench.server.deliver(
            Stanza(
                "message",
                [
                    "id": "S1", "from": .jid(Bench.lid.bare), "recipient": .jid(phone.jid), "t": "1767323050",
                    "type": "text", "peer_recipient_pn": "15550001111@s.whatsapp.net",
                ], children: [try own.encrypt(copy, to: Bench.lid)]))
        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        #expect(receipt.type == "sender" && receipt.jid("recipient") == phone.jid)
        let row = try #require(bench.device.messages.first)
        #expect(row.fromMe && row.chat == phone.jid.description && row.body == "from my phone")
    }

    @Test("key shares and history notifications of the own phone are stored as keys and jobs, and receipted twice")
    func peerMessage() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        let own = try #require(bench.server.world.bundles[Bench.lid.bare])
        try own.start(with: Bench.lid, bundle: try bench.bundle())
        let share = ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 6
                body.update("appStateSyncKeyShare") { share in
                    share[messages: "keys"] = [
                        ProtoMessage(share.type(of: "keys")) { key in
                            key.update("keyID") { $0[bytes: "keyID"] = [0, 0, 0, 0, 1, 2] }
                            key.update("keyData") { $0[bytes: "keyData"] = [UInt8](repeating: 9, count: 32) }
                        }
                    ]
                }
            }
        }
        bench.server.deliver(
            Stanza(
                "message",
                ["id": "P1", "from": .jid(Bench.pn.bare), "t": "1767323050", "type": "text", "category": "peer"],
                children: [try own.encrypt(share, to: Bench.lid)]))
        _ = try await bench.server.stanza("peer receipt") {
            $0.tag == "receipt" && $0.type == "peer_msg" && $0.to == Bench.pn.bare
        }
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.type == "sender" }
        #expect(bench.device.appStateKeys.count == 1)
        #expect(bench.device.jobs.contains { $0.kind == .appStateSync })
        #expect(bench.device.messages.isEmpty && bench.events("message.received").isEmpty)
    }

    @Test("receipts raise the state of an own message, never lower it, and are acked after the commit")
    func receipts() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        for type in ["read", nil] as [String?] {
            bench.server.deliver(
                Stanza(
                    "receipt",
                    [
                        "id": .text(result.messageID), "from": .jid(phone.jid), "t": "1767323060",
                        "type": type.map(AttributeValue.text),
                    ]))
        }
        _ = try await bench.server.stanza("ack of read") {
            $0.tag == "ack" && $0["class"] == "receipt" && $0.type == "read"
        }
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "receipt" && $0.type == nil }
        #expect(bench.device.messages.first { $0.fromMe }?.status == .read)
        #expect(bench.device.receipts.count == 2)
        #expect(bench.events("message.read").count == 1 && bench.events("message.delivered").count == 1)
        #expect(bench.events("message.read").first?.json.contains("\"sender\":\"15550001111@s.whatsapp.net\"") == true)
        #expect(bench.events("message.sent").first?.json.contains("\"chat\":\"15550001111@s.whatsapp.net\"") == true)
    }

    @Test("a stanza that lacks what it must have is refused with 487, one without content with 488")
    func refused() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        bench.server.deliver(Stanza("message", ["id": "X1", "from": .jid(phone.jid)]))
        let first = try await bench.server.stanza("nack") { $0.tag == "ack" && $0.id == "X1" }
        #expect(first.int("error") == 487)
        bench.server.deliver(bench.message("X2", from: phone, encs: []))
        let second = try await bench.server.stanza("nack") { $0.tag == "ack" && $0.id == "X2" }
        #expect(second.int("error") == 488)
    }

    @Test("a store that fails leaves the stanza unanswered for redelivery")
    func storeFails() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let stanza = bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)])
        bench.failLoads(.unavailable("down"))
        bench.server.deliver(stanza)
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "receipt" || $0.tag == "ack" })
        bench.failLoads(nil)
    }
}

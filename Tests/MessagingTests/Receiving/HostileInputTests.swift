import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("What others may write and no row can hold", .timeLimit(.minutes(3)))
struct HostileInputTests {
    @Test("times beyond what a row and RFC 3339 can say become the last that can be said")
    func times() {
        for seconds in [Int64.max, Int64.max / 1_000_000, 253_402_300_800] {
            #expect(Timestamp(seconds: seconds).rfc3339 == "9999-12-31T23:59:59.999999Z")
            #expect(Timestamp(milliseconds: seconds).seconds >= 0)
        }
        #expect(Timestamp(seconds: .min).rfc3339 == "0001-01-01T00:00:00.000000Z")
        #expect(Timestamp(microseconds: .min).milliseconds == Timestamp(seconds: .min).milliseconds)
        #expect(Timestamp(seconds: 1).adding(seconds: .max) == Timestamp(seconds: .max))
        #expect(Timestamp(seconds: 5).adding(seconds: -2) == Timestamp(seconds: 3))
    }

    @Test("a server clock at the end of time does not keep a device from logging in", arguments: [Int64.max, .min])
    func clock(time: Int64) async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("success", ["t": .int(time), "lid": .jid(Bench.lid)])] }
        try await bench.connect()
        #expect(bench.session.state.phase == .ready)
    }

    @Test(
        "the number of a resend is what its sender claims, within the limit of resends",
        arguments: [(Int.max, nil), (5, nil), (4, nil), (3, 4), (0, 1), (-1, 1), (Int.min, 1)] as [(Int, Int?)])
    func resendCounts(claimed: Int, next: Int?) throws {
        let enc = try #require(
            IncomingEnc(Stanza("enc", ["type": "msg", "v": "2", "count": .int(claimed)], bytes: [1, 2, 3])))
        #expect((0...RetryReceipt.limit).contains(enc.count))
        let info = try #require(
            MessageInfo(
                Stanza("message", ["id": "M1", "t": "1767323045", "from": "222@lid"]),
                own: OwnAddresses(pn: Bench.pn, lid: Bench.lid)))
        var counters = RetryCounters()
        #expect(counters.next(for: info, resendCount: enc.count) == next)
        counters = RetryCounters()
        #expect(counters.next(for: info, resendCount: claimed) == next)
    }

    @Test("a disappearing timer beyond what its column holds is cut to it, from messages and from groups")
    func timers() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let setting = ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 3
                body[uint: "ephemeralExpiration"] = UInt64(UInt32.max)
            }
        }
        bench.server.deliver(bench.message("M1", from: phone, encs: [try phone.encrypt(setting, to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" }
        #expect(bench.device.chats[phone.jid.description]?.ephemeral?.seconds == Int(Int32.max))

        bench.server.deliver(
            Stanza(
                "notification",
                ["id": "N1", "type": "w:gp2", "from": "120363001@g.us", "t": "1767323050"],
                children: [Stanza("ephemeral", ["expiration": .int(Int64.max)])]))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0.id == "N1" }
        #expect(bench.device.chats["120363001@g.us"]?.ephemeral?.seconds == Int(Int32.max))
        let info = try #require(
            GroupInfo(
                node: Stanza(
                    "group", ["id": "1"], children: [Stanza("ephemeral", ["expiration": .int(Int64.max)])])))
        #expect(info.ephemeralSeconds == Int(Int32.max))
    }

    @Test("ids that no key of a row holds are refused, in receipts, their lists and requests for a resend")
    func ids() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let long = String(repeating: "A", count: 129)
        for type in ["read", "retry"] {
            bench.server.deliver(
                Stanza(
                    "receipt", ["id": .text(long), "type": .text(type), "from": .jid(phone.jid), "t": "1767323050"],
                    children: [Stanza("retry", ["count": "1", "id": .text(long), "t": "1"])]))
            let answer = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["type"] == type }
            #expect(answer["error"] == "487")
        }
        bench.server.deliver(
            Stanza(
                "receipt", ["id": "M1", "type": "read", "from": .jid(phone.jid), "t": .int(Int64.max)],
                children: [
                    Stanza("list", children: [Stanza("item", ["id": .text(long)]), Stanza("item", ["id": "M2"])])
                ]
            ))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0.id == "M1" }
        #expect(bench.device.receipts.map(\.messageID) == ["M1", "M2"])
        #expect(bench.events("message.read").allSatisfy { $0.dedupeKey.utf8.count < 512 })
        let event = DeviceEvent(
            type: "t", dedupeKey: String(repeating: "k", count: 9000), data: [], at: bench.clock.now())
        #expect(event.dedupeKey.utf8.count < 100)
    }

    @Test("a stanza whose rows the store refuses is refused when it comes again; the device and its sends go on")
    func poison() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let bad = bench.message("BAD", from: phone, encs: [try phone.encrypt(conversation("bad"), to: Bench.lid)])
        let good = bench.message("GOOD", from: phone, encs: [try phone.encrypt(conversation("good"), to: Bench.lid)])
        try await bench.holdCommits()
        bench.server.deliver(bad)
        try await bench.untilCommitWaits()
        bench.server.deliver(good)
        try await bench.until("both are submitted") { bench.commits.waitingCount > 1 }
        try await bench.releaseCommits(.failed(.rejected("value out of range")))

        try await bench.until("the device connects again") {
            bench.server.connectCount == 2 && bench.session.state.phase == .ready
        }
        #expect(!bench.server.sent.contains { $0.tag == "receipt" })
        bench.server.clearLog()
        bench.server.deliver(bad)
        let refusal = try await bench.server.stanza("nack") { $0.tag == "ack" && $0.id == "BAD" }
        #expect(refusal["error"] == "500")
        bench.server.deliver(good)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "GOOD" }
        #expect(bench.device.messages.map(\.body) == ["good"])
        let sent = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "and on"))
        #expect(bench.device.messages.contains { $0.messageID == sent.messageID && $0.status == .sent })
    }

    @Test("a send whose rows the store refuses fails alone")
    func refusedSend() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        try await bench.holdCommits()
        let refused = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "refused")) }
        try await bench.until("its rows are submitted") {
            bench.commits.submitted.contains { $0.messages.contains { $0.body == "refused" } }
        }
        try await bench.releaseCommits(.failed(.rejected("value out of range")))
        await #expect(throws: SessionError.self) { try await refused.value }
        try await bench.until("the device connects again") {
            bench.server.connectCount == 2 && bench.session.state.phase == .ready
        }
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "on"))
        #expect(!bench.device.messages.contains { $0.body == "refused" })
    }
}

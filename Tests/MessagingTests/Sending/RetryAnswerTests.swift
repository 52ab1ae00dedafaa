import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Answering retry receipts", .timeLimit(.minutes(3)))
struct RetryAnswerTests {
    private func retry(_ id: String, from peer: FakeDevice, count: Int, keys: FakeDevice? = nil) -> Stanza {
        var children = [
            Stanza("retry", ["count": .int(count), "id": .text(id), "t": "1767323045", "v": "1"]),
            Stanza("registration", bytes: bigEndian((keys ?? peer).registrationID, 4)),
        ]
        if let keys { children.append(Stanza("keys", children: keys.bundleNode().childrenContent)) }
        return Stanza(
            "receipt", ["id": .text(id), "from": .jid(peer.jid), "t": "1767323050", "type": "retry"], children: children
        )
    }

    @Test("without keys the session stays, and the same text goes to the one device that asked")
    func keepsSession() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        bench.server.deliver(retry(result.messageID, from: phone, count: 1))
        let resend = try await bench.server.stanza("resend") { $0.tag == "message" }
        #expect(resend.id == result.messageID && resend.to == phone.jid && resend["device_fanout"] == "false")
        let enc = try #require(resend.child("enc"))
        #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "hello")
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "receipt" && $0.type == "retry" }
        #expect(bench.events("message.retry_requested").count == 1)
    }

    @Test("keys in the receipt start a new session")
    func newSession() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        let reinstalled = FakeDevice(phone.jid)
        bench.server.deliver(retry(result.messageID, from: phone, count: 2, keys: reinstalled))
        let resend = try await bench.server.stanza("resend") { $0.tag == "message" }
        let enc = try #require(resend.child("enc"))
        #expect(enc.type == "pkmsg")
        #expect(resend.child("device-identity") != nil)
        #expect(try reinstalled.decrypt(enc, from: Bench.lid)[string: "conversation"] == "hello")
        #expect(bench.events("identity.change").count == 1)
    }

    @Test("a request is acked when its answer is on its way, not before")
    func ackedAfterAnswer() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        // Another registration id: a bundle is fetched first.
        bench.server.world.answersRequests = false
        var request = retry(result.messageID, from: phone, count: 1)
        request.content = .children([
            Stanza("retry", ["count": "1", "id": .text(result.messageID), "t": "1767323045", "v": "1"]),
            Stanza("registration", bytes: bigEndian(UInt32(77), 4)),
        ])
        bench.server.deliver(request)
        _ = try await bench.server.stanza("the bundle is asked for") { $0["xmlns"] == "encrypt" }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "ack" })
        bench.server.answerRequests()
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "receipt" }
        let order = bench.server.sent.map(\.tag).filter { $0 == "message" || $0 == "ack" }
        #expect(order == ["message", "ack"])
    }

    @Test("at most four resends are under way at a time; the others follow")
    func parallel() async throws {
        let bench = try await Bench.ready()
        let devices = (UInt16(0)..<7).map { bench.contact(device: $0) }
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        bench.server.world.answersRequests = false
        for device in devices {
            var request = retry(result.messageID, from: device, count: 1)
            request.content = .children([
                Stanza("retry", ["count": "1", "id": .text(result.messageID), "t": "1767323045", "v": "1"]),
                Stanza("registration", bytes: bigEndian(UInt32(77), 4)),
            ])
            bench.server.deliver(request)
        }
        try await bench.until("all are known, and four are being answered") {
            await bench.session.retryJobs.count == 7
                && bench.server.sent.count { $0["xmlns"] == "encrypt" } >= DeviceSession.parallelResends
        }
        try await bench.server.settle()
        #expect(bench.server.sent.count { $0["xmlns"] == "encrypt" } == DeviceSession.parallelResends)
        bench.server.answerRequests()
        try await bench.until("all are answered") { bench.server.sent.count { $0.tag == "message" } == 7 }
        try await bench.until("all are acked") {
            bench.server.sent.count { $0.tag == "ack" && $0["class"] == "receipt" } == 7
        }
    }

    @Test("requests beyond what may wait are not acked until they are answered")
    func crowd() async throws {
        let bench = try await Bench.ready()
        let devices = (UInt16(0)..<8).map { bench.contact(device: $0) }
        var messages: [String] = []
        for number in 0..<40 {
            messages.append(
                try await bench.session.sendText(TextMessage(chat: "15550001111", text: "\(number)")).messageID)
        }
        bench.server.clearLog()
        bench.server.world.answersRequests = false
        for device in devices {
            for message in messages {
                bench.server.deliver(
                    Stanza(
                        "receipt",
                        ["id": .text(message), "from": .jid(device.jid), "t": "1767323050", "type": "retry"],
                        children: [
                            Stanza("retry", ["count": "1", "id": .text(message), "t": "1767323045", "v": "1"]),
                            Stanza("registration", bytes: bigEndian(UInt32(77), 4)),
                        ]))
            }
        }
        try await bench.until("as many wait as may") { await bench.session.retryJobs.count >= 256 }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "ack" })
        bench.server.answerRequests()
        try await bench.until("all are answered") {
            bench.server.sent.count { $0.tag == "message" } == 320
                && bench.server.sent.count { $0.tag == "ack" && $0["class"] == "receipt" } == 320
        }
    }

    @Test("the fifth request and requests for unknown messages are acked and not answered")
    func limits() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        bench.server.deliver(retry(result.messageID, from: phone, count: 5))
        bench.server.deliver(retry("UNKNOWN", from: phone, count: 1))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0.id == "UNKNOWN" }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "message" })
    }

    @Test("a request is acked behind its answer: when the store is away for the answer, it comes again and is answered")
    func ackedBehindTheAnswer() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        // Sessions are in memory, the kept plaintext is not.
        bench.failLoads(.unavailable("away"))
        bench.server.world.refusesConnections = true
        bench.server.deliver(retry(result.messageID, from: phone, count: 1))
        try await bench.until("the connection was given up") { bench.session.state.phase == .waiting }
        bench.failLoads(nil)
        bench.server.world.refusesConnections = false
        #expect(!bench.server.sent.contains { $0.tag == "ack" && $0["class"] == "receipt" })
        try await bench.session.reconnect()
        bench.server.deliver(retry(result.messageID, from: phone, count: 1))
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "receipt" && $0.type == "retry" }
        let sent = bench.server.sent
        let answer = try #require(sent.firstIndex { $0.tag == "message" && $0.id == result.messageID })
        let ack = try #require(sent.firstIndex { $0.tag == "ack" && $0.type == "retry" })
        #expect(answer < ack)
    }

    @Test("from the second request on the session is built anew, once an hour")
    func recreation() {
        func change(_ count: Int, _ seconds: Int64?) -> RetryRequest.SessionChange {
            RetryRequest.sessionChange(
                hasBundle: false, storedRegistrationID: 1, receivedRegistrationID: 1, hasSession: true,
                isBaseKeyUnchanged: false, count: count, secondsSinceRecreation: seconds)
        }
        #expect(change(1, nil) == .keep && change(2, nil) == .fetch)
        #expect(change(2, 3600) == .keep && change(2, 3601) == .fetch && change(4, 10) == .keep)
    }

    @Test(
        "what becomes of the session follows the table",
        arguments: [
            (true, UInt32?(1), UInt32?(1), true, false, 1, RetryRequest.SessionChange.build),
            (false, nil, 1, false, false, 1, .fetch),
            (false, 1, 2, true, false, 1, .fetch),
            (false, 1, 1, true, true, 3, .fetch),
            (false, 1, 1, true, true, 2, .keep),
            (false, 1, 1, true, false, 4, .keep),
        ])
    func table(
        hasBundle: Bool, stored: UInt32?, received: UInt32?, hasSession: Bool, unchanged: Bool, count: Int,
        expected: RetryRequest.SessionChange
    ) {
        #expect(
            RetryRequest.sessionChange(
                hasBundle: hasBundle, storedRegistrationID: stored, receivedRegistrationID: received,
                hasSession: hasSession, isBaseKeyUnchanged: unchanged, count: count) == expected)
    }
}

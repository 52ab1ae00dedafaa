import NIOConcurrencyHelpers
import NIOCore
import Signal
import Testing
import Transport

@testable import Messaging

@Suite("Backpressure", .timeLimit(.minutes(3)))
struct BackpressureTests {
    @Test("a slow store stops the reading of the socket, and a fast one resumes it; nothing is lost")
    func reading() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        try await bench.holdCommits()
        for number in 0..<200 {
            let enc = try phone.encrypt(conversation("message \(number)"), to: Bench.lid)
            bench.server.deliver(bench.message("B\(number)", from: phone, encs: [enc]))
        }
        try await bench.until("the socket is not read") { await !bench.server.isReading() }
        try await bench.releaseCommits()
        _ = try await bench.server.stanza("last receipt") { $0.tag == "receipt" && $0.id == "B199" }
        try await bench.until("the socket is read again") { await bench.server.isReading() }
        let receipts = bench.server.sent.filter { $0.tag == "receipt" }.compactMap(\.id)
        #expect(receipts == (0..<200).map { "B\($0)" })
        #expect(bench.device.messages.map(\.messageID) == (0..<200).map { "B\($0)" })
    }

    @Test(
        "a loop whose queue is full stops the reading of its sockets until half of it is gone, then each wakes by itself"
    )
    func loopReading() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        bench.commits.othersBytes.withLockedValue { $0 = 9 << 20 }
        bench.server.deliver(
            bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("one"), to: Bench.lid)]))
        try await bench.until("the socket is not read") { await !bench.server.isReading() }
        bench.commits.othersBytes.withLockedValue { $0 = 5 << 20 }
        await bench.session.updateReading()
        #expect(await !bench.server.isReading())
        bench.commits.othersBytes.withLockedValue { $0 = 0 }
        try await bench.until("the socket is read again") { await bench.server.isReading() }
    }

    @Test(
        "when all loops together have too much to commit, no socket is read and no send is taken, until half of it is gone"
    )
    func processReading() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let message = TextMessage(chat: "15550001111", text: "hello")
        bench.commits.everywhereBytes.withLockedValue { $0 = 65 << 20 }
        bench.server.deliver(
            bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("one"), to: Bench.lid)]))
        try await bench.until("the socket is not read") { await !bench.server.isReading() }
        await #expect(throws: SessionError.storageUnavailable) { try await bench.session.sendText(message) }
        await #expect(throws: SessionError.storageUnavailable) {
            try await bench.session.queueText(message, lifetime: 60)
        }
        bench.commits.everywhereBytes.withLockedValue { $0 = 40 << 20 }
        await bench.session.updateReading()
        #expect(await !bench.server.isReading())
        // What was received before is stored and acknowledged all the same.
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        bench.commits.everywhereBytes.withLockedValue { $0 = 1 << 20 }
        try await bench.until("the socket is read again") { await bench.server.isReading() }
        _ = try await bench.session.sendText(message)
    }

    @Test("more than 64 sends waiting on one device are refused")
    func waitingSends() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.acknowledgesMessages = false
        let sends = (0..<70).map { number in
            Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "\(number)")) }
        }
        var refused = 0
        _ = try await bench.server.stanza("message") { $0.tag == "message" }
        try await bench.server.settle()
        await bench.session.stop()
        for send in sends {
            do { _ = try await send.value } catch SessionError.tooManyWaiting { refused += 1 } catch {}
        }
        #expect(refused == 6)
    }

    @Test("idle records leave memory by a clean write, and the next message goes on without a gap")
    func eviction() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        bench.clock.advance(3600)
        try await bench.until("no session in memory") {
            await bench.session.runUpkeep()
            return await bench.session.loadedSessions == 0
        }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        let message = try PreKeySignalMessage(parsing: try #require(enc.bytesContent)).message
        #expect(message.counter == 1)
    }

    @Test("while the socket is full messages wait and acks go on; then the messages leave in their order")
    func writability() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.clearLog()
        try await bench.eventLoop.submit { bench.server.connection?.setWritable(false) }.get()
        var sends: [QueuedSend] = []
        for number in 0..<5 {
            sends.append(
                try await bench.session.queueText(TextMessage(chat: "15550001111", text: "\(number)"), lifetime: 600))
        }
        bench.server.deliver(
            bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("in"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        try await bench.until("all are built") { await bench.session.heldFrames.count == 5 }
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        try await bench.eventLoop.submit { bench.server.connection?.setWritable(true) }.get()
        for send in sends { #expect(await send.outcome(.seconds(60)) != nil) }
        #expect(bench.server.sent.filter { $0.tag == "message" }.compactMap(\.id) == sends.map(\.messageID))
    }

    @Test(
        "the ack of a retry receipt stays behind its answer while the socket is full, and goes with it when that breaks"
    )
    func heldAnswer() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.clearLog()
        try await bench.eventLoop.submit { bench.server.connection?.setWritable(false) }.get()
        let retry = Stanza(
            "receipt",
            ["id": .text(result.messageID), "from": .jid(phone.jid), "t": "1767323050", "type": "retry"],
            children: [
                Stanza("retry", ["count": "1", "id": .text(result.messageID), "t": "1767323045", "v": "1"]),
                Stanza("registration", bytes: bigEndian(phone.registrationID, 4)),
            ])
        bench.server.deliver(retry)
        try await bench.until("answer and ack wait") { await bench.session.heldFrames.count == 2 }
        #expect(!bench.server.sent.contains { $0.tag == "message" || $0.tag == "ack" })
        bench.server.drop()
        try await bench.until("another connection is ready") {
            bench.server.connectCount > 1 && bench.session.state.phase == .ready
        }
        // Nothing was acked: the server has it still.
        #expect(!bench.server.sent.contains { $0.tag == "ack" && $0["class"] == "receipt" })
        bench.server.deliver(retry)
        _ = try await bench.server.stanza("answer") { $0.tag == "message" && $0.id == result.messageID }
        _ = try await bench.server.stanza("ack") { $0.tag == "ack" && $0["class"] == "receipt" }
    }

    @Test("what a full socket held back when it broke goes out over the next one, each message once")
    func heldAcrossReconnect() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.clearLog()
        try await bench.eventLoop.submit { bench.server.connection?.setWritable(false) }.get()
        var sends: [QueuedSend] = []
        for number in 0..<3 {
            sends.append(
                try await bench.session.queueText(TextMessage(chat: "15550001111", text: "\(number)"), lifetime: 600))
        }
        try await bench.until("all are built") { await bench.session.heldFrames.count == 3 }
        bench.server.drop()
        for send in sends { #expect(await send.outcome(.seconds(60)) != nil) }
        #expect(bench.server.sent.filter { $0.tag == "message" }.compactMap(\.id) == sends.map(\.messageID))
    }
}

extension DeviceSession {
    func runUpkeep() { upkeep() }
    var loadedSessions: Int { sessions.count }
}

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
}

extension DeviceSession {
    func runUpkeep() { upkeep() }
    var loadedSessions: Int { sessions.count }
}

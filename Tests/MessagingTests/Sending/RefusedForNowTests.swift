import Testing
import Transport

@testable import Messaging

/// Acks that say that the server could not take a message just then (04-message-pipeline, section 11.3).
@Suite("Messages that the server cannot take just then", .timeLimit(.minutes(3)))
struct RefusedForNowTests {
    private func ids(_ bench: Bench) -> [String] {
        bench.server.sent.filter { $0.tag == "message" }.compactMap(\.id)
    }

    private func send(_ id: String, _ bench: Bench, to chat: String = "15550001111") -> Task<SendResult, any Error> {
        let session = bench.session
        return Task { try await session.sendText(TextMessage(chat: chat, text: id, messageID: id)) }
    }

    /// A session that knows its contacts, so that a send is one stanza.
    private func warm() async throws -> Bench {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = bench.contact("15550003333", lid: "444555666777888")
        for chat in ["15550001111", "15550003333"] { _ = try await send("WARM\(chat)", bench, to: chat).value }
        bench.server.clearLog()
        return bench
    }

    @Test(
        "they are sent again under their id after a pause, before anything later of their chat", arguments: [408, 503])
    func repeated(code: Int) async throws {
        let bench = try await warm()
        bench.server.world.ackExtra = ["error": .int(code)]
        let first = send("A", bench)
        try await bench.until("the pause") { await bench.session.isPutOff("A") }
        bench.server.world.ackExtra = [:]
        let second = send("B", bench)
        try await bench.until("the second waits") { await bench.session.waitsInQueue("B") }
        _ = try await send("C", bench, to: "15550003333").value
        #expect(ids(bench) == ["A", "C"])
        bench.clock.advance(4)
        await bench.session.startQueue()
        #expect(try await first.value.messageID == "A")
        #expect(try await second.value.messageID == "B")
        #expect(ids(bench) == ["A", "C", "A", "B"])
        #expect(bench.events("message.failed").isEmpty)
        #expect(bench.device.messages.allSatisfy { $0.status == .sent })
    }

    @Test("after some attempts they fail with the server's code")
    func givenUp() async throws {
        let bench = try await warm()
        bench.server.world.ackExtra = ["error": "429"]
        let refused = send("A", bench)
        for attempt in 1...3 {
            try await bench.until("attempt \(attempt)") {
                let isPutOff = await bench.session.isPutOff("A")
                return ids(bench).count == attempt && isPutOff
            }
            bench.clock.advance(30)
            await bench.session.startQueue()
        }
        await #expect(throws: SessionError.sendRejected(code: 429, messageID: "A")) { try await refused.value }
        #expect(ids(bench) == ["A", "A", "A", "A"])
        #expect(bench.events("message.failed").count == 1)
    }

    @Test("where a later message of the chat has gone out, or the code is for good, they fail at once")
    func notRepeated() async throws {
        let bench = try await warm()
        bench.server.world.acknowledgesMessages = false
        let (first, second) = (send("A", bench), send("B", bench))
        try await bench.until("both are out") { ids(bench).count == 2 }
        let (earlier, later) = (ids(bench)[0], ids(bench)[1])
        bench.server.deliver(Stanza("ack", ["class": "message", "id": .text(earlier), "error": "503"]))
        await #expect(throws: SessionError.sendRejected(code: 503, messageID: earlier)) {
            try await (earlier == "A" ? first : second).value
        }
        bench.server.deliver(Stanza("ack", ["class": "message", "id": .text(later), "error": "475"]))
        await #expect(throws: SessionError.sendRejected(code: 475, messageID: later)) {
            try await (later == "A" ? first : second).value
        }
        #expect(ids(bench).count == 2)
    }
}

extension DeviceSession {
    fileprivate func isPutOff(_ id: String) -> Bool { pendingSends[id]?.notBefore != nil && waitsInQueue(id) }
    fileprivate func waitsInQueue(_ id: String) -> Bool { pendingSends[id]?.isResumed == true }
}

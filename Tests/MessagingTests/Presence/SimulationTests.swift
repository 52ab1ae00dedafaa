import NIOConcurrencyHelpers
import TestSupport
import Testing
import Transport

@testable import Messaging

/// Pauses of typing that a test ends.
private final class Pauses: Sendable {
    private let state = NIOLockedValueBox<(asked: [Int64], waiting: [CheckedContinuation<Void, any Error>])>(([], []))

    var asked: [Int64] { state.withLockedValue { $0.asked } }

    func pause(_ milliseconds: Int64) async throws {
        try await withCheckedThrowingContinuation { continuation in
            state.withLockedValue { state in
                state.asked.append(milliseconds)
                state.waiting.append(continuation)
            }
        }
    }

    /// Ends the oldest pause.
    func end(_ error: (any Error)? = nil) {
        let first = state.withLockedValue { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
        if let error { first?.resume(throwing: error) } else { first?.resume() }
    }
}

@Suite("Presence and typing around sends", .timeLimit(.minutes(3)))
struct SimulationTests {
    private static let typing = SendSimulation(showsPresence: true, showsTyping: true, typing: 1000...3000)

    private func ready(_ pauses: Pauses) async throws -> Bench {
        let bench = try await Bench.ready { configuration in
            configuration.pushName = "Ada"
            configuration.pause = { try await pauses.pause($0) }
        }
        _ = bench.contact()
        return bench
    }

    /// What the other side sees, in order: presence, chat states, messages.
    private func seen(_ bench: Bench) -> [String] {
        bench.server.sent.compactMap { stanza in
            switch stanza.tag {
            case "presence": stanza.type
            case "chatstate": stanza.firstChild?.tag
            case "message": "message"
            default: nil
            }
        }
    }

    private func send(_ bench: Bench, _ text: String, _ simulation: SendSimulation?) -> Task<SendResult, any Error> {
        Task {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: text, simulation: simulation))
        }
    }

    @Test("available, typing for the drawn time, the message, paused, unavailable")
    func order() async throws {
        let pauses = Pauses()
        let bench = try await ready(pauses)
        let sending = send(bench, "one", Self.typing)
        try await bench.until("typing") { !pauses.asked.isEmpty }
        #expect(seen(bench) == ["available", "composing"])
        let state = try await bench.server.stanza("composing") { $0.tag == "chatstate" }
        #expect(state.to == .lid("222333444555666"))
        #expect((1000...3000).contains(try #require(pauses.asked.first)))
        pauses.end()
        _ = try await sending.value
        try await bench.until("the end") { seen(bench).last == "unavailable" }
        #expect(seen(bench) == ["available", "composing", "message", "paused", "unavailable"])
    }

    @Test("sends that overlap share the presence; it ends with the last")
    func overlapping() async throws {
        let pauses = Pauses()
        let bench = try await ready(pauses)
        let sends = [send(bench, "one", Self.typing), send(bench, "two", Self.typing)]
        try await bench.until("both typing") { pauses.asked.count == 2 }
        pauses.end()
        try await bench.until("one is out") { seen(bench).contains("message") }
        #expect(!seen(bench).contains("unavailable"))
        pauses.end()
        for send in sends { _ = try await send.value }
        try await bench.until("the end") { seen(bench).last == "unavailable" }
        #expect(seen(bench).filter { $0 == "available" }.count == 1)
        #expect(seen(bench).filter { $0 == "unavailable" }.count == 1)
    }

    @Test("presence alone waits for nothing; no simulation shows nothing; an account that appears online stays so")
    func without() async throws {
        let pauses = Pauses()
        let bench = try await ready(pauses)
        _ = try await send(bench, "one", nil).value
        #expect(seen(bench) == ["message"])
        _ = try await send(
            bench, "two", SendSimulation(showsPresence: true, showsTyping: false, typing: 0...0)
        ).value
        try await bench.until("the end") { seen(bench).last == "unavailable" }
        #expect(seen(bench) == ["message", "available", "message", "unavailable"] && pauses.asked.isEmpty)

        let online = try await Bench.ready { configuration in
            configuration.pushName = "Ada"
            configuration.appearsOnline = true
        }
        _ = online.contact()
        _ = try await send(
            online, "three", SendSimulation(showsPresence: true, showsTyping: false, typing: 0...0)
        ).value
        #expect(!seen(online).contains("unavailable"))
    }

    @Test("a caller that gives up while typing sends nothing and leaves nobody typing")
    func givenUp() async throws {
        let pauses = Pauses()
        let bench = try await ready(pauses)
        let sending = send(bench, "one", Self.typing)
        try await bench.until("typing") { !pauses.asked.isEmpty }
        pauses.end(CancellationError())
        await #expect(throws: CancellationError.self) { try await sending.value }
        try await bench.until("the end") { seen(bench).last == "unavailable" }
        #expect(seen(bench) == ["available", "composing", "paused", "unavailable"])
        #expect(bench.device.messages.isEmpty)
    }
}

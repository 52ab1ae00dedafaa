import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// What must be stored before a frame leaves, one commit at a time (04-message-pipeline, section 23; 16, section 1).
@Suite("Durable before visible", .timeLimit(.minutes(5)))
struct DurabilityTests {
    @Test(
        "a message is stored with its retry plaintext, its secret and its key in one set, and then waits for its chain")
    func chain() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try await bench.holdCommits()
        let message = TextMessage(
            chat: "15550001111", text: "hello",
            idempotency: Idempotency(key: "key-1", requestHash: [1], answer: { _ in StoredAnswer(code: 200, body: []) })
        )
        let sending = Task { try await bench.session.sendText(message) }
        try await bench.until("the frame waits") { await bench.session.ledger.waitingFrames == 1 }
        let sets = bench.commits.waitingSets
        let intent = try #require(sets.firstIndex { !$0.retries.isEmpty })
        #expect(sets[intent].messages.map(\.body) == ["hello"])
        #expect(sets[intent].messageSecrets.count == 1)
        #expect(sets[intent].idempotency.count == 1)
        // The new session comes in a set of its own, behind it.
        #expect(!sets[...intent].contains { !$0.sessions.isEmpty })
        let address = phone.jid.signalUser
        #expect(sets[(intent + 1)...].contains { $0.sessions.contains { $0.address.hasPrefix(address) } })

        try await bench.releaseCommits(count: intent + 1)
        try await bench.server.settle()
        #expect(bench.device.retries.count == 1)
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        #expect(await bench.session.ledger.waitingFrames == 1)
        try await bench.releaseCommits()
        _ = try await sending.value
        #expect(bench.server.sent.contains { $0.tag == "message" })
    }

    @Test("an ack that waited for its commit over a reconnect does not leave over the next connection")
    func staleAck() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let stanza = bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("one"), to: Bench.lid)])
        try await bench.holdCommits()
        bench.server.deliver(stanza)
        try await bench.until("the message waits") { bench.commits.waitingSets.contains { !$0.messages.isEmpty } }
        // The next login has no answer yet.
        bench.server.world.greeting = { _ in [] }
        bench.server.drop()
        try await bench.until("another connection logs in") {
            bench.server.connectCount == 2 && bench.session.state.phase == .authenticating
        }
        try await bench.releaseCommits()
        try await bench.server.settle()
        let answers = ["receipt", "ack"]
        #expect(!bench.server.sent.contains { answers.contains($0.tag) && $0.id == "M1" })
        bench.server.deliver(Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid)]))
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        #expect(bench.device.messages.map(\.messageID) == ["M1"])
    }

    @Test("a message whose ciphertext was dropped before it could leave is encrypted again, however slow its commit is")
    func droppedCiphertext() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let stranger = bench.contact("15550002222", lid: "333444555666777")
        try stranger.start(with: Bench.lid, bundle: try bench.bundle())
        try await bench.holdCommits()
        let sending = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello")) }
        try await bench.until("the frame waits") { await bench.session.ledger.waitingFrames == 1 }
        // Somebody's message cannot be read for now: records and connection are given up.
        bench.failLoads(.unavailable("away"))
        bench.server.deliver(
            bench.message("M1", from: stranger, encs: [try stranger.encrypt(conversation("one"), to: Bench.lid)]))
        try await bench.until("what waited is destroyed") { await bench.session.ledger.waitingFrames == 0 }
        bench.failLoads(nil)
        try await bench.until("the device is ready again") {
            bench.server.connectCount == 2 && bench.session.state.phase == .ready
        }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        try await bench.releaseCommits()
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(try await sending.value.messageID == stanza.id)
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "hello")
    }
}

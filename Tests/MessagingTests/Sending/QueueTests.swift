import NIOConcurrencyHelpers
import Testing
import Transport

@testable import Messaging

@Suite("The durable send queue", .timeLimit(.minutes(3)))
struct QueueTests {
    private func idempotency(_ key: String) -> Idempotency {
        Idempotency(key: key, requestHash: [1]) { result in
            switch result {
            case .success(let sent): StoredAnswer(code: 200, body: Array(sent.messageID.utf8))
            case .failure: StoredAnswer(code: 502, body: [])
            }
        }
    }

    /// A ready session whose socket broke and cannot be opened again.
    private func offline(_ adjust: (inout DeviceSessionConfiguration) -> Void = { _ in }) async throws -> Bench {
        let bench = try await Bench.ready(adjust)
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.world.refusesConnections = true
        bench.server.drop()
        try await bench.until("the loss of the connection") { bench.session.state.phase == .waiting }
        bench.server.clearLog()
        return bench
    }

    private func messageIDs(_ bench: Bench) -> [String] {
        bench.server.sent.filter { $0.tag == "message" }.compactMap(\.id)
    }

    @Test("what is accepted while the device reconnects goes out in its order, before anything newer of the chat")
    func order() async throws {
        let bench = try await offline()
        var queued: [QueuedSend] = []
        for number in 0..<5 {
            queued.append(
                try await bench.session.queueText(
                    TextMessage(chat: "15550001111", text: "queued \(number)"), lifetime: 600))
        }
        #expect(await queued[0].outcome(.zero) == nil)
        #expect(bench.device.retries.values.count { $0.sendBy != nil } == 5)
        #expect(messageIDs(bench).isEmpty)
        await #expect(throws: SessionError.notConnected) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "not queued"))
        }
        bench.server.world.refusesConnections = false
        try await bench.session.reconnect()
        let newer = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "newer"))
        for send in queued {
            let outcome = try #require(await send.outcome(.seconds(60)))
            #expect(try outcome.get().messageID == send.messageID)
        }
        #expect(messageIDs(bench) == queued.map(\.messageID) + [newer.messageID])
        #expect(bench.device.retries.values.allSatisfy { $0.sendBy == nil })
    }

    @Test("a queued message survives its process and is sent once, under its id, by the next")
    func crash() async throws {
        let bench = try await offline()
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "later", idempotency: idempotency("key-1")), lifetime: 600)
        // As a crash does, this writes nothing.
        await bench.session.abandon()
        bench.crash()
        bench.server.world.refusesConnections = false
        try await bench.session.start()
        let id = queued.messageID
        _ = try await bench.server.stanza("the message") { $0.tag == "message" && $0.id == id }
        // The request died with its process: what became of the message is kept under its key.
        try await bench.until("the fate") {
            if case .fate("key-1", .sent)? = bench.device.idempotency["key-1"] { true } else { false }
        }
        #expect(messageIDs(bench).filter { $0 == id }.count == 1)
        #expect(bench.device.messages.first { $0.messageID == id }?.status == .sent)
    }

    @Test("a message whose time passes is failed and told of, and is not sent")
    func deadline() async throws {
        let bench = try await offline()
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "too late"), lifetime: 60)
        bench.clock.advance(61)
        bench.server.world.refusesConnections = false
        try await bench.session.reconnect()
        let outcome = try #require(await queued.outcome(.seconds(60)))
        #expect(throws: SessionError.sendExpired(messageID: queued.messageID)) { try outcome.get() }
        #expect(messageIDs(bench).isEmpty)
        #expect(bench.events("message.failed").count == 1)
        #expect(bench.device.messages.first { $0.messageID == queued.messageID }?.status == .failed)
    }

    @Test("a device that will not connect by itself queues nothing")
    func refused() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.deliver(Stanza("stream:error", children: [Stanza("conflict", ["type": "replaced"])]))
        try await bench.until("the end") { bench.session.state.end == .replaced }
        await #expect(throws: SessionError.ended(.replaced)) {
            try await bench.session.queueText(TextMessage(chat: "15550001111", text: "no"), lifetime: 60)
        }
    }

    @Test("while the store is away a send leaves nothing behind and its key is free again")
    func storeAway() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.clearLog()
        try await bench.holdCommits()
        let message = TextMessage(chat: "15550001111", text: "no", idempotency: idempotency("key-2"))
        let refused = Task { try await bench.session.sendText(message) }
        try await bench.until("the intent") {
            bench.commits.submitted.contains { set in
                if case .begin("key-2", _, _)? = set.idempotency.first { true } else { false }
            }
        }
        try await bench.releaseCommits(.failed(.unavailable))
        await #expect(throws: SessionError.storageUnavailable) { try await refused.value }
        #expect(messageIDs(bench).isEmpty)
        #expect(bench.commits.submitted.contains { $0.idempotency == [.abandon(key: "key-2")] })
    }

    @Test(
        "a message that was accepted outlives a store that is away: it is sent when the store is back, and never failed"
    )
    func acceptedOutlivesStore() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        let silent = bench.contact("15550003333", lid: "444555666777888")
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.clearLog()
        // Accepted, and built once its devices are known; what it was encrypted with is not stored.
        bench.server.world.silent = [silent.jid.bare, .user("15550003333")]
        let queued = try await bench.session.queueText(
            TextMessage(chat: silent.jid.description, text: "accepted", idempotency: idempotency("key-3")),
            lifetime: 600)
        _ = try await bench.server.stanza("question") { $0["xmlns"] == "usync" }
        try await bench.holdCommits()
        bench.server.world.silent = []
        bench.server.answerRequests()
        try await bench.until("it is built and waits for the store") {
            await bench.session.isBuilt(queued.messageID)
        }
        bench.server.clearLog()
        try await bench.releaseCommits(.failed(.unavailable))
        let outcome = try #require(await queued.outcome(.seconds(60)))
        #expect(try outcome.get().messageID == queued.messageID)
        #expect(messageIDs(bench) == [queued.messageID])
        #expect(bench.events("message.failed").isEmpty)
        #expect(bench.device.messages.first { $0.messageID == queued.messageID }?.status == .sent)
    }

    @Test("a recipient of whom the server tells nothing holds up no other chat")
    func silentRecipient() async throws {
        let bench = try await Bench.ready { $0.timeouts.query = 8 }
        _ = bench.contact()
        let silent = bench.contact("15550003333", lid: "444555666777888")
        bench.server.world.silent = [silent.jid.bare]
        let first = try await bench.session.queueText(
            TextMessage(chat: silent.jid.description, text: "first"), lifetime: 600)
        let second = try await bench.session.queueText(
            TextMessage(chat: silent.jid.description, text: "second"), lifetime: 600)
        let other = try await bench.session.queueText(TextMessage(chat: "15550001111", text: "other"), lifetime: 600)
        let outcome = try #require(await other.outcome(.seconds(60)))
        #expect(try outcome.get().messageID == other.messageID)
        #expect(messageIDs(bench) == [other.messageID])
        bench.server.world.silent = []
        for send in [first, second] {
            let outcome = try #require(await send.outcome(.seconds(60)))
            #expect(try outcome.get().messageID == send.messageID)
        }
        #expect(messageIDs(bench) == [other.messageID, first.messageID, second.messageID])
    }

    @Test("what one device may have queued is bounded in bytes")
    func bounds() async throws {
        let bench = try await offline()
        await bench.session.hold(
            PendingSend(
                id: "LARGE", chat: "1@lid", shownChat: "1@lid", to: .lid("1"), order: 1,
                sendBy: bench.clock.now().adding(seconds: 600),
                plaintext: [UInt8](repeating: 0, count: DeviceSession.maximumQueuedBytes)))
        await #expect(throws: SessionError.queueFull) {
            try await bench.session.queueText(TextMessage(chat: "15550001111", text: "more"), lifetime: 600)
        }
    }

    @Test("what one device may have queued is bounded in messages, and frees itself as they go")
    func countBound() async throws {
        let bench = try await offline { $0.maximumQueuedSends = 2 }
        let message = TextMessage(chat: "15550001111", text: "one of two")
        let queued = [
            try await bench.session.queueText(message, lifetime: 600),
            try await bench.session.queueText(message, lifetime: 600),
        ]
        await #expect(throws: SessionError.queueFull) { try await bench.session.queueText(message, lifetime: 600) }
        bench.server.world.refusesConnections = false
        try await bench.session.reconnect()
        for send in queued { _ = try #require(await send.outcome(.seconds(60))).get() }
        let third = try await bench.session.queueText(message, lifetime: 600)
        _ = try #require(await third.outcome(.seconds(60))).get()
    }

    @Test("the time of a message passes without a connection too")
    func deadlineOffline() async throws {
        let bench = try await offline()
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "too late"), lifetime: 60)
        bench.clock.advance(61)
        await bench.session.lapse()
        let outcome = try #require(await queued.outcome(.seconds(60)))
        #expect(throws: SessionError.sendExpired(messageID: queued.messageID)) { try outcome.get() }
        #expect(bench.events("message.failed").count == 1)
        let failed = bench.commits.submitted.flatMap(\.failedSends)
        #expect(failed.map(\.fate) == [.failed(reason: .expired, code: nil)])
    }

    @Test(
        "a connected device sends what it accepts at once, shows typing before, and its order holds over a lost connection"
    )
    func connected() async throws {
        let bench = try await Bench.ready { $0.pause = { _ in } }
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.clearLog()
        var message = TextMessage(chat: "15550001111", text: "first")
        message.simulation = SendSimulation(showsPresence: true, showsTyping: true, typing: 1...2)
        let first = try await bench.session.queueText(message, lifetime: 600)
        #expect(try #require(await first.outcome(.seconds(60))).get().messageID == first.messageID)
        #expect(bench.server.sent.contains { $0.tag == "chatstate" })
        // Nobody tells which devices the next chat has: what follows in it waits behind what could not be built.
        let silent = bench.contact("15550003333", lid: "444555666777888")
        bench.server.world.silent = [silent.jid.bare, .user("15550003333")]
        let held = try await bench.session.queueText(
            TextMessage(chat: silent.jid.description, text: "held"), lifetime: 600)
        let behind = try await bench.session.queueText(
            TextMessage(chat: silent.jid.description, text: "behind"), lifetime: 600)
        _ = try await bench.server.stanza("question") { $0["xmlns"] == "usync" }
        bench.server.drop()
        bench.server.world.silent = []
        try await bench.session.reconnect()
        for send in [held, behind] {
            #expect(try #require(await send.outcome(.seconds(60))).get().messageID == send.messageID)
        }
        #expect(messageIDs(bench) == [first.messageID, held.messageID, behind.messageID])
    }

    @Test("an end that erases nothing leaves what was accepted in the queue, for the next login")
    func held() async throws {
        let bench = try await offline()
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "later"), lifetime: 600)
        bench.server.world.refusesConnections = false
        await bench.session.end(.replaced)
        #expect(await queued.outcome(.seconds(60)) == nil)
        #expect(bench.events("message.failed").isEmpty)
        bench.server.clearLog()
        try await bench.session.reconnect()
        _ = try await bench.server.stanza("the message") { $0.tag == "message" && $0.id == queued.messageID }
    }

    @Test("what waited while the device was held fails by name when its next login is answered with a logout")
    func heldThenLoggedOut() async throws {
        let bench = try await offline()
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "never"), lifetime: 600)
        await bench.session.end(.replaced)
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": "401"])] }
        bench.server.world.refusesConnections = false
        await #expect(throws: SessionError.self) { try await bench.session.reconnect() }
        try await bench.until("the failure is told") { bench.events("message.failed").count == 1 }
        #expect(bench.device.messages.first { $0.messageID == queued.messageID }?.status == .failed)
    }

    @Test("being unlinked fails what waits to be sent: in its row, by an event, and under its key")
    func unlinked() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.world.acknowledgesMessages = false
        let sending = Task {
            try await bench.session.sendText(
                TextMessage(chat: "15550001111", text: "unanswered", idempotency: idempotency("key-4")))
        }
        _ = try await bench.server.stanza("message") { $0.tag == "message" }
        let queued = try await bench.session.queueText(
            TextMessage(chat: "15550001111", text: "queued", idempotency: idempotency("key-5")), lifetime: 600)
        bench.server.deliver(
            Stanza("stream:error", ["code": "401"], children: [Stanza("conflict", ["type": "device_removed"])]))
        await #expect(throws: SessionError.self) { try await sending.value }
        let outcome = try #require(await queued.outcome(.seconds(60)))
        #expect(throws: SessionError.self) { try outcome.get() }
        try await bench.until("the rows") { bench.device.messages.count { $0.status == .failed } == 2 }
        #expect(bench.events("message.failed").count == 2)
        for key in ["key-4", "key-5"] {
            #expect(bench.device.idempotency[key] == .finish(key: key, answer: StoredAnswer(code: 502, body: [])))
        }
        let erasing = try #require(bench.commits.submitted.first { $0.credentials == .erase })
        #expect(erasing.idempotency.count == 2 && erasing.messageUpdates.count == 2)
    }

    @Test("logging a connected device out fails all that waits, also what was not loaded yet")
    func loggedOutWithMore() async throws {
        let bench = try await offline { $0.maximumQueuedSends = 2 }
        let chat = try #require(bench.device.retries.keys.first?.chat)
        let sendBy = bench.clock.now().adding(seconds: 600)
        bench.store.edit(1) { device in
            for id in ["W1", "W2", "W3", "W4", "W5"] {
                let name = MessageName(chat: chat, messageID: id)
                let plaintext = device.retries.values.first?.plaintext ?? []
                device.retries[name] = RetryRow(
                    chat: chat, messageID: id, plaintext: plaintext, sendBy: sendBy, insertedAt: sendBy)
            }
        }
        bench.server.world.refusesConnections = false
        bench.server.world.acknowledgesMessages = false
        await bench.session.end(.replaced)
        try await bench.session.reconnect()
        try await bench.until("two are sent") { messageIDs(bench).count == 2 }
        try await bench.session.logout()
        try await bench.until("all are failed") { bench.events("message.failed").count == 5 }
        #expect(bench.device.credentials == nil && messageIDs(bench).count == 2)
    }

    @Test("a session that may no longer trust its lease writes to no socket, dials none and commits nothing")
    func leaseLost() async throws {
        let holds = Holds()
        let bench = try await Bench.ready { $0.holdsLease = { holds.value } }
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        let connects = bench.server.connectCount
        bench.server.clearLog()
        holds.set(false)
        await #expect(throws: (any Error).self) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "no"))
        }
        try await bench.until("the end") { bench.session.state.end == .leaseLost }
        #expect(messageIDs(bench).isEmpty && bench.server.connectCount == connects)
    }

    @Test("abandoning closes the socket without a write")
    func abandon() async throws {
        let bench = try await Bench.ready()
        let submitted = bench.commits.submitted.count
        await bench.session.abandon()
        #expect(bench.session.state.end == .leaseLost)
        try await bench.server.settle()
        #expect(bench.commits.submitted.count == submitted && bench.server.sent.isEmpty)
        await #expect(throws: SessionError.stopping) { try await bench.session.reconnect() }
    }
}

/// Whether a node holds its leases, as a test says.
private final class Holds: Sendable {
    private let box = NIOLockedValueBox(true)
    var value: Bool { box.withLockedValue { $0 } }
    func set(_ value: Bool) { box.withLockedValue { $0 = value } }
}

extension DeviceSession {
    fileprivate func hold(_ send: PendingSend) { pendingSends[send.id] = send }
    /// As the timer does.
    fileprivate func lapse() { expireSends() }
    fileprivate func isBuilt(_ id: String) -> Bool { pendingSends[id]?.stanza != nil }
}

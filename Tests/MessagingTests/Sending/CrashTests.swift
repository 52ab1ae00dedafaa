import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// The process dies at any moment: its memory is gone, what was committed stays (16-performance-durability, section 1).
@Suite("Crashes", .timeLimit(.minutes(2)))
struct CrashTests {
    /// (ratchet key, counter) of every pairwise ciphertext in a stanza that `device` would read.
    private func positions(_ stanza: Stanza) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for copy in stanza.child("participants")?.children("to") ?? [] {
            guard let enc = copy.child("enc"), let bytes = enc.bytesContent else { continue }
            let message =
                enc.type == "pkmsg"
                ? try PreKeySignalMessage(parsing: bytes).message : try SignalMessage(parsing: bytes)
            found["\(message.ratchetKey) \(message.counter)"] = bytes
        }
        return found
    }

    @Test("no chain position is ever used for two texts, however often the process dies", arguments: 1...4)
    func positionsAreNeverReused(seed: UInt8) async throws {
        let random = SeededRandom(seed: [seed], label: "crash")
        let bench = try await Bench.ready()
        let phone = bench.contact()
        var used: [String: [UInt8]] = [:]
        var counter = 0
        for _ in 0..<8 {
            for _ in 0...Int(random.bytes(1)[0] % 9) {
                counter += 1
                let text = "message \(counter)"
                _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: text))
                let stanza = try #require(bench.server.sent.last { $0.tag == "message" })
                for (position, bytes) in try positions(stanza) {
                    #expect(used[position] == nil || used[position] == bytes, "position used twice")
                    used[position] = bytes
                }
                let enc = try #require(
                    stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
                #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == text)
                if random.bytes(1)[0] % 4 == 0 {
                    bench.server.deliver(
                        bench.message(
                            "R\(counter)", from: phone,
                            encs: [try phone.encrypt(conversation("reply \(counter)"), to: Bench.lid)]))
                    let id = "R\(counter)"
                    _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == id }
                }
            }
            // Dies: nothing is flushed, the socket goes, another process starts over the store.
            bench.crash()
            try await bench.connect()
        }
    }

    @Test("a store that lost commits gets everything again before the next text leaves, and no position is used again")
    func storeLostCommits() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        func send(_ text: String) async throws {
            _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: text))
        }
        try await send("first")
        let before = bench.device
        for number in 0..<40 { try await send("lost \(number)") }
        let newest = try #require(bench.device.credentials)
        bench.store.edit(1) { device in
            (device.sessions, device.identities) = (before.sessions, before.identities)
            (device.preKeys, device.credentials) = (before.preKeys, before.credentials)
        }
        let sent = bench.server.sent.count { $0.tag == "message" }
        try await bench.holdCommits()
        await bench.session.storeLostCommits()
        let (session, chat) = (bench.session, phone.jid.description)
        let next = Task { _ = try await session.sendText(TextMessage(chat: chat, text: "next")) }
        try await bench.until("the intent") { bench.commits.submitted.contains { !$0.retries.isEmpty } }
        try await bench.server.settle()
        #expect(bench.server.sent.count { $0.tag == "message" } == sent)
        try await bench.releaseCommits()
        try await next.value
        #expect(bench.device.credentials?.nextPreKeyID == newest.nextPreKeyID)
        let log = bench.server.sent
        bench.crash()
        try await bench.connect()
        try await send("after the crash")
        var used: [String: [UInt8]] = [:]
        for stanza in log + bench.server.sent where stanza.tag == "message" {
            for (position, bytes) in try positions(stanza) {
                #expect(used[position] == nil, "position used twice")
                used[position] = bytes
            }
        }
    }

    @Test("a message whose commit was lost with the process is delivered again and stored once")
    func receivedBeforeCommit() async throws {
        let (bench, _, stanza) = try await Self.firstMessage()
        try await bench.holdCommits()
        bench.server.deliver(stanza)
        try await bench.untilCommitWaits()
        try await bench.releaseCommits(.failed(.unavailable))
        #expect(!bench.server.sent.contains { $0.tag == "receipt" })
        bench.crash()
        try await bench.connect()
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        #expect(bench.device.messages.map(\.body) == ["hello"])
        #expect(bench.events("message.received").count == 1)
    }

    @Test("after a commit that failed, memory forgets what the store does not have: the redelivery decrypts")
    func failedCommitInTheSameProcess() async throws {
        let (bench, _, stanza) = try await Self.firstMessage()
        try await bench.holdCommits()
        bench.server.deliver(stanza)
        try await bench.untilCommitWaits()
        bench.server.world.refusesConnections = true
        try await bench.releaseCommits(.failed(.unavailable))
        try await bench.until("the connection was given up") { bench.session.state.phase == .waiting }
        bench.server.world.refusesConnections = false
        try await bench.session.reconnect()
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        #expect(bench.events("message.received").count == 1)
    }

    @Test("a message is never refused for a store that is away, however often it comes meanwhile")
    func storeAway() async throws {
        let (bench, _, stanza) = try await Self.firstMessage()
        for _ in 0..<4 {
            bench.failLoads(.unavailable("away"))
            bench.server.world.refusesConnections = true
            bench.server.deliver(stanza)
            try await bench.until("the connection was given up") { bench.session.state.phase == .waiting }
            bench.failLoads(nil)
            bench.server.world.refusesConnections = false
            try await bench.session.reconnect()
        }
        #expect(!bench.server.sent.contains { $0.tag == "ack" && $0["class"] == "message" })
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        #expect(bench.device.messages.map(\.body) == ["hello"])
    }

    @Test("after the store was away, records are read only when what was queued before has been applied")
    func readsBehindTheQueue() async throws {
        let (bench, phone, stanza) = try await Self.firstMessage()
        try await bench.holdCommits()
        bench.server.deliver(stanza)
        try await bench.untilCommitWaits()
        // The session of the message waits in the queue, and memory has forgotten it.
        bench.server.world.refusesConnections = true
        try await bench.tellStoreAway()
        try await bench.until("the connection was given up") { bench.session.state.phase == .waiting }
        bench.server.world.refusesConnections = false
        let reconnected = Task { try await bench.session.reconnect() }
        try await bench.until("the connection is there") { bench.session.state.phase == .ready }
        let queued = bench.commits.waitingCount
        let chat = phone.jid.description
        let sent = Task { try await bench.session.sendText(TextMessage(chat: chat, text: "answer")) }
        try await bench.until("the send waits for the store") { bench.commits.waitingCount > queued }
        try await bench.releaseCommits()
        try await reconnected.value
        _ = try await sent.value
        let frame = try #require(bench.server.sent.last { $0.tag == "message" })
        let enc = try #require(
            frame.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        // In the phone's own session, not in a new one that would have replaced it.
        #expect(enc.type == "msg")
        #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "answer")
    }

    /// A ready session, and the first message of somebody who writes to it.
    private static func firstMessage() async throws -> (bench: Bench, phone: FakeDevice, stanza: Stanza) {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let stanza = bench.message(
            "M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)])
        return (bench, phone, stanza)
    }
}

import NIOConcurrencyHelpers
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Rows that are older than what the session knows", .timeLimit(.minutes(3)))
struct StaleRowTests {
    private let group = GroupMessagingTests.group

    @Test(
        "a stale addressing mode (421) is asked for anew although the old row is still stored, and the same id goes out"
    )
    func rebuild() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        GroupMessagingTests().bench(members: [peer], on: bench)
        _ = try await bench.session.sendText(TextMessage(chat: group.description, text: "warm"))
        bench.server.clearLog()
        bench.server.world.acknowledgesMessages = false
        let sending = Task { try await bench.session.sendText(TextMessage(chat: group.description, text: "one")) }
        let first = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(first["addressing_mode"] == "lid")
        var node = try #require(bench.server.world.groups[group])
        node.attributes["addressing_mode"] = "pn"
        bench.server.world.groups[group] = node
        bench.server.clearLog()
        try await bench.holdCommits()
        bench.server.deliver(ack(of: first, error: 421))
        _ = try await bench.server.stanza("the group is asked for") { $0["xmlns"] == "w:g2" }
        try await bench.releaseCommits()
        let second = try await bench.server.stanza("the rebuilt message") { $0.tag == "message" }
        #expect(second.id == first.id && second["addressing_mode"] == nil)
        bench.server.deliver(ack(of: second, error: nil))
        #expect(try await sending.value.messageID == first.id)
    }

    @Test("a second 421 fails the send")
    func failsAfterRebuild() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        GroupMessagingTests().bench(members: [peer], on: bench)
        bench.server.world.ackExtra = ["error": "421"]
        await #expect(throws: SessionError.self) {
            try await bench.session.sendText(TextMessage(chat: group.description, text: "one"))
        }
        #expect(bench.server.sent.count { $0.tag == "message" } == 2)
    }

    @Test("after a refusal for stale devices (479) the next send asks for them, also before that is stored")
    func devices() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))
        bench.server.world.acknowledgesMessages = false
        bench.server.clearLog()
        let failing = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one")) }
        let first = try await bench.server.stanza("message") { $0.tag == "message" }
        try await bench.holdCommits()
        bench.server.deliver(ack(of: first, error: 479))
        await #expect(throws: SessionError.self) { try await failing.value }
        let next = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two")) }
        _ = try await bench.server.stanza("the devices are asked for") { $0["xmlns"] == "usync" }
        bench.server.world.acknowledgesMessages = true
        try await bench.releaseCommits()
        _ = try await next.value
        // And for new sessions with them.
        #expect(bench.server.sent.contains { $0["xmlns"] == "encrypt" && $0.child("key") != nil })
    }

    @Test("who shares a request that fails hears the failure")
    func sharedFailure() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.answersRequests = false
        let sends = (0..<3).map { number in
            Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "\(number)")) }
        }
        let question = try await bench.server.stanza("question") { $0["xmlns"] == "usync" }
        try await bench.until("the others wait for its answer") {
            await bench.session.joiners(.info("15550001111")) == 2
        }
        bench.server.deliver(
            Stanza(
                "iq", ["id": question.attributes["id"], "type": "error", "from": .jid(.serverJID)],
                children: [Stanza("error", ["code": "503", "text": "busy"])]))
        for send in sends {
            await #expect(throws: SessionError.serverRefused(code: 503, text: "busy")) { try await send.value }
        }
    }

    @Test("records that are dropped while a stanza waits for others are not used: it is read when it comes again")
    func droppedMeanwhile() async throws {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        try peer.start(with: Bench.lid, bundle: try bench.bundle())
        bench.server.deliver(
            bench.message("M1", from: peer, encs: [try peer.encrypt(conversation("one"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "warm"))

        let (waits, resumes) = (NIOLockedValueBox(false), AsyncStream.makeStream(of: Void.self))
        bench.store.senderKeyLoads.withLockedValue { hook in
            hook = {
                waits.withLockedValue { $0 = true }
                for await _ in resumes.stream { break }
            }
        }
        let (carrier, enc) = try peer.encryptGroup(conversation("two"), group: group)
        let stanza = Stanza(
            "message",
            ["id": "M2", "from": .jid(group), "participant": .jid(peer.jid), "t": "1767323051", "type": "text"],
            children: [try peer.encrypt(carrier, to: Bench.lid), enc])
        bench.server.deliver(stanza)
        try await bench.until("the sender key is being read") { waits.withLockedValue { $0 } }
        bench.store.senderKeyLoads.withLockedValue { $0 = nil }
        try await bench.holdCommits()
        let lost = Task { try? await bench.session.sendText(TextMessage(chat: "15550001111", text: "lost")) }
        try await bench.untilCommitWaits()
        try await bench.releaseCommits(.failed(.unavailable))
        _ = await lost.value
        resumes.continuation.finish()
        try await bench.until("the device connects again") {
            bench.server.connectCount == 2 && bench.session.state.phase == .ready
        }
        try await bench.server.settle()
        #expect(bench.events("message.undecryptable").isEmpty)
        bench.server.deliver(stanza)
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M2" && $0.type != "retry" }
        #expect(bench.device.messages.contains { $0.messageID == "M2" && $0.body == "two" })
        #expect(bench.session.state.phase == .ready && bench.server.connectCount == 2)
    }

    private func ack(of message: Stanza, error: Int?) -> Stanza {
        Stanza(
            "ack",
            [
                "class": "message", "id": message.attributes["id"], "from": message.attributes["to"],
                "t": "1767323060", "error": error.map(AttributeValue.int),
            ])
    }
}

extension DeviceSession {
    fileprivate func joiners(_ key: FlightKey) -> Int { flights[key]?.count ?? 0 }
}

import Testing
import Transport

@testable import Messaging

@Suite("What a connection does from time to time", .timeLimit(.minutes(3)))
struct UpkeepTests {
    private func count(_ tag: String, _ bench: Bench) -> Int {
        bench.server.sent.count { $0.tag == "iq" && $0.firstChild?.tag == tag }
    }

    /// A session whose jobs of the login are done.
    private func ready() async throws -> Bench {
        let bench = try await Bench.ready()
        try await bench.until("the jobs of the login") {
            let isDone = await bench.session.propertiesJob.due != nil
            return await !bench.session.isRunningUpkeepJobs && isDone
        }
        bench.server.clearLog()
        return bench
    }

    @Test("a connection that lives on checks the digest weekly, asks for properties when stale, rotates after 30 days")
    func livesOn() async throws {
        let bench = try await ready()
        bench.clock.advance(8 * 86_400)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("digest", bench) == 1 && count("props", bench) == 1 && count("rotate", bench) == 0)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("digest", bench) == 1 && count("props", bench) == 1)
        bench.clock.advance(23 * 86_400)
        let old = try #require(bench.device.credentials?.signedPreKey.id)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("rotate", bench) == 1 && bench.device.credentials?.signedPreKey.id == old + 1)
    }

    @Test(
        "a signed prekey that the server did not take is sent again later; what it disputes is checked by digest",
        arguments: [(503, 2, 0), (406, 2, 0), (409, 1, 1), (400, 1, 1)])
    func refusedRotation(code: Int, rotations: Int, digests: Int) async throws {
        let bench = try await ready()
        bench.clock.advance(31 * 86_400)
        // The digest of that week, so that it is not due with the rotation.
        await bench.session.checkDigest()
        bench.server.world.refusals["rotate"] = code
        let before = count("digest", bench)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("rotate", bench) == 1 && count("digest", bench) == before + digests)
        bench.server.world.refusals = [:]
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("rotate", bench) == 1)
        bench.clock.advance(61)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("rotate", bench) == rotations)
        bench.clock.advance(61)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        #expect(count("rotate", bench) == rotations)
        #expect(
            Set(bench.server.sent.compactMap { $0.child("rotate")?.child("skey")?.child("id")?.bytesContent }).count
                == 1)
    }

    @Test("a new signed prekey is shown to nobody before it is stored, also where the store was away")
    func unstoredRotation() async throws {
        let bench = try await ready()
        bench.clock.advance(31 * 86_400)
        await bench.session.checkDigest()
        bench.server.clearLog()
        let old = try #require(bench.device.credentials?.signedPreKey.id)
        try await bench.holdCommits()
        let jobs = Task { await bench.session.runUpkeepJobs(number: bench.session.linkNumber) }
        try await bench.untilCommitWaits()
        try await bench.tellStoreAway()
        await jobs.value
        #expect(bench.device.credentials?.signedPreKey.id == old && count("rotate", bench) == 0)
        try await bench.releaseCommits()
        try await bench.until("the connection that was given up is back") { bench.session.state.phase == .ready }
        // Whatever is uploaded meanwhile names a key that is stored.
        try await bench.session.uploadPreKeys(3)
        bench.clock.advance(61)
        await bench.session.runUpkeepJobs(number: bench.session.linkNumber)
        try await bench.until("the new key is published") { count("rotate", bench) == 1 }
        #expect(bench.device.credentials?.signedPreKey.id == old + 1)
        let uploaded = bench.server.sent.compactMap { stanza in
            stanza.child("skey")?.child("id")?.bytesContent.map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
        }
        #expect(uploaded.allSatisfy { $0 == old })
    }

    @Test(
        "the prekeys that the server has left are known from its counts and our uploads, and forgotten with the device")
    func preKeysLeft() async throws {
        let bench = try await ready()
        #expect(bench.session.state.preKeysLeft == 812)
        // No number of keys: it would be added to others'.
        bench.server.deliver(
            Stanza(
                "notification", ["id": "N0", "type": "encrypt", "from": .jid(.serverJID)],
                children: [Stanza("count", ["value": "9223372036854775807"])]))
        _ = try await bench.server.stanza("its ack") { $0.tag == "ack" && $0.id == "N0" }
        try await bench.server.settle()
        #expect(bench.session.state.preKeysLeft == 812)
        // A number that is low enough to be filled up, and none that would fill it up again.
        bench.server.deliver(
            Stanza(
                "notification", ["id": "N1", "type": "encrypt", "from": .jid(.serverJID)],
                children: [Stanza("count", ["value": "3"])]))
        try await bench.until("the upload") { bench.session.state.preKeysLeft == 53 }
        let uploaded = bench.server.sent.compactMap { $0["xmlns"] == "encrypt" ? $0.child("list") : nil }
        #expect(uploaded.map { $0.children("key").count } == [50])
        bench.server.deliver(
            Stanza(
                "notification", ["id": "N2", "type": "encrypt", "from": .jid(.serverJID)],
                children: [Stanza("count", ["value": "2"])]))
        try await bench.until("the smaller count") { bench.session.state.preKeysLeft != 53 }
        try await bench.session.logout()
        #expect(bench.session.state.preKeysLeft == nil)
    }

    @Test("pauses of what fails grow from a minute to six hours, and a success ends them")
    func pauses() {
        var job = RecurringJob()
        let start = Timestamp(seconds: 1000)
        #expect(job.isDue(at: start))
        var pauses: [Int64] = []
        for _ in 0..<12 {
            job.failed(at: start)
            pauses.append((job.due?.seconds ?? 0) - start.seconds)
        }
        #expect(pauses.prefix(3) == [60, 120, 240] && pauses.last == 21_600)
        #expect(!job.isDue(at: start.adding(seconds: 21_599)) && job.isDue(at: start.adding(seconds: 21_600)))
        job.succeeded(next: start.adding(seconds: 10))
        job.failed(at: start)
        #expect(job.due == start.adding(seconds: 60))
    }

    @Test("a refused passive mode changes nothing; one that is taken is kept over reconnects")
    func passive() async throws {
        let bench = try await Bench.ready()
        func activations() -> Int { bench.server.sent.count { $0.child("active") != nil } }
        bench.server.world.refusals["passive"] = 503
        await #expect(throws: SessionError.self) { try await bench.session.setPassive(true) }
        bench.server.world.refusals = [:]
        bench.server.clearLog()
        try await bench.session.reconnect()
        #expect(activations() == 1)
        try await bench.session.setPassive(true)
        bench.server.clearLog()
        try await bench.session.reconnect()
        #expect(activations() == 0)
    }

    @Test("pings that go unanswered are told, and their answers too")
    func missedPings() async throws {
        let bench = try await Bench.ready {
            $0.timeouts.keepAliveInterval = 20...30
            $0.timeouts.keepAliveDeadline = 1000
        }
        bench.server.world.answersRequests = false
        try await bench.until("the miss is told") { !bench.events("connection.keepalive_timeout").isEmpty }
        let event = try #require(bench.events("connection.keepalive_timeout").first)
        #expect(event.json.contains("\"error_count\":1") && event.json.contains("\"last_success\""))
        #expect(bench.server.connectCount == 1)
        // From the first miss on it is not called connected, here or in the store.
        #expect(!bench.session.state.isConnected && !bench.session.state.isLoggedIn)
        #expect(bench.store.read(1) { $0.row.liveState } == .connecting)
        bench.server.world.answersRequests = true
        try await bench.until("the answer is told") { !bench.events("connection.keepalive_restored").isEmpty }
        #expect(bench.session.state.phase == .ready && bench.session.state.isLoggedIn)
        #expect(bench.store.read(1) { $0.row.liveState } == .loggedIn)
    }

    @Test("a message that stays without an ack makes the connection anew; a second one within minutes is told")
    func unacknowledged() async throws {
        let bench = try await Bench.ready { $0.timeouts.ack = 1 }
        _ = bench.contact()
        bench.server.world.acknowledgesMessages = false
        let send = try await bench.session.queueText(TextMessage(chat: "15550001111", text: "hello"), lifetime: 600)
        try await bench.until("another connection") { bench.server.connectCount > 1 }
        #expect(bench.events("connection.degraded").isEmpty)
        try await bench.until("the second lapse is told") { !bench.events("connection.degraded").isEmpty }
        // The same message costs no third connection.
        try await bench.until("the third connection is ready") {
            bench.server.connectCount == 3 && bench.session.state.phase == .ready
        }
        bench.clock.advance(30)
        try await Task.sleep(for: .seconds(3))
        #expect(bench.server.connectCount == 3)
        bench.server.world.acknowledgesMessages = true
        try await bench.session.reconnect()
        #expect(await send.outcome(.seconds(60)) != nil)
        #expect(Set(bench.server.sent.filter { $0.tag == "message" }.compactMap(\.id)) == [send.messageID])
    }

    @Test("a connection that answers no pings for too long is given up and made anew")
    func deadConnection() async throws {
        let bench = try await Bench.ready {
            $0.timeouts.keepAliveInterval = 20...30
            $0.timeouts.keepAliveDeadline = 3000
            $0.timeouts.keepAliveSilence = 0
        }
        bench.server.world.answersRequests = false
        try await bench.until("another connection") { bench.server.connectCount > 1 }
        bench.server.answerRequests()
        try await bench.until("it is ready") {
            bench.session.state.phase == .ready && bench.events("connection.connected").count > 1
        }
        #expect(bench.events("connection.disconnected").count >= 1)
        #expect(bench.events("connection.reconnecting").count >= 1)
    }

    @Test("a queue that falls silent without its end marker is over after a while, and told once")
    func silentQueue() async throws {
        let bench = try await Bench.ready { $0.timeouts.offlineSilence = 1 }
        bench.server.deliver(
            Stanza("ib", ["from": .jid(.serverJID)], children: [Stanza("offline_preview", ["count": "3"])]))
        bench.server.deliver(
            Stanza(
                "notification", ["id": "N1", "type": "contacts", "from": "15550001111@s.whatsapp.net", "offline": "0"]))
        try await bench.until("the end of the queue") { !bench.events("offline.sync_completed").isEmpty }
        #expect(bench.events("offline.sync_completed").map { $0.json.contains("\"count\":1") } == [true])
    }
}

import NIOConcurrencyHelpers
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("The life of a connection", .timeLimit(.minutes(3)))
struct LifecycleTests {
    /// Waits until the session is stopped and says why.
    private func end(of bench: Bench) async throws -> SessionEnd? {
        try await bench.until("stopped") { bench.session.state.phase == .stopped }
        try await bench.server.settle()
        return bench.session.state.end
    }

    @Test("login: count asked, active sent, state, row and event say ready")
    func login() async throws {
        let bench = Bench()
        bench.pair()
        try await bench.session.start()
        try await bench.session.waitUntilReady(seconds: 60)
        try await bench.server.settle()
        let kinds = bench.server.sent.filter { $0.tag == "iq" }.compactMap { $0.firstChild?.tag }
        #expect(kinds.prefix(2) == ["count", "active"])
        #expect(bench.session.state.isLoggedIn && bench.session.state.jid == Bench.pn.description)
        #expect(bench.device.row.status == .active && bench.device.row.liveState == .loggedIn)
        #expect(bench.events("connection.connected").count == 1)
    }

    @Test(
        "a login refused for good ends in a state with its reason, a held or erased device, and an event",
        arguments: [
            (401, SessionEnd.loggedOut(code: 401, text: "logged out", onConnect: true), "connection.logged_out"),
            (403, .loggedOut(code: 403, text: "main device gone", onConnect: true), "connection.logged_out"),
            (406, .loggedOut(code: 406, text: "banned", onConnect: true), "connection.logged_out"),
            (409, .refused(code: 409, text: "bad user agent"), "connection.connect_failure"),
        ])
    func refused(code: Int, expected: SessionEnd, event: String) async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": .int(code)])] }
        try await bench.session.start()
        #expect(try await end(of: bench) == expected)
        #expect(bench.events(event).count == 1)
        let isErased = if case .loggedOut = expected { true } else { false }
        #expect((bench.device.credentials == nil) == isErased)
        #expect(bench.device.row.status == (isErased ? .loggedOut : .disconnected))
        #expect(bench.device.row.wish == (isErased ? .stopped : .held))
        #expect(bench.device.row.heldReason == .some(expected.word) && bench.device.row.endCode == code)
    }

    @Test("a temporary ban holds the device until it expires")
    func banned() async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": "402", "code": "101", "expire": "86400"])] }
        try await bench.session.start()
        guard case .banned(101, let until?) = try await end(of: bench) else {
            Issue.record("not banned")
            return
        }
        #expect(until.seconds == bench.clock.now().adding(seconds: 86_400).seconds)
        #expect(bench.events("connection.temporary_ban").first?.json.contains("86400000000000") == true)
        #expect(bench.device.row.heldUntil == .some(until) && bench.device.row.endCode == 101)
        // Its end is the host's to see.
        bench.server.world.greeting = { _ in [Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid)])] }
        await bench.session.resume()
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.session.state.end == nil)
    }

    @Test("a ban that is over at once is held for some seconds all the same")
    func shortBan() async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": "402", "code": "101", "expire": "1"])] }
        let began = bench.clock.now().seconds
        try await bench.session.start()
        guard case .banned(101, let until?) = try await end(of: bench) else {
            Issue.record("not banned")
            return
        }
        #expect(until.seconds <= began + 2)
        let held = try #require(bench.device.row.heldUntil ?? nil)
        #expect(held.seconds >= began + 20)
    }

    @Test("a ban whose end is no time to come holds the device until somebody asks")
    func banWithoutEnd() async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": "402", "code": "101", "expire": "0"])] }
        try await bench.session.start()
        #expect(try await end(of: bench) == .banned(code: 101, until: nil))
        #expect(bench.device.row.heldReason != .some(nil) && bench.device.row.heldUntil ?? nil == nil)
    }

    @Test("a session of a device that ended before dials nobody until it is told to, and can be logged out")
    func heldBefore() async throws {
        let bench = Bench { $0.earlierEnd = .replaced }
        bench.pair()
        try await bench.session.start()
        #expect(bench.session.state.phase == .stopped && bench.session.state.end == .replaced)
        await bench.session.resume()
        await #expect(throws: SessionError.ended(.replaced)) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        }
        try await bench.session.logout()
        #expect(bench.server.connectCount == 0 && bench.device.credentials == nil)
        #expect(bench.device.row.status == .loggedOut && bench.device.row.heldReason == .some("unlinked"))
        #expect(bench.events("connection.logged_out").count == 1)
    }

    @Test("each connection announces the version that is known when it is made")
    func announcesNewest() async throws {
        let bench = try await Bench.ready()
        bench.host.announced.withLockedValue { $0 = ClientVersion(2, 3000, 2_000_000_000) }
        bench.server.drop()
        try await bench.until("a second connection") { bench.server.connectCount == 2 }
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.server.requests[0].payload != bench.server.requests[1].payload)
    }

    @Test("the server's word that the version expires goes to the host")
    func versionExpires() async throws {
        let bench = try await Bench.ready()
        bench.server.deliver(
            Stanza("ib", ["from": .jid(.serverJID)], children: [Stanza("client_expiration", ["t": "1767400000"])]))
        try await bench.until("the host knows") { bench.host.expiries.withLockedValue { $0 } == 1 }
    }

    @Test("an outdated client asks its host for a newer version and tries once more")
    func outdated() async throws {
        let bench = Bench()
        bench.pair()
        bench.host.offer(ClientVersion(2, 3000, 2_000_000_000))
        let server = bench.server
        server.world.greeting = { _ in
            server.connectCount == 1
                ? [Stanza("failure", ["reason": "405"])]
                : [Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid)])]
        }
        try await bench.session.start()
        try await bench.session.waitUntilReady(seconds: 60)
        #expect(bench.events("connection.client_outdated").count == 1)
        #expect(bench.server.requests[0].payload != bench.server.requests[1].payload)
    }

    @Test("without a newer version an outdated client stops")
    func outdatedForGood() async throws {
        let bench = Bench()
        bench.pair()
        bench.server.world.greeting = { _ in [Stanza("failure", ["reason": "405"])] }
        try await bench.session.start()
        #expect(try await end(of: bench) == .clientOutdated)
        #expect(bench.device.row.endText == ClientVersion.builtIn.description)
    }

    @Test("being unlinked from the phone erases the keys and keeps the messages")
    func unlinked() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        bench.server.deliver(
            Stanza("stream:error", ["code": "401"], children: [Stanza("conflict", ["type": "device_removed"])]))
        #expect(try await end(of: bench) == .loggedOut(code: 401, text: "device_removed", onConnect: false))
        #expect(bench.device.credentials == nil && bench.device.sessions.isEmpty && bench.device.preKeys.isEmpty)
        #expect(bench.device.messages.count == 1)
        await #expect(throws: SessionError.self) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "more"))
        }
    }

    @Test("a replaced stream is not fought over, and a requested reconnect takes it back")
    func replaced() async throws {
        let bench = try await Bench.ready()
        bench.server.deliver(Stanza("stream:error", children: [Stanza("conflict", ["type": "replaced"])]))
        #expect(try await end(of: bench) == .replaced)
        #expect(bench.server.connectCount == 1)
        #expect(bench.device.row.heldReason == .some("stream_replaced"))
        try await bench.session.reconnect()
        #expect(bench.session.state.phase == .ready && bench.session.state.end == nil)
        #expect(bench.device.row.heldReason == .some(nil))
    }

    @Test("a lost socket is dialed again, with events for the loss and the attempt")
    func reconnects() async throws {
        let bench = try await Bench.ready()
        bench.server.drop()
        try await bench.until("a second connection") { bench.server.connectCount == 2 }
        try await bench.session.waitUntilReady(seconds: 60)
        try await bench.server.settle()
        #expect(bench.events("connection.disconnected").count == 1)
        #expect(bench.events("connection.reconnecting").count == 1)
        #expect(bench.events("connection.connected").count == 2)
    }

    @Test("logout unlinks at the server, erases, and tells")
    func logout() async throws {
        let bench = try await Bench.ready()
        try await bench.session.logout()
        let request = try await bench.server.stanza("unlink") { $0.child("remove-companion-device") != nil }
        #expect(request.child("remove-companion-device")?.jid("jid") == Bench.pn)
        #expect(bench.device.credentials == nil)
        #expect(bench.device.row.status == .loggedOut)
        #expect(bench.events("connection.logged_out").first?.json.contains("\"initiated_by\":\"api\"") == true)
        #expect(bench.session.state.end == .unlinked)
    }

    @Test("a logout that the server answers and closes the stream for in one read is the API's, and told once")
    func logoutInOneRead() async throws {
        let bench = try await Bench.ready()
        bench.server.world.afterUnlink = [
            Stanza("stream:error", ["code": "401"], children: [Stanza("conflict", ["type": "device_removed"])])
        ]
        try await bench.session.logout()
        #expect(bench.session.state.end == .unlinked)
        #expect(bench.events("connection.logged_out").map { $0.json.contains("\"initiated_by\":\"api\"") } == [true])
        #expect(bench.device.credentials == nil)
    }

    @Test("the push name that the login brings is taken where none is known, and presence is shown under it")
    func pushName() async throws {
        let bench = Bench { $0.appearsOnline = true }
        bench.pair()
        bench.server.world.greeting = { _ in
            [Stanza("success", ["t": "1767323045", "lid": .jid(Bench.lid), "display_name": "Dana"])]
        }
        try await bench.session.start()
        let presence = try await bench.server.stanza("presence") { $0.tag == "presence" }
        #expect(presence["name"] == "Dana" && presence.type == "available")
        #expect(bench.session.state.pushName == "Dana" && bench.device.row.pushName == "Dana")
        // Active receipts follow from it.
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        bench.server.deliver(
            bench.message("M1", from: phone, encs: [try phone.encrypt(conversation("hello"), to: Bench.lid)]))
        let receipt = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "M1" }
        #expect(receipt.type == nil)
    }

    @Test("a push name learnt while connected is shown at once", arguments: ["notification", "own copy"])
    func pushNameLater(source: String) async throws {
        let bench = try await Bench.ready()
        #expect(!bench.server.sent.contains { $0.tag == "presence" })
        if source == "notification" {
            bench.server.deliver(
                Stanza(
                    "notification",
                    ["id": "N1", "type": "account_sync", "from": .jid(Bench.pn.bare), "pushname": "Dana"]))
        } else {
            let phone = FakeDevice(Bench.lid.bare)
            try phone.start(with: Bench.lid, bundle: try bench.bundle())
            bench.server.deliver(
                Stanza(
                    "message",
                    [
                        "id": "M1", "from": .jid(Bench.lid.bare), "recipient": "222333444555666@lid",
                        "t": "1767323050", "type": "text", "notify": "Dana",
                    ], children: [try phone.encrypt(conversation("x"), to: Bench.lid)]))
        }
        let presence = try await bench.server.stanza("presence") { $0.tag == "presence" }
        #expect(presence["name"] == "Dana" && presence.type == "unavailable")
    }

    @Test("stopping writes clean images, so that the next start goes on where this one ended")
    func stops() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        await bench.session.stop()
        try await bench.server.settle()
        await #expect(throws: SessionError.stopping) { try await bench.session.reconnect() }
        bench.restart()
        try await bench.connect()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "two"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        let message = try phone.decrypt(enc, from: Bench.lid)
        #expect(message[string: "conversation"] == "two")
    }

    @Test("the queue of missed stanzas is asked for in batches, and its end is an event")
    func offlineQueue() async throws {
        let bench = try await Bench.ready()
        bench.server.deliver(
            Stanza(
                "ib", ["from": .jid(.serverJID)], children: [Stanza("offline_preview", ["count": "3", "message": "3"])])
        )
        let request = try await bench.server.stanza("batch") { $0.child("offline_batch") != nil }
        #expect(request.child("offline_batch")?["count"] == "200")
        bench.server.deliver(Stanza("ib", ["from": .jid(.serverJID)], children: [Stanza("offline", ["count": "3"])]))
        try await bench.until("the end of the queue") { !bench.events("offline.sync_completed").isEmpty }
        #expect(bench.events("offline.sync_preview").first?.json.contains("\"total\":3") == true)
        #expect(bench.events("offline.sync_completed").count == 1)
    }

    @Test("pings of the server are answered")
    func pong() async throws {
        let bench = try await Bench.ready()
        bench.server.deliver(
            Stanza(
                "iq", ["id": "p-1", "from": .jid(.serverJID), "type": "get", "xmlns": "urn:xmpp:ping"],
                children: [Stanza("ping")]))
        let pong = try await bench.server.stanza("pong") { $0.id == "p-1" }
        #expect(pong.type == "result" && pong.to == .serverJID)
        bench.server.clearLog()
        bench.server.deliver(Stanza("iq", ["from": .jid(.serverJID), "type": "get", "xmlns": "urn:xmpp:ping"]))
        let nameless = try await bench.server.stanza("pong without id") { $0.tag == "iq" && $0.type == "result" }
        #expect(nameless.id == nil && nameless.to == .serverJID)
    }
}

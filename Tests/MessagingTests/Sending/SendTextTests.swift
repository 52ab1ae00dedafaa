import NIOConcurrencyHelpers
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Sending text to a person", .timeLimit(.minutes(3)))
struct SendTextTests {
    @Test("the first message to a number asks for its LID and devices, starts sessions and reaches every device")
    func firstContact() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        let companion = bench.contact(device: 5)
        let own = try #require(bench.server.world.bundles[Bench.lid.bare])
        let result = try await bench.session.sendText(TextMessage(chat: "15550001111@s.whatsapp.net", text: "hello"))

        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(stanza.to == phone.jid)
        #expect(stanza.type == "text")
        #expect(stanza.jid("peer_recipient_pn") == .user("15550001111"))
        let copies = stanza.child("participants")?.children("to") ?? []
        #expect(Set(copies.compactMap { $0.jid("jid") }) == [phone.jid, companion.jid, Bench.lid.bare])
        #expect(stanza.child("device-identity")?.bytesContent == (await bench.session.deviceIdentity))

        for device in [phone, companion] {
            let copy = try #require(copies.first { $0.jid("jid") == device.jid }?.child("enc"))
            #expect(copy.type == "pkmsg")
            let message = try device.decrypt(copy, from: Bench.lid)
            #expect(message[string: "conversation"] == "hello")
            #expect(message[message: "messageContextInfo"]?[bytes: "messageSecret"]?.count == 32)
        }
        let ownCopy = try #require(copies.first { $0.jid("jid") == own.jid }?.child("enc"))
        let sent = try #require(try own.decrypt(ownCopy, from: Bench.lid)[message: "deviceSentMessage"])
        #expect(sent[string: "destinationJID"] == phone.jid.description)
        #expect(sent[message: "message"]?[string: "conversation"] == "hello")

        #expect(result.chat == phone.jid.description)
        #expect(result.timestamp == Timestamp(seconds: 1_767_323_045))
        let row = try #require(bench.device.messages.first)
        #expect(row.status == .sent)
        #expect(row.body == "hello")
        #expect(bench.device.retries[MessageName(chat: result.chat, messageID: result.messageID)]?.sendBy == nil)
        #expect(bench.events("message.sent").count == 1)
    }

    @Test("a device that says it is logged in sends: a message waits for the rest of the login")
    func whileSettling() async throws {
        let bench = Bench()
        bench.pair()
        let phone = bench.contact()
        bench.server.world.answersRequests = false
        try await bench.session.start()
        try await bench.until("the login") { bench.session.state.isLoggedIn }
        async let result = bench.session.sendText(TextMessage(chat: phone.jid.description, text: "early"))
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        bench.server.answerRequests()
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(try await result.messageID == stanza.id)
    }

    @Test("the second message asks nothing and the peer's answer turns pkmsg into msg")
    func warmSend() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "one"))
        let first = try await bench.server.stanza("first") { $0.tag == "message" }
        let copy = try #require(first.child("participants")?.children("to").first { $0.jid("jid") == phone.jid })
        _ = try phone.decrypt(try #require(copy.child("enc")), from: Bench.lid)

        bench.server.deliver(
            bench.message("A1", from: phone, encs: [try phone.encrypt(conversation("hi"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "A1" }
        bench.server.clearLog()
        _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: "two"))
        let second = try await bench.server.stanza("second") { $0.tag == "message" }
        let enc = try #require(
            second.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        #expect(enc.type == "msg")
        #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "two")
        #expect(bench.server.sent.filter { $0.tag == "iq" && $0["xmlns"] != "privacy" }.isEmpty)
    }

    @Test("warm sends write the session's record once for a block of positions, not for each message")
    func reservation() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        for number in 0..<20 {
            _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: "warm \(number)"))
        }
        let before = bench.commits.submitted.count
        for number in 0..<64 {
            _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: "\(number)"))
        }
        let sets = bench.commits.submitted.dropFirst(before)
        let intents = sets.count { !$0.messages.isEmpty }
        let images = sets.count { !$0.sessions.isEmpty }
        #expect(intents == 64)
        #expect(images > 0 && images <= 5, "\(images) images for 64 messages")
    }

    @Test("no frame leaves before its intent and its chain positions are stored")
    func durableBeforeVisible() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        try await bench.holdCommits()
        let sending = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello")) }
        _ = try await bench.server.stanza("bundle query") { $0["xmlns"] == "encrypt" && $0.child("key") != nil }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        #expect(bench.commits.waitingCount > 0)
        try await bench.releaseCommits()
        _ = try await sending.value
        #expect(bench.server.sent.contains { $0.tag == "message" })
    }

    @Test("a lost lease destroys what waited and ends the session")
    func fenced() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.store.edit(1) { $0.epoch = 9 }
        await #expect(throws: SessionError.self) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        }
        try await bench.server.settle()
        #expect(!bench.server.sent.contains { $0.tag == "message" })
        #expect(bench.session.state.end == .leaseLost)
    }

    @Test("a number that is not registered is refused before anything is stored")
    func unregistered() async throws {
        let bench = try await Bench.ready()
        await #expect(throws: SessionError.recipientNotRegistered) {
            try await bench.session.sendText(TextMessage(chat: "15550009999", text: "hello"))
        }
        #expect(bench.device.messages.isEmpty)
    }

    @Test("an error in the ack fails the send with its code, in row, event and answer")
    func rejected() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.ackExtra = ["error": "463"]
        await #expect(throws: SessionError.self) {
            try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello", messageID: "3EB0AA"))
        }
        try await bench.server.settle()
        #expect(bench.device.messages.first?.status == .failed)
        #expect(bench.events("message.failed").first?.json.contains("\"wa_code\":463") == true)
        _ = try await bench.server.stanza("token") { $0.child("tokens") != nil }
    }

    @Test("a message without ack is repeated with the same bytes after a reconnect, and answered once")
    func repeatedAfterReconnect() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        bench.server.world.acknowledgesMessages = false
        let sending = Task { try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello")) }
        let first = try await bench.server.stanza("message") { $0.tag == "message" }
        bench.server.clearLog()
        bench.server.world.acknowledgesMessages = true
        bench.server.drop()
        let second = try await bench.server.stanza("repetition") { $0.tag == "message" }
        #expect(second == first)
        #expect(try await sending.value.messageID == first.id)
        #expect(bench.device.messages.filter { $0.fromMe }.count == 1)
    }

    @Test("after a restart an unsettled intent goes out again under its id, encrypted anew")
    func resumedAfterRestart() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        bench.server.world.acknowledgesMessages = false
        let sending = Task { try? await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello")) }
        let first = try await bench.server.stanza("message") { $0.tag == "message" }
        await bench.session.stop()
        _ = await sending.value
        bench.restart()
        bench.server.world.acknowledgesMessages = true
        bench.server.clearLog()
        try await bench.session.start()
        let second = try await bench.server.stanza("message again") { $0.tag == "message" }
        #expect(second.id == first.id)
        let encs = [first, second].compactMap {
            $0.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc")
        }
        #expect(encs.count == 2 && encs[0].bytesContent != encs[1].bytesContent)
        for enc in encs { #expect(try phone.decrypt(enc, from: Bench.lid)[string: "conversation"] == "hello") }
    }

    @Test("what is not stored is quoted with the caller's words; in a group its author must be known")
    func quotedUnstored() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        _ = try await bench.session.sendText(
            TextMessage(
                chat: phone.jid.description, text: "answer", quote: Quote(messageID: "Q9", text: "so they said")))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        let context = try phone.decrypt(enc, from: Bench.lid)[message: "extendedTextMessage"]?[message: "contextInfo"]
        #expect(context?[string: "participant"] == phone.jid.description)
        #expect(context?[message: "quotedMessage"]?[string: "conversation"] == "so they said")

        let group = JID(user: "120363000000000001", server: .group)
        bench.server.world.groups[group] = Stanza(
            "group", ["id": .text(group.user), "addressing_mode": "lid"],
            children: [Bench.lid.bare, phone.jid].map { Stanza("participant", ["jid": .jid($0)]) })
        await #expect(throws: SessionError.messageNotStored) {
            try await bench.session.sendText(
                TextMessage(chat: group.description, text: "answer", quote: Quote(messageID: "Q9")))
        }
        await #expect(throws: SessionError.senderRequired) {
            try await bench.session.markRead(
                chat: group.description, messageIDs: ["Q9"], sender: group.description, played: false)
        }
    }

    @Test("quotes and mentions make an extended text with the stored message inside")
    func quoted() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        bench.server.deliver(
            bench.message("Q1", from: phone, encs: [try phone.encrypt(conversation("question"), to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "Q1" }
        _ = try await bench.session.sendText(
            TextMessage(
                chat: phone.jid.description, text: "answer", quote: Quote(messageID: "Q1"),
                mentions: [phone.jid.description]))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        let body = try #require(try phone.decrypt(enc, from: Bench.lid)[message: "extendedTextMessage"])
        let context = try #require(body[message: "contextInfo"])
        #expect(body[string: "text"] == "answer")
        #expect(context[string: "stanzaID"] == "Q1")
        #expect(context[string: "participant"] == phone.jid.description)
        #expect(context[message: "quotedMessage"]?[string: "conversation"] == "question")
        #expect(context[strings: "mentionedJID"] == [phone.jid.description])
    }

    @Test("a chat's timer is not asked for with each message, and a change of it counts at once")
    func timer() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        func sent(_ text: String) async throws -> ProtoMessage {
            bench.server.clearLog()
            _ = try await bench.session.sendText(TextMessage(chat: phone.jid.description, text: text))
            let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
            let enc = stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc")
            return try phone.decrypt(try #require(enc), from: Bench.lid)
        }
        for text in ["one", "two"] { #expect(try await sent(text)[string: "conversation"] == text) }
        #expect(bench.store.timerReads.withLockedValue { $0 } == 1)

        let setting = ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 3
                body[uint: "ephemeralExpiration"] = 86_400
            }
        }
        bench.server.deliver(bench.message("T1", from: phone, encs: [try phone.encrypt(setting, to: Bench.lid)]))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "T1" }
        let context = try await sent("three")[message: "extendedTextMessage"]?[message: "contextInfo"]
        #expect(context?[uint: "expiration"] == 86_400)
    }
}

import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Reporting tokens of sends", .timeLimit(.minutes(3)))
struct ReportingTokenTests {
    @Test("a send carries the token that follows from its content and secret, when that is switched on")
    func attached() async throws {
        let bench = try await Bench.ready { $0.attachesReportingTokens = true }
        let phone = bench.contact()
        let sent = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        let token = try #require(stanza.child("reporting", "reporting_token"))
        let enc = try #require(
            stanza.child("participants")?.children("to").first { $0.jid("jid") == phone.jid }?.child("enc"))
        let message = try phone.decrypt(enc, from: Bench.lid)
        let secret = try #require(
            message[message: "messageContextInfo"]?[bytes: "messageSecret"].flatMap { MessageSecret($0) })
        let expected = ReportingToken.make(
            message: message.serialized(), secret: secret, messageID: sent.messageID, sender: Bench.lid,
            chat: phone.jid)
        #expect(token["v"] == "2" && token.bytesContent == expected)
    }

    @Test("without the switch there is none")
    func absent() async throws {
        let bench = try await Bench.ready()
        _ = bench.contact()
        _ = try await bench.session.sendText(TextMessage(chat: "15550001111", text: "hello"))
        let stanza = try await bench.server.stanza("message") { $0.tag == "message" }
        #expect(stanza.child("reporting") == nil)
    }
}

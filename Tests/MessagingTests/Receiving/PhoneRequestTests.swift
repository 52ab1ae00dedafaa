import TestSupport
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Asking the own phone for a message", .timeLimit(.minutes(3)))
struct PhoneRequestTests {
    /// A ready session whose own phone has written to it.
    private func ready() async throws -> (bench: Bench, peer: FakeDevice, phone: FakeDevice) {
        let bench = try await Bench.ready()
        let peer = bench.contact()
        let phone = try #require(bench.server.world.bundles[Bench.lid.bare])
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        let hello = ProtoMessage(.message) { $0.update("protocolMessage") { $0[int: "type"] = 9 } }
        bench.server.deliver(peerStanza("P0", try phone.encrypt(hello, to: Bench.lid)))
        _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "P0" }
        return (bench, peer, phone)
    }

    private func peerStanza(_ id: String, _ enc: Stanza) -> Stanza {
        Stanza(
            "message",
            ["id": .text(id), "from": .jid(Bench.pn.bare), "t": "1767323050", "type": "text", "category": "peer"],
            children: [enc])
    }

    private func answer(to request: String, id: String, text: String) -> ProtoMessage {
        let web = ProtoMessage(.webMessageInfo) { web in
            web.update("key") { key in
                // The phone names the chat by its number.
                key[string: "remoteJID"] = "15550001111@s.whatsapp.net"
                key[bool: "fromMe"] = false
                key[string: "ID"] = id
            }
            web[message: "message"] = conversation(text)
            web[uint: "messageTimestamp"] = 1_767_323_050
        }
        return ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 17
                body.update("peerDataOperationRequestResponseMessage") { response in
                    response[int: "peerDataOperationRequestType"] = 4
                    response[string: "stanzaID"] = request
                    response[messages: "peerDataOperationResult"] = [
                        ProtoMessage(response.type(of: "peerDataOperationResult")) { result in
                            result.update("placeholderMessageResendResponse") {
                                $0[bytes: "webMessageInfoBytes"] = web.serialized()
                            }
                        }
                    ]
                }
            }
        }
    }

    @Test("what only the phone has is asked for, and its answer takes the place of the placeholder")
    func answered() async throws {
        let (bench, peer, phone) = try await ready()
        bench.server.deliver(bench.message("M1", from: peer, encs: [Stanza("unavailable")]))
        let request = try await bench.server.stanza("request") { $0.tag == "message" && $0["category"] == "peer" }
        let asked = try phone.decrypt(try #require(request.child("enc")), from: Bench.lid)
        let operation = try #require(asked[message: "protocolMessage"]?[message: "peerDataOperationRequestMessage"])
        let key = operation[messages: "placeholderMessageResendRequest"].first?[message: "messageKey"]
        #expect(key?[string: "ID"] == "M1")
        #expect(bench.device.messages.first { $0.messageID == "M1" }?.type == "undecryptable")

        let requestID = try #require(request.id)
        bench.server.deliver(
            peerStanza("P1", try phone.encrypt(answer(to: requestID, id: "M1", text: "found again"), to: Bench.lid)))
        try await bench.until("the message is told") { !bench.events("message.received").isEmpty }
        let row = try #require(bench.device.messages.last { $0.messageID == "M1" })
        #expect(row.body == "found again" && row.chat == peer.jid.description && row.sender == peer.jid.description)
        #expect(bench.events("message.received").first?.json.contains("found again") == true)
    }

    @Test("an answer to a request we did not make, or about another message, changes nothing")
    func unasked() async throws {
        let (bench, peer, phone) = try await ready()
        bench.server.deliver(bench.message("M1", from: peer, encs: [Stanza("unavailable")]))
        let request = try await bench.server.stanza("request") { $0.tag == "message" && $0["category"] == "peer" }
        let requestID = try #require(request.id)
        for (number, answer) in [
            answer(to: "3EB0FFFF", id: "M1", text: "unasked"), answer(to: requestID, id: "M2", text: "other"),
        ].enumerated() {
            bench.server.deliver(peerStanza("X\(number)", try phone.encrypt(answer, to: Bench.lid)))
            _ = try await bench.server.stanza("receipt") { $0.tag == "receipt" && $0.id == "X\(number)" }
        }
        #expect(bench.events("message.received").isEmpty)
    }
}

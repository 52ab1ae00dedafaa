import Cryptography
import Testing
import Transport

@Suite("Small stanzas")
struct SmallStanzaTests {
    @Test("an ack copies what it must and names the refusal")
    func ack() {
        let stanza = Stanza(
            "message",
            [
                "id": "3EB0", "from": .jid(.group("1")), "participant": .jid(.lid("2", device: 3)), "type": "text",
                "t": 1, "recipient": .jid(.user("4")),
            ])
        let expected = Stanza(
            "ack",
            [
                "class": "message", "id": "3EB0", "to": .jid(.group("1")), "participant": .jid(.lid("2", device: 3)),
                "recipient": .jid(.user("4")), "type": "text",
            ])
        #expect(stanza.ack() == expected)
        #expect(stanza.ack(refusing: .invalidProtobuf)?.int("error") == 491)
        #expect(Stanza("message", ["id": "1"]).ack() == nil)
    }

    @Test("stanzas are routed by tag, and only durable ones need an answer")
    func routes() {
        let durable = ["message", "appdata", "status", "receipt", "notification", "call"]
        let others = [
            "iq", "ack", "presence", "chatstate", "ib", "success", "failure", "stream:error", "xmlstreamend", "error",
            "stream:features",
        ]
        for tag in durable { #expect(StanzaRoute(Stanza(tag)).needsAnswer) }
        for tag in others { #expect(!StanzaRoute(Stanza(tag)).isDurable) }
        #expect(
            others.filter { StanzaRoute(Stanza($0)).endsStream } == ["failure", "stream:error", "xmlstreamend"])
        #expect(StanzaRoute(Stanza("stream:features")) == .unknown)
    }

    @Test("ids are two random bytes and a counter that goes on")
    func ids() {
        var generator = StanzaIDGenerator(random: SeededRandom(seed: [1], label: "ids"))
        let first = generator.next()
        let second = generator.next()
        #expect(first.hasSuffix("-1") && second.hasSuffix("-2"))
        #expect(first.dropLast(2) == second.dropLast(2))
        #expect(first.dropLast(2).split(separator: ".").allSatisfy { UInt8($0) != nil })
    }

    @Test("pings, pongs and telemetry have their documented shapes")
    func shapes() {
        #expect(
            Stanza.keepAlivePing(id: "1")
                == Stanza("iq", ["id": "1", "xmlns": "w:p", "type": "get", "to": .jid(.serverJID)]))
        let ping = Stanza(
            "iq", ["id": "9", "xmlns": "urn:xmpp:ping", "type": "get", "from": .jid(.serverJID)],
            children: [Stanza("ping")])
        #expect(ping.pong() == Stanza("iq", ["type": "result", "to": .jid(.serverJID), "id": "9"]))
        #expect(Stanza("iq", ["id": "9"]).pong() == nil)
        #expect(Stanza.setPassive(false, id: "2").firstChild?.tag == "active")
        #expect(Stanza.unifiedSession(now: 604_800_000, serverOffset: 1).firstChild?["id"] == "259200001")
        #expect(Stanza.unifiedSession(now: 0, serverOffset: -259_200_001).firstChild?["id"] == "604799999")
    }

    @Test("bulletins are read")
    func bulletins() {
        func bulletin(_ child: Stanza) -> Bulletin? { Bulletin(Stanza("ib", children: [child])) }
        #expect(
            bulletin(Stanza("offline_preview", ["count": 5, "message": 3, "receipt": 1, "notification": 1]))
                == .offlinePreview(.init(count: 5, messages: 3, receipts: 1, notifications: 1)))
        #expect(bulletin(Stanza("offline", ["count": 5])) == .offlineComplete(count: 5))
        #expect(bulletin(Stanza("dirty", ["type": "groups", "timestamp": 7])) == .dirty(type: "groups", timestamp: 7))
        #expect(
            bulletin(Stanza("edge_routing", children: [Stanza("routing_info", bytes: [1])])) == .edgeRouting([1]))
        #expect(bulletin(Stanza("downgrade_webclient")) == .phoneWithoutMultiDevice)
        #expect(bulletin(Stanza("client_expiration", ["t": 9])) == .clientExpiration(at: 9))
        #expect(bulletin(Stanza("tos")) == .other("tos"))
        #expect(Bulletin(Stanza("ib")) == nil)
        #expect(Bulletin(Stanza("iq", children: [Stanza("offline")])) == nil)
    }
}

@Suite("Client version")
struct ClientVersionTests {
    @Test("the built-in version has the specification's hash")
    func hash() {
        #expect(ClientVersion.builtIn.description == "2.3000.1045649367")
        #expect(Hex.encode(ClientVersion.builtIn.buildHash) == "9fa53af9421567b114e33c9bb1ef7db2")
        #expect(ClientVersion("2.3000.1045649367") == .builtIn)
        for text in ["", "2.3000", "2.3000.x", "2.3000.1.1", "2.3000.-1", "2.3000.99999999999"] {
            #expect(ClientVersion(text) == nil)
        }
        #expect(ClientVersion(2, 3000, 1) < .builtIn)
    }

    @Test(
        "the revision is found in both pages' forms",
        arguments: [
            (#"x"client_revision":1045649367,"y":1"#, 1_045_649_367), (#"\"client_revision\":123,"#, 123),
            (#""client_revision":  77}"#, 77), (#"client_revision "client_revision":5,"#, 5), ("none", nil),
            (#""client_revision":x"#, nil), (#""client_revision":99999999999"#, nil), (#""client_revision""#, nil),
        ] as [(String, UInt32?)])
    func find(_ page: String, _ revision: UInt32?) {
        #expect(ClientVersion.find(in: page.utf8) == revision.map { ClientVersion(2, 3000, $0) })
    }
}

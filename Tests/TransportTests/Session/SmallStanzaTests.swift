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

    @Test("ids are two random bytes and a counter that goes on")
    func ids() {
        var generator = StanzaIDGenerator(random: SeededRandom(seed: [1], label: "ids"))
        let first = generator.next()
        let second = generator.next()
        #expect(first.hasSuffix("-1") && second.hasSuffix("-2"))
        #expect(first.dropLast(2) == second.dropLast(2))
        #expect(first.dropLast(2).split(separator: ".").allSatisfy { UInt8($0) != nil })
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

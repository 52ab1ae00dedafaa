@testable import Sandbox
import Testing
import Transport

@Suite struct FaultRuleTests {
    private func rule(_ json: JSONValue) throws -> FaultRule { try FaultRule(json: json) }

    private func subject(_ stanza: Stanza, account: String = "1", direction: FaultPoint.Stage = .inbound)
        -> FaultSubject
    {
        FaultSubject(FaultPoint(stage: direction, connection: 3, account: account, device: 1, stanza: stanza))
    }

    private let message = Stanza("message", ["id": "A", "to": .jid(.lid("5")), "type": "text"])

    @Test("a rule passes what it skips, fires as often as it counts, and then is spent")
    func counting() throws {
        var engine = FaultEngine()
        let added = engine.add(try rule(["match": ["kind": "message"], "action": "drop", "skip": 1, "count": 2]))
        #expect(added.id == 1)
        let fired = (0..<5).map { _ in !engine.fire(on: subject(message), now: 0, draw: { 0 }).isEmpty }
        #expect(fired == [false, true, true, false, false])
        #expect(engine.rules.first?.hits == 2)
        let removals = [engine.remove(1), engine.remove(1)]
        #expect(removals == [true, false])
    }

    @Test("probability, expiry and endless counts are honoured")
    func conditions() throws {
        var engine = FaultEngine()
        engine.add(try rule(["action": "drop", "count": 0, "probability": .double(0.5), "until": 100]))
        let occasions: [(time: Int64, drawn: Double)] = [(0, 0.4), (0, 0.6), (99, 0), (100, 0)]
        let fired = occasions.map { occasion in
            engine.fire(on: subject(message), now: occasion.time, draw: { occasion.drawn }).count
        }
        #expect(fired == [1, 0, 1, 0])
    }

    @Test(
        "a match looks at account, device, connection, direction, tag, attributes, child and kind",
        arguments: [
            (["account": "1"], true), (["account": "2"], false), (["device": 1], true), (["connection": 4], false),
            (["direction": "c2s"], true), (["direction": "s2c"], false), (["tag": "message"], true),
            (["type": "media"], false), (["id": "A"], true), (["to": "5@lid"], true), (["child": "enc"], false),
            (["kind": "receipt"], false), (["kind": "message", "account": "1"], true), ([:], true),
        ] as [(JSONValue, Bool)])
    func matching(_ match: JSONValue, _ expected: Bool) throws {
        #expect(try FaultMatch(json: match).matches(subject(message)) == expected)
    }

    @Test("the short names stand for the shapes of the protocol")
    func kinds() {
        let shapes: [(Stanza, FaultMatch.Kind)] = [
            (Stanza("iq", ["type": "get", "xmlns": "w:p"]), .keepalive), (Stanza("receipt"), .receipt),
            (Stanza("iq", ["type": "get", "xmlns": "encrypt"], children: [Stanza("key")]), .prekeyFetch),
            (Stanza("iq", ["type": "set", "xmlns": "encrypt"], children: [Stanza("list")]), .prekeyUpload),
            (Stanza("iq", ["type": "get", "xmlns": "usync"]), .usync),
            (Stanza("iq", ["type": "set", "xmlns": "w:sync:app:state"]), .appstate),
            (Stanza("iq", ["type": "set", "xmlns": "w:m"]), .mediaConnection),
            (Stanza("iq", ["type": "get", "xmlns": "w:g2"]), .groupInfo),
            (Stanza("iq", ["type": "set", "xmlns": "md"], children: [Stanza("pair-success")]), .pairSuccess),
        ]
        for (stanza, kind) in shapes { #expect(subject(stanza).kinds.contains(kind), "\(kind)") }
    }

    @Test(
        "effects are read in every form and become the server's actions",
        arguments: [
            ("drop", .drop), (["type": "delay", "ms": 5], .delay(milliseconds: 5)),
            (["delay": ["ms": 5]], .delay(milliseconds: 5)),
            (["type": "ack_error", "code": 479], .ackError(code: 479)),
            (["type": "iq_error", "code": 404], .iqError(code: 404, text: "item-not-found")),
            (["type": "corrupt", "part": "frame"], .corruptFrame),
            (["type": "bad_cert", "flaw": "not_yet"], .badCertificate(.notYet)),
            (
                ["type": "stream_error", "code": "503"],
                .end(with: Stanza("stream:error", ["code": "503"]), abrupt: false)
            ),
            (
                ["type": "failure", "reason": 402, "code": 101, "abrupt": true],
                .end(with: Stanza("failure", ["reason": "402", "location": "sbx", "code": "101"]), abrupt: true)
            ), (["type": "unavailable", "kind": "view_once"], .unavailable(type: "view_once")),
            (["type": "replace", "xml": "<a to='5@lid'/>"], .replace(Stanza("a", ["to": .jid(.lid("5"))]))),
        ] as [(JSONValue, FaultAction)])
    func effects(_ json: JSONValue, _ action: FaultAction) throws {
        let effect = try FaultEffect(json: json)
        #expect(effect.action(on: message) == action)
        #expect(try FaultEffect(json: effect.json) == effect)
    }

    @Test("mutate changes the attributes of the stanza that passes")
    func mutate() throws {
        let effect = try FaultEffect(json: ["type": "mutate", "set": ["t": "7", "to": "9@lid"], "remove": ["id"]])
        #expect(
            effect.action(on: message)
                == .replace(Stanza("message", ["to": .jid(.lid("9")), "type": "text", "t": "7"])))
        #expect(effect.action(on: nil) == nil)
    }

    @Test("stanzas are read from XML and JSON with typed JIDs and bytes")
    func stanzas() throws {
        let xml =
            "<iq from='s.whatsapp.net' id=\"1\">\n <a x='&lt;&amp;'>a &gt; b</a><b encoding='hex'>00ff</b> <c/></iq>"
        let stanza = try StanzaText.parse(xml: xml)
        #expect(
            stanza
                == Stanza(
                    "iq", ["from": .jid(.serverJID), "id": "1"],
                    children: [
                        Stanza("a", ["x": "<&"], bytes: Array("a > b".utf8)), Stanza("b", bytes: [0, 255]), Stanza("c"),
                    ]))
        #expect(try StanzaText.parse(json: StanzaText.json(stanza)) == stanza)
        for broken in ["", "<a", "<a>", "<a></b>", "<a/><b/>", "<a x=1/>", "<a encoding='hex'>0</a>", "text"] {
            #expect(throws: StanzaText.ParsingError.self) { try StanzaText.parse(xml: broken) }
        }
        let deep = String(repeating: "<a>", count: 5000) + String(repeating: "</a>", count: 5000)
        #expect(throws: StanzaText.ParsingError.self) { try StanzaText.parse(xml: deep) }
    }

    @Test("rules survive being written down")
    func coding() throws {
        var engine = FaultEngine()
        engine.add(try rule(["match": ["tag": "iq"], "action": ["type": "stall", "ms": 9], "count": 3, "skip": 2]))
        _ = engine.fire(on: subject(Stanza("iq")), now: 0, draw: { 0 })
        let rule = try #require(engine.rules.first)
        #expect(try FaultRule(json: rule.json).match == rule.match)
        #expect(rule.json["remaining"] == 3)
    }
}

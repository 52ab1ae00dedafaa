import Testing
import Transport

/// stanzas.json is a record that grows with the product: every operation that exists here is compared with what a real
/// client sent for it, the others are counted.
@Suite("Stanzas a real client sends")
struct StanzaConformance {
    @Test("each operation that has a counterpart sends what a real client sends")
    func conformance() throws {
        let file = try VectorFile("stanzas")
        var compared = 0
        var missing: [String] = []
        let names = Set(file.cases.map(\.name))
        for known in StanzaCounterparts.byCase.keys.sorted() {
            #expect(names.contains(known), "no such case: \(known)")
        }
        for vector in file.cases {
            let capture = try StanzaCapture(vector)
            guard !capture.steps.isEmpty else {
                missing.append(capture.name)
                continue
            }
            var isComplete = true
            var unseen = StanzaCounterparts.deliberate[capture.name] ?? [:]
            for step in capture.steps {
                do {
                    guard let ours = try StanzaCounterparts.stanza(for: step, of: capture.name) else {
                        isComplete = false
                        continue
                    }
                    let differences = StanzaMeaning.differences(step.sent, ours)
                    for difference in differences where unseen.removeValue(forKey: difference) == nil {
                        Issue.record("\(capture.name): \(difference)")
                    }
                } catch {
                    Issue.record(error, "\(capture.name): \(step.sent)")
                }
            }
            for (difference, section) in unseen {
                Issue.record("\(capture.name): \(difference) (\(section)) is listed and does not occur")
            }
            if isComplete { compared += 1 } else { missing.append(capture.name) }
        }
        #expect(compared >= StanzaCounterparts.byCase.count)
        print(
            "stanzas: \(file.cases.count) cases, \(compared) compared, \(missing.count) without counterpart: \(missing)"
        )
    }

    @Test("a wrong attribute, its kind, a missing or extra child and other content are differences; order is none")
    func comparison() {
        let expected = Stanza(
            "iq", ["id": "1", "to": .jid(.serverJID)],
            children: [Stanza("a", bytes: [1]), Stanza("b", ["x": "1"]), Stanza("b")])
        let same = Stanza(
            "iq", ["to": .jid(.serverJID), "id": "1"],
            children: [Stanza("b", ["x": "1"]), Stanza("a", text: "\u{1}"), Stanza("b")])
        #expect(StanzaMeaning.differences(expected, same) == [])
        let other = Stanza(
            "iq", ["id": "2", "to": "s.whatsapp.net", "type": "get"],
            children: [Stanza("a", bytes: [2]), Stanza("b"), Stanza("c")])
        #expect(
            Set(StanzaMeaning.differences(expected, other)) == [
                "iq@id: 1 is 2", "iq@to: s.whatsapp.net is s.whatsapp.net", "iq@type: get is not expected",
                "iq/a: other content", "iq/b: 2 are 1", "iq/b@x: 1 is missing", "iq/c: is not expected",
            ])
    }
}

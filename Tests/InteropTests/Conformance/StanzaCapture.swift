import Testing
import Transport

/// One operation of stanzas.json: what a real client sent for it and what it got, in order.
struct StanzaCapture {
    let name: String
    let steps: [Step]

    /// One stanza the real client sent.
    struct Step {
        /// Phone number of the client that sent it; empty before it was paired.
        let client: String
        let sent: Stanza
        /// What the same client had received before, oldest first.
        let received: [Stanza]

        var id: String { sent.id ?? "" }

        /// The received stanza with this id and tag, which the sent one answers.
        func answered(tag: String) -> Stanza? { received.last { $0.tag == tag && $0.id == id } }
    }

    init(_ vector: VectorCase) throws {
        name = vector.name
        var received: [String: [Stanza]] = [:]
        var steps: [Step] = []
        for entry in vector.has("stanzas") ? try vector.objects("stanzas") : [] {
            let client = try entry.string("client")
            let stanza = try StanzaVector.stanza(entry.object("node"))
            switch try entry.string("from") {
            case "client": steps.append(Step(client: client, sent: stanza, received: received[client] ?? []))
            case "server": received[client, default: []].append(stanza)
            case let from: throw entry.unknown(from)
            }
        }
        self.steps = steps
    }
}

/// Compares what two stanzas mean: tags, attributes with their values and kinds, children by tag, content.
///
/// The order of attributes and of children with different tags carries no meaning, nor does whether content is a string
/// or its bytes.
enum StanzaMeaning {
    /// One line per difference; the first stanza is the expected one.
    static func differences(_ expected: Stanza, _ actual: Stanza, path: String = "") -> [String] {
        let place = path.isEmpty ? expected.tag : "\(path)/\(expected.tag)"
        guard expected.tag == actual.tag else { return ["\(place): is \(actual.tag)"] }
        var found: [String] = []
        for (key, value) in expected.attributes where actual.attributes[key] != value {
            found.append("\(place)@\(key): \(value) is \(actual.attributes[key].map { "\($0)" } ?? "missing")")
        }
        for (key, value) in actual.attributes where expected.attributes[key] == nil {
            found.append("\(place)@\(key): \(value) is not expected")
        }
        guard case .children(let left) = expected.content else {
            if expected.bytesContent != actual.bytesContent || !actual.childrenContent.isEmpty {
                found.append("\(place): other content")
            }
            return found
        }
        let (wanted, given) = (
            Dictionary(grouping: left, by: \.tag), Dictionary(grouping: actual.childrenContent, by: \.tag)
        )
        for (tag, list) in wanted.sorted(by: { $0.key < $1.key }) {
            let others = given[tag] ?? []
            if list.count != others.count { found.append("\(place)/\(tag): \(list.count) are \(others.count)") }
            for (one, other) in zip(list, others) { found += differences(one, other, path: place) }
        }
        for tag in given.keys.sorted() where wanted[tag] == nil { found.append("\(place)/\(tag): is not expected") }
        return found
    }
}

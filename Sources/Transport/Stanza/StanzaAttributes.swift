/// The attributes of a stanza: a short list with unique keys. The order is kept for encoding but carries no meaning, so
/// equality ignores it.
///
/// A literal may hold optional values; a nil one is left out:
/// `["id": "1", "to": .jid(chat), "participant": author.map(AttributeValue.jid)]`.
package struct StanzaAttributes: Sendable {
    package typealias Element = (key: String, value: AttributeValue)

    struct Entry: Sendable {
        var key: String
        var value: AttributeValue
    }

    var entries: [Entry]

    /// No attributes.
    package init() { entries = [] }

    init(entries: [Entry]) { self.entries = entries }

    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }

    /// The value of `key`. Setting nil removes it.
    package subscript(key: String) -> AttributeValue? {
        get {
            for entry in entries where entry.key == key { return entry.value }
            return nil
        }
        set {
            let position = entries.firstIndex { $0.key == key }
            switch (position, newValue) {
            case (.some(let position), .some(let value)): entries[position].value = value
            case (.some(let position), .none): entries.remove(at: position)
            case (.none, .some(let value)): entries.append(Entry(key: key, value: value))
            case (.none, .none): break
            }
        }
    }

    /// The value of `key` as text (a JID in its text form).
    package func text(_ key: String) -> String? { self[key]?.text }
    /// The value of `key` as JID; a text value is parsed.
    package func jid(_ key: String) -> JID? { self[key]?.jid }
    /// The value of `key` as decimal number.
    package func int(_ key: String) -> Int? { self[key]?.int }

    /// These attributes with those of `other` added; on a shared key `other` wins.
    package func merging(_ other: StanzaAttributes) -> StanzaAttributes {
        var merged = self
        for entry in other.entries { merged[entry.key] = entry.value }
        return merged
    }
}

extension StanzaAttributes: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, AttributeValue?)...) {
        entries = []
        entries.reserveCapacity(elements.count)
        for (key, value) in elements {
            if let value { self[key] = value }
        }
    }
}

extension StanzaAttributes: Sequence {
    package struct Iterator: IteratorProtocol {
        var base: IndexingIterator<[Entry]>
        package mutating func next() -> Element? { base.next().map { ($0.key, $0.value) } }
    }

    package func makeIterator() -> Iterator { Iterator(base: entries.makeIterator()) }
}

extension StanzaAttributes: Equatable {
    package static func == (left: StanzaAttributes, right: StanzaAttributes) -> Bool {
        guard left.entries.count == right.entries.count else { return false }
        return left.entries.allSatisfy { right[$0.key] == $0.value }
    }
}

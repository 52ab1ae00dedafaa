/// The attributes of a stanza: a short list with unique keys. The order is kept for encoding but carries no meaning, so
/// equality ignores it.
///
/// A literal may hold optional values; a nil one is left out:
/// `["id": "1", "to": .jid(chat), "participant": author.map(AttributeValue.jid)]`.
package struct StanzaAttributes: Sendable {
    package typealias Element = (key: String, value: AttributeValue)

    /// Nil when there are no attributes and never were. Safe to send: the covered entries are immutable while shared, see
    /// ``AttributeBuffer``.
    nonisolated(unsafe) private var buffer: AttributeBuffer?
    /// The range of the buffer's entries that is ours.
    private var start: UInt32
    private var size: UInt32

    /// No attributes.
    package init() {
        buffer = nil
        start = 0
        size = 0
    }

    /// The entries from `start` to the end of `buffer`, whose keys are unique.
    init(_ buffer: AttributeBuffer, from start: Int) {
        self.buffer = buffer
        self.start = UInt32(truncatingIfNeeded: start)
        size = UInt32(truncatingIfNeeded: buffer.count - start)
    }

    package var count: Int { Int(size) }
    package var isEmpty: Bool { size == 0 }

    /// Runs `body` on the entries in place.
    @inline(__always)
    func withEntries<R>(_ body: (UnsafeBufferPointer<AttributeEntry>) -> R) -> R {
        guard let buffer else { return body(UnsafeBufferPointer(start: nil, count: 0)) }
        // Keeps the buffer alive for as long as its memory is looked at.
        return withExtendedLifetime(buffer) {
            body(UnsafeBufferPointer(start: buffer.entries + Int(start), count: Int(size)))
        }
    }

    /// The value of `key`. Setting nil removes it.
    package subscript(key: String) -> AttributeValue? {
        get {
            withEntries { entries in
                for position in entries.indices where entries[position].key == key { return entries[position].value }
                return nil
            }
        }
        set {
            let position = withEntries { entries in entries.indices.first { entries[$0].key == key } }
            switch (position, newValue) {
            case (.some(let position), .some(let value)):
                let own = ownBuffer(capacity: count)
                own.entries[position].value = value
            case (.some(let position), .none):
                remove(at: position)
            case (.none, .some(let value)):
                let own = ownBuffer(capacity: count + 1)
                own.append(key: key, value: value)
                size += 1
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
        for (key, value) in other { merged[key] = value }
        return merged
    }

    /// A buffer that only we hold, that has our entries alone, from its start, and room for `capacity`.
    private mutating func ownBuffer(capacity: Int) -> AttributeBuffer {
        if let held = buffer, start == 0, held.count == count, held.capacity >= capacity,
            isKnownUniquelyReferenced(&buffer)
        {
            return held
        }
        let own = AttributeBuffer.make(capacity: Swift.max(capacity, 4))
        withEntries { entries in
            for position in entries.indices {
                own.append(key: entries[position].key, value: entries[position].value)
            }
        }
        buffer = own
        start = 0
        return own
    }

    private mutating func remove(at removed: Int) {
        let rest = AttributeBuffer.make(capacity: Swift.max(count, 4))
        withEntries { entries in
            for position in entries.indices where position != removed {
                rest.append(key: entries[position].key, value: entries[position].value)
            }
        }
        self = StanzaAttributes(rest, from: 0)
    }
}

extension StanzaAttributes: ExpressibleByDictionaryLiteral {
    package init(dictionaryLiteral elements: (String, AttributeValue?)...) {
        self.init()
        guard !elements.isEmpty else { return }
        buffer = AttributeBuffer.make(capacity: elements.count)
        for (key, value) in elements {
            if let value { self[key] = value }
        }
    }
}

extension StanzaAttributes: Sequence {
    package struct Iterator: IteratorProtocol {
        private let attributes: StanzaAttributes
        private var position = 0

        init(_ attributes: StanzaAttributes) { self.attributes = attributes }

        package mutating func next() -> Element? {
            guard position < attributes.count else { return nil }
            defer { position += 1 }
            return attributes.withEntries { ($0[position].key, $0[position].value) }
        }
    }

    package func makeIterator() -> Iterator { Iterator(self) }
}

extension StanzaAttributes: Equatable {
    package static func == (left: StanzaAttributes, right: StanzaAttributes) -> Bool {
        guard left.count == right.count else { return false }
        return left.withEntries { entries in entries.allSatisfy { right[$0.key] == $0.value } }
    }
}

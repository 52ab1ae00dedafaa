/// One attribute of a stanza.
struct AttributeEntry: Sendable {
    var key: String
    var value: AttributeValue
}

/// Storage for the attributes of one stanza, or of the many small stanzas of one decoded frame, which take consecutive
/// ranges of it: an allocation per element would be most of the cost of decoding.
///
/// An entry never changes once a `StanzaAttributes` covers it, except through a uniquely held reference; the reader that
/// fills a buffer only appends behind the ranges it has given out, before it returns.
final class AttributeBuffer: ManagedBuffer<Int, AttributeEntry> {
    /// An empty buffer with room for `capacity` entries.
    static func make(capacity: Int) -> AttributeBuffer {
        let buffer = AttributeBuffer.create(minimumCapacity: capacity) { _ in 0 }
        return unsafeDowncast(buffer, to: AttributeBuffer.self)
    }

    deinit {
        withUnsafeMutablePointers { count, entries in
            _ = entries.deinitialize(count: count.pointee)
        }
    }

    /// Entries in use. Through the pointer, since the property `header` is checked for exclusive access each time.
    @inline(__always)
    var count: Int { withUnsafeMutablePointerToHeader { $0.pointee } }

    /// The first entry; entries from `count` on are uninitialised.
    @inline(__always)
    var entries: UnsafeMutablePointer<AttributeEntry> { withUnsafeMutablePointerToElements { $0 } }

    /// Appends an entry; the caller made sure there is room.
    @inline(__always)
    func append(key: String, value: AttributeValue) {
        withUnsafeMutablePointers { count, entries in
            (entries + count.pointee).initialize(to: AttributeEntry(key: key, value: value))
            count.pointee &+= 1
        }
    }
}

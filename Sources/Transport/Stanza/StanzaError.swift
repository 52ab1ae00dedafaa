/// Why bytes are no stanza, or a stanza cannot be written. Peer input ends in one of these, never in a trap.
package enum StanzaError: Error, Equatable {
    /// The bytes end inside a value.
    case truncated
    /// Bytes are left over after the element.
    case trailingBytes(Int)
    /// The frame is empty: not even a flag byte.
    case emptyFrame
    /// The byte cannot stand where a value, a string or a list is expected.
    case unexpectedByte(UInt8)
    /// A list header of size 0 where an element must stand, or an element without tag.
    case emptyElement
    /// A tag or attribute key that is an address, a list or nothing.
    case notAString
    /// A tag or key that is not UTF-8.
    case invalidText
    /// A packed string with an invalid nibble, or an odd one without bytes.
    case invalidPackedString
    /// An address without user or server, or with a server that its form does not allow.
    case invalidJID
    /// The zlib stream is damaged or incomplete.
    case invalidCompression
    /// Deeper, longer or larger than ``StanzaLimits`` allows.
    case limitExceeded(StanzaLimit)
}

/// What a stanza can have too much of.
package enum StanzaLimit: Sendable, Equatable {
    /// Levels of nesting.
    case depth
    /// Elements of one list.
    case listSize
    /// Elements and attributes of one frame.
    case elements
    /// Bytes, plain or inflated.
    case bytes
    /// Device number of an address whose wire form has one byte for it.
    case device
}

/// Bounds on what is read and written (01-transport, section 30; 16, section 2.4).
package enum StanzaLimits {
    /// Levels of nested elements.
    package static let depth = 128
    /// Elements of a list: its size is at most 16 bits on the wire.
    package static let listSize = 65_535
    /// Elements and attributes of one frame together; bounds what a small frame of tiny elements can make us allocate.
    package static let elements = 524_288
    /// Bytes of an inflated stanza.
    package static let inflatedBytes = 16 << 20
    /// Bytes of an encoded stanza with its flag byte: a frame body less the authentication tag.
    package static let encodedBytes = (1 << 24) - 1 - 16
}

/// One element of the protocol's XML-like tree: a tag, attributes, and nothing, bytes, text or children as content
/// (01-transport, section 9.2).
package struct Stanza: Sendable, Equatable {
    /// The name, never empty on the wire.
    package var tag: String
    package var attributes: StanzaAttributes
    package var content: Content

    /// One machine word: the rare cases are boxed.
    package enum Content: Sendable, Equatable {
        /// No content at all (odd list size).
        case none
        /// Data: keys, JSON, names, protobufs. Always encoded as BINARY, also when the bytes happen to be a token.
        case bytes([UInt8])
        /// A string: encoded as token, packed or raw. A decoder yields this case only for tokens and packed strings; a
        /// raw string comes back as bytes, so read content through ``Stanza/bytesContent`` or ``Stanza/textContent``.
        indirect case text(String)
        /// Child elements. An empty list is encoded as such and decodes to `.none`.
        case children([Stanza])
        /// An address as content; no known stanza uses it, the format allows it.
        indirect case jid(JID)
    }

    /// An element with no content.
    package init(_ tag: String, _ attributes: StanzaAttributes = [:]) {
        self.init(tag, attributes, content: .none)
    }

    package init(_ tag: String, _ attributes: StanzaAttributes = [:], content: Content) {
        self.tag = tag
        self.attributes = attributes
        self.content = content
    }

    /// An element with child elements.
    package init(_ tag: String, _ attributes: StanzaAttributes = [:], children: [Stanza]) {
        self.init(tag, attributes, content: .children(children))
    }

    /// An element whose content is data.
    package init(_ tag: String, _ attributes: StanzaAttributes = [:], bytes: [UInt8]) {
        self.init(tag, attributes, content: .bytes(bytes))
    }

    /// An element whose content is a string in string encoding. Where the peer expects data, use `bytes:`.
    package init(_ tag: String, _ attributes: StanzaAttributes = [:], text: String) {
        self.init(tag, attributes, content: .text(text))
    }
}

extension Stanza {
    /// The value of attribute `key` as text (a JID in its text form), or nil when absent. Setting writes text; setting
    /// nil removes the attribute.
    package subscript(key: String) -> String? {
        get { attributes[key]?.text }
        set { attributes[key] = newValue.map(AttributeValue.text) }
    }

    /// The value of attribute `key` as text.
    package func attr(_ key: String) -> String? { attributes[key]?.text }
    /// The value of attribute `key` as JID; a text value is parsed.
    package func jid(_ key: String) -> JID? { attributes[key]?.jid }
    /// The value of attribute `key` as decimal number.
    package func int(_ key: String) -> Int? { attributes[key]?.int }

    /// The `id` attribute.
    package var id: String? { self["id"] }
    /// The `type` attribute.
    package var type: String? { self["type"] }
    /// The `from` attribute.
    package var from: JID? { jid("from") }
    /// The `to` attribute.
    package var to: JID? { jid("to") }
}

extension Stanza {
    /// The first child named `tag`.
    package func child(_ tag: String) -> Stanza? {
        guard case .children(let children) = content else { return nil }
        for child in children where child.tag == tag { return child }
        return nil
    }

    /// The descendant reached by following first children named `tags`.
    package func child(_ tags: String...) -> Stanza? {
        var current = self
        for tag in tags {
            guard let next = current.child(tag) else { return nil }
            current = next
        }
        return current
    }

    /// All children named `tag`.
    package func children(_ tag: String) -> [Stanza] { childrenContent.filter { $0.tag == tag } }

    /// The children; empty when the content is something else.
    package var childrenContent: [Stanza] {
        if case .children(let children) = content { children } else { [] }
    }

    /// The first child, whatever its tag.
    package var firstChild: Stanza? { childrenContent.first }

    /// The content as data: bytes as they are, text as its UTF-8 bytes; nil for children or no content.
    package var bytesContent: [UInt8]? {
        switch content {
        case .bytes(let bytes): bytes
        case .text(let text): Array(text.utf8)
        case .jid(let jid): Array(jid.description.utf8)
        case .none, .children: nil
        }
    }

    /// The content as text, bytes decoded as UTF-8 with repair; nil for children or no content.
    package var textContent: String? {
        switch content {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .text(let text): text
        case .jid(let jid): jid.description
        case .none, .children: nil
        }
    }
}

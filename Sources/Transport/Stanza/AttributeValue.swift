/// The value of a stanza attribute: typed by whoever builds it, nothing is guessed from its characters
/// (01-transport, section 10).
package enum AttributeValue: Sendable, Hashable {
    /// Text: encoded as token, packed or raw string.
    case text(String)
    /// An address: encoded in one of the JID forms. Attributes that hold an address must use this case, also for the
    /// server itself.
    case jid(JID)

    /// A decimal number.
    package static func int(_ number: some BinaryInteger & Sendable) -> AttributeValue { .text(String(number)) }

    /// `true` or `false`.
    package static func bool(_ flag: Bool) -> AttributeValue { .text(flag ? "true" : "false") }

    /// The value as text; a JID in its text form.
    package var text: String {
        switch self {
        case .text(let text): text
        case .jid(let jid): jid.description
        }
    }

    /// The value as JID; a text is parsed, since peers send addresses in either form.
    package var jid: JID? {
        switch self {
        case .text(let text): JID(text)
        case .jid(let jid): jid
        }
    }

    /// The value as a decimal number.
    package var int: Int? {
        switch self {
        case .text(let text): Int(text)
        case .jid: nil
        }
    }

    /// Whether the value is an empty text, which the encoder leaves out.
    var isEmptyText: Bool {
        if case .text(let text) = self { text.isEmpty } else { false }
    }
}

extension AttributeValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) { self = .text(value) }
}

extension AttributeValue: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int) { self = .text(String(value)) }
}

extension AttributeValue: ExpressibleByBooleanLiteral {
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension AttributeValue: CustomStringConvertible {
    package var description: String { text }
}

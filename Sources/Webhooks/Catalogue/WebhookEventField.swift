/// A member of an event's `data`.
package struct WebhookEventField: Sendable, Equatable {
    /// What the member holds, in the words of the event table.
    package enum Kind: String, Sendable, CaseIterable {
        case string, bool, int
        /// Whole seconds since 1970.
        case unixSeconds = "unix_s"
        /// A time as text, RFC 3339.
        case rfc3339
        case object
        case strings = "string[]"
        case objects = "object[]"
        case integers = "int[]"
        case integerOrNull = "int|null"
        case objectOrNull = "object|null"
        case stringsOrNull = "string[]|null"
    }

    package let name: String
    package let kind: Kind
    /// Left out where there is nothing to say.
    package let isOptional: Bool

    /// Reads `jid string, reason string?`: names with their kinds, a question mark behind what may be missing. The text is
    /// the catalogue's own: a kind that is none is a mistake in it.
    static func list(_ text: String) -> [WebhookEventField] {
        text.split(separator: ",").map { entry in
            let words = entry.split(separator: " ")
            let isOptional = words.last?.hasSuffix("?") == true
            guard words.count == 2, let kind = Kind(rawValue: String(isOptional ? words[1].dropLast() : words[1]))
            else {
                preconditionFailure("no member of an event: \(entry)")
            }
            return WebhookEventField(name: String(words[0]), kind: kind, isOptional: isOptional)
        }
    }
}

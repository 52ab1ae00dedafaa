// The parts that a route's declaration is made of.

extension Route {
    /// A parameter of the query.
    struct Parameter: Sendable {
        enum Kind: String, Sendable { case string, integer, boolean, time }

        let name: String
        let kind: Kind
        let summary: String
        /// The only texts with a meaning; empty: all.
        let values: [String]
        /// Numbers outside count as the nearest inside.
        let range: ClosedRange<Int>?
        let example: JSONValue?
        /// What cannot be the value is 400; else it counts as absent (10-rest-api, section 2.3).
        let isStrict: Bool

        init(_ name: String, _ summary: String, values: [String] = [], example: JSONValue? = nil, strict: Bool = false)
        {
            self.init(name, .string, summary, values: values, example: example, strict: strict)
        }

        init(
            _ name: String, _ kind: Kind, _ summary: String, values: [String] = [], range: ClosedRange<Int>? = nil,
            example: JSONValue? = nil, strict: Bool = false
        ) {
            self.name = name
            self.kind = kind
            self.summary = summary
            self.values = values
            self.range = range
            self.example = example
            isStrict = strict
        }

        /// The summary, and what becomes of what does not fit.
        var description: String {
            let fate = isStrict ? "is 400" : "counts as absent"
            let rule: String? =
                switch kind {
                case .integer:
                    range.map {
                        "A number below \($0.lowerBound) or above \($0.upperBound) counts as the nearest of these, "
                            + "what is no whole number \(fate)."
                    } ?? "What is no whole number \(fate)."
                case .boolean: "`true`, `t`, `1` or `false`, `f`, `0`; another text \(fate)."
                case .time: "Another text \(fate)."
                case .string: values.isEmpty && !isStrict ? nil : "Another text \(fate)."
                }
            return rule.map { "\(summary). \($0)" } ?? summary
        }

        /// What callers should send.
        var schema: Schema {
            let schema: Schema =
                switch kind {
                case .string: values.isEmpty ? .string : .one(of: values)
                case .integer: range.map { .integer(in: $0) } ?? .integer
                case .boolean: .boolean
                case .time: .string.example("1767323045")
                }
            return example.map(schema.example) ?? schema
        }

        static let limit = limit(default: 1000)

        static func limit(default: Int) -> Parameter {
            Parameter("limit", .integer, "Rows at most; \(`default`) without it", range: 1...1000, example: 100)
        }

        static let cursor = Parameter(
            "cursor", "X-Next-Cursor of the page before", example: "1767323045000000.42", strict: true)
    }

    /// A member of the body.
    struct Field: Sendable {
        enum Kind: String, Sendable {
            case string, integer, boolean, strings, object
        }

        let name: String
        let kind: Kind
        let isRequired: Bool
        let summary: String
        let schema: Schema

        init(
            _ name: String, required: Bool = false, _ summary: String, example: JSONValue? = nil, values: [String] = [],
            length: ClosedRange<Int>? = nil
        ) {
            self.init(name, .string, required: required, summary, example: example, values: values, length: length)
        }

        init(
            _ name: String, _ kind: Kind, required: Bool = false, _ summary: String, example: JSONValue? = nil,
            values: [String] = [], length: ClosedRange<Int>? = nil, range: ClosedRange<Int>? = nil
        ) {
            self.name = name
            self.kind = kind
            isRequired = required
            self.summary = summary
            var schema: Schema =
                switch kind {
                case .string: values.isEmpty ? .string : .one(of: values)
                case .integer: range.map { .integer(in: $0) } ?? .integer
                case .boolean: .boolean
                case .strings: .list(of: values.isEmpty ? .string : .one(of: values))
                case .object: .map(of: .any)
                }
            if let length { schema = schema.length(length) }
            self.schema = example.map(schema.example) ?? schema
        }
    }

    /// What is done with the body.
    enum Body: Sendable {
        /// Not looked at.
        case none
        /// Read; a body that cannot be parsed counts as empty.
        case lenient([Field])
        /// Read; the words are the answer to a body that cannot be parsed (10-rest-api, section 5.2, `invalid_body`).
        case fields([Field], parseError: String)

        var fields: [Field] {
            switch self {
            case .none: []
            case .lenient(let fields), .fields(let fields, _): fields
            }
        }

        /// The body as one object.
        var schema: Schema {
            .object(fields.map { Schema.Member($0.name, $0.schema, optional: !$0.isRequired, $0.summary) })
        }
    }

    /// What success looks like.
    struct Success: Sendable {
        /// The envelope's message; nil: the answer has no envelope.
        let message: String?
        /// The envelope's data.
        let data: Schema?
        /// Content types that it may have instead of, or without, the envelope.
        let media: [String]
        /// Headers beside those that every answer has.
        var headers: [String] = []

        /// An envelope with data, for some callers as `media` instead.
        static func data(_ message: String, _ schema: Schema, or media: String...) -> Success {
            Success(message: message, data: schema, media: media)
        }

        /// An envelope without data.
        static func message(_ message: String) -> Success { Success(message: message, data: nil, media: []) }

        /// No envelope.
        static func media(_ types: String...) -> Success { Success(message: nil, data: nil, media: types) }

        /// No body.
        static let empty = Success(message: nil, data: nil, media: [])

        /// The same with headers of its own; `OpenAPIDocument` has what they mean.
        func sending(_ headers: String...) -> Success {
            var copy = self
            copy.headers += headers
            return copy
        }
    }

    /// Errors of the catalogue that go together, or one of them by its word.
    struct ErrorGroup: Sendable, ExpressibleByStringLiteral {
        let words: [String]

        init(_ words: [String]) { self.words = words }
        init(stringLiteral word: String) { words = [word] }

        /// The device is not connected, linked or here (10-rest-api, section 5.3).
        static let session = ErrorGroup([
            "client_not_loaded", "not_connected", "not_logged_in", "session_empty", "lease_elsewhere",
            "stream_replaced", "temporarily_banned", "client_outdated",
        ])
        /// WhatsApp refuses a query or does not answer (10-rest-api, section 5.4).
        static let whatsApp = ErrorGroup([
            "wa_rejected", "wa_forbidden", "wa_not_found", "wa_conflict", "wa_gone", "wa_locked", "wa_rate_limited",
            "wa_unavailable", "wa_timeout", "wa_disconnected",
        ])
        /// A message is not taken.
        static let sending = ErrorGroup([
            "invalid_recipient", "recipient_not_registered", "recipient_unreachable", "wa_send_rejected",
            "not_in_group", "group_not_found", "idempotency_in_progress", "idempotency_key_reused", "send_expired",
            "queue_full",
        ])
        /// Linking fails.
        static let pairing = ErrorGroup([
            "pairing_failed", "pairing_code_invalid", "passkey_required",
        ])
    }
}

/// The shape of a JSON value in a request or an answer, with an example of it. The API description is made of these.
///
/// Examples come from the parts: a shape has a plausible example of its own, `example(_:)` names a better one, and the
/// example of an object is made of those of its members. So there is nothing that could contradict the shape.
struct Schema: Sendable {
    indirect enum Kind: Sendable {
        case any
        case string
        case integer
        case number
        case boolean
        case object([Member])
        /// An object whose keys are data.
        case map(Schema)
        case array(Schema)
    }

    /// A member of an object.
    struct Member: Sendable {
        let name: String
        let schema: Schema
        let isRequired: Bool
        let summary: String

        /// - Parameter optional: The member may be missing.
        init(_ name: String, _ schema: Schema, optional: Bool = false, _ summary: String = "") {
            self.name = name
            self.schema = schema
            isRequired = !optional
            self.summary = summary
        }
    }

    let kind: Kind
    /// `uuid`, `date-time` and the like.
    private(set) var format: String?
    /// The only texts allowed; empty: all.
    private(set) var values: [String] = []
    /// Of numbers.
    private(set) var range: ClosedRange<Int>?
    /// Characters of a text, elements of an array, members of a map.
    private(set) var length: ClosedRange<Int>?
    /// Regular expression that the whole of a text fits.
    private(set) var pattern: String?
    private(set) var isNullable = false
    private(set) var ownExample: JSONValue?
    /// Under which it is described once for all routes that use it.
    private(set) var componentName: String?

    private init(_ kind: Kind, format: String? = nil, example: JSONValue? = nil) {
        self.kind = kind
        self.format = format
        ownExample = example
    }

    /// A value that fits, or nil where nothing is known.
    var example: JSONValue {
        if let ownExample { return ownExample }
        switch kind {
        case .any: return .null
        case .string: return .string(values.first ?? "text")
        case .integer: return .integer(Int64(range?.lowerBound ?? 1))
        case .number: return .number(Double(range?.lowerBound ?? 1))
        case .boolean: return .bool(true)
        case .object(let members): return .object(members.map { ($0.name, $0.schema.example) })
        case .map: return .object([])
        case .array(let element): return .array([element.example])
        }
    }
}

// MARK: Making them

extension Schema {
    static let any = Schema(.any)
    static let string = Schema(.string)
    static let integer = Schema(.integer)
    static let number = Schema(.number)
    static let boolean = Schema(.boolean)
    static let uuid = Schema(.string, format: "uuid", example: "7c1f0b7e-4a52-4f6d-9d0c-2f6f5e0a9b11")
    /// RFC 3339, UTC.
    static let time = Schema(.string, format: "date-time", example: "2026-01-02T03:04:05Z")
    /// A positive number as text, as it stands in paths.
    static let decimal = Schema(.string, example: "1").matching("[0-9]{1,19}")
    /// Unix seconds.
    static let seconds = Schema(.integer, format: "int64", example: 1_767_323_045)
    /// `user@server`; empty where there is none.
    static let jid = Schema(.string, example: "15550001111@s.whatsapp.net")
    static let url = Schema(.string, example: "https://customer.example/hook")

    static func object(_ members: Member...) -> Schema { Schema(.object(members)) }
    static func object(_ members: [Member]) -> Schema { Schema(.object(members)) }
    static func list(of element: Schema) -> Schema { Schema(.array(element)) }
    static func map(of value: Schema) -> Schema { Schema(.map(value)) }
    static func one(of values: String...) -> Schema { one(of: values) }

    static func one(of values: [String]) -> Schema {
        var schema = Schema(.string)
        schema.values = values
        return schema
    }

    static func text(upTo length: Int) -> Schema {
        var schema = Schema(.string)
        schema.length = 0...length
        return schema
    }

    static func integer(in range: ClosedRange<Int>) -> Schema {
        var schema = Schema(.integer)
        schema.range = range
        return schema
    }

    /// May be null.
    var orNull: Schema { changed { $0.isNullable = true } }

    func example(_ value: JSONValue) -> Schema { changed { $0.ownExample = value } }

    /// Described once, as `#/components/schemas/<name>`.
    func named(_ name: String) -> Schema { changed { $0.componentName = name } }

    /// Restricts a text, an array or a map to so many characters, elements or members.
    func length(_ length: ClosedRange<Int>) -> Schema { changed { $0.length = length } }

    /// A text that fits the regular expression as a whole; `^` and `$` are put around it.
    func matching(_ pattern: String) -> Schema { changed { $0.pattern = "^(?:\(pattern))$" } }

    /// The same object with more members; it loses its name.
    func with(_ more: Member...) -> Schema {
        guard case .object(let members) = kind else { preconditionFailure("only objects have members") }
        return Schema(.object(members + more))
    }

    private func changed(_ change: (inout Schema) -> Void) -> Schema {
        var copy = self
        change(&copy)
        return copy
    }
}

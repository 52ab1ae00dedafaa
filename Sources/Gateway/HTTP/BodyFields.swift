/// The members of a request body, from JSON or a form. Keys match ignoring case, `_` and `-` (10-rest-api, section 2.3).
///
/// A wrong type throws the route's parse error with the field named; unknown members are ignored.
struct BodyFields: Sendable {
    /// One uploaded file of a multipart body.
    struct File: Sendable {
        var name: String
        var fileName: String
        var contentType: String
        var bytes: [UInt8]
    }

    private enum Source: Sendable {
        case json
        case form
    }

    private let source: Source
    private let members: [String: JSONValue]
    let files: [File]
    /// Thrown for members of a wrong type.
    let parseError: APIError
    /// What the route says it takes. A debug build ends when anything else is asked for; nil: whatever.
    private var declared: [Route.Field]?

    static func empty(parseError: APIError) -> BodyFields {
        BodyFields(source: .json, members: [:], files: [], parseError: parseError)
    }

    init(json: [(key: String, value: JSONValue)], parseError: APIError) {
        self.init(
            source: .json, members: Dictionary(json.map { (Self.folded($0.key), $0.value) }) { _, last in last },
            files: [], parseError: parseError)
    }

    init(form: [(key: String, value: String)], files: [File] = [], parseError: APIError) {
        var members: [String: JSONValue] = [:]
        for (key, value) in form {
            let key = Self.folded(key)
            // A repeated field is a list.
            switch members[key] {
            case nil: members[key] = .string(value)
            case .array(let values): members[key] = .array(values + [.string(value)])
            case .some(let first): members[key] = .array([first, .string(value)])
            }
        }
        self.init(source: .form, members: members, files: files, parseError: parseError)
    }

    private init(source: Source, members: [String: JSONValue], files: [File], parseError: APIError) {
        self.source = source
        self.members = members
        self.files = files
        self.parseError = parseError
    }

    /// The same members, for a route that takes these.
    func declaring(_ fields: [Route.Field]) -> BodyFields {
        var copy = self
        copy.declared = fields
        return copy
    }

    private func isDeclared(_ name: String) -> Bool {
        declared?.contains { Self.folded($0.name) == Self.folded(name) } ?? true
    }

    /// Lower case without `_` and `-`.
    static func folded(_ key: String) -> String {
        let isPlain = key.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        return isPlain ? key : key.lowercased().filter { $0 != "_" && $0 != "-" }
    }

    /// Whether the member was sent, also as null.
    func contains(_ name: String) -> Bool {
        assert(isDeclared(name), "the route does not declare the member \(name)")
        return members[Self.folded(name)] != nil
    }

    // MARK: Typed access: nil when absent or null

    func string(_ name: String) throws(APIError) -> String? {
        switch value(name) {
        case nil: nil
        case .string(let text): text
        case .array(let values) where source == .form:
            if case .string(let text)? = values.last { text } else { nil }
        default: throw mismatch(name, "a string")
        }
    }

    func integer(_ name: String) throws(APIError) -> Int? {
        switch value(name) {
        case nil: return nil
        case .integer(let number): return Int(number)
        case .string(let text) where source == .form:
            if text.isEmpty { return nil }
            guard let number = Int(text) else { throw mismatch(name, "an integer") }
            return number
        default: throw mismatch(name, "an integer")
        }
    }

    func number(_ name: String) throws(APIError) -> Double? {
        switch value(name) {
        case nil: return nil
        case .integer(let number): return Double(number)
        case .number(let number): return number
        case .string(let text) where source == .form:
            guard let number = Double(text), number.isFinite else { throw mismatch(name, "a number") }
            return number
        default: throw mismatch(name, "a number")
        }
    }

    func bool(_ name: String) throws(APIError) -> Bool? {
        switch value(name) {
        case nil: nil
        case .bool(let flag): flag
        case .string(let text) where source == .form: Self.formBoolean(text)
        default: throw mismatch(name, "a boolean")
        }
    }

    func strings(_ name: String) throws(APIError) -> [String]? {
        switch value(name) {
        case nil: return nil
        case .array(let values):
            var texts: [String] = []
            for value in values {
                guard case .string(let text) = value else { throw mismatch(name, "an array of strings") }
                texts.append(text)
            }
            return texts
        case .string(let text) where source == .form:
            return text.split(separator: ",").map { $0.trimmingWhitespace() }
        default: throw mismatch(name, "an array of strings")
        }
    }

    func stringMap(_ name: String) throws(APIError) -> [String: String]? {
        switch value(name) {
        case nil: return nil
        case .object(let members):
            var map: [String: String] = [:]
            for (key, value) in members {
                guard case .string(let text) = value else { throw mismatch(name, "an object of strings") }
                map[key] = text
            }
            return map
        default: throw mismatch(name, "an object of strings")
        }
    }

    /// The members of an object that are strings; a null member counts as absent.
    func texts(_ name: String) throws(APIError) -> [String: String]? {
        guard let value = value(name) else { return nil }
        guard case .object(let members) = value else { throw mismatch(name, "an object") }
        var texts: [String: String] = [:]
        for (key, value) in members where value != .null {
            guard case .string(let text) = value else { throw mismatch(name, "an object of strings") }
            texts[key] = text
        }
        return texts
    }

    private func value(_ name: String) -> JSONValue? {
        assert(isDeclared(name), "the route does not declare the member \(name)")
        let value = members[Self.folded(name)]
        return value == .null ? nil : value
    }

    private func mismatch(_ name: String, _ expected: String) -> APIError {
        var error = parseError
        error.field = name
        error.details.append(("expected", expected))
        return error
    }

    /// `true 1 yes on` / `false 0 no off` in any case; anything else counts as not given.
    static func formBoolean(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: nil
        }
    }
}

extension StringProtocol {
    func trimmingWhitespace() -> String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else {
            return ""
        }
        return String(self[first...last])
    }

    var isBlank: Bool { allSatisfy(\.isWhitespace) }
}

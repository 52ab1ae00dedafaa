import NIOCore

/// Writes a JSON value as YAML 1.2 in block style. Texts are always in double quotes with JSON's escapes, which are YAML's
/// too, so that no text can be taken for something else.
struct YAMLWriter {
    private var lines = ""

    static func text(_ value: JSONValue) -> String {
        var writer = YAMLWriter()
        writer.block(value, depth: 0)
        return writer.lines
    }

    private mutating func block(_ value: JSONValue, depth: Int) {
        let indent = String(repeating: "  ", count: depth)
        switch value {
        case .object(let members) where !members.isEmpty:
            for (name, member) in members { entry(indent + Self.scalar(.string(name)) + ":", member, depth: depth) }
        case .array(let elements) where !elements.isEmpty:
            for element in elements { entry(indent + "-", element, depth: depth) }
        default: lines += indent + Self.scalar(value) + "\n"
        }
    }

    private mutating func entry(_ head: String, _ value: JSONValue, depth: Int) {
        if Self.isNested(value) {
            lines += head + "\n"
            block(value, depth: depth + 1)
        } else {
            lines += head + " " + Self.scalar(value) + "\n"
        }
    }

    /// Objects and arrays that have something in them; the empty ones are written as `{}` and `[]`.
    private static func isNested(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let members): !members.isEmpty
        case .array(let elements): !elements.isEmpty
        default: false
        }
    }

    private static func scalar(_ value: JSONValue) -> String {
        var writer = JSONWriter(capacity: 64)
        writer.value(value)
        return String(buffer: writer.buffer)
    }
}

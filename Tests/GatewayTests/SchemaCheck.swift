import Foundation

@testable import Gateway

/// Whether a value fits a schema.
enum SchemaCheck {
    /// One sentence for everything that does not fit.
    static func problems(_ value: JSONValue, _ schema: Schema, at path: String = "value") -> [String] {
        if schema.isNullable, value == .null { return [] }
        switch (schema.kind, value) {
        case (.any, _), (.boolean, .bool), (.number, .number): return []
        case (.number, .integer(let number)), (.integer, .integer(let number)):
            guard let range = schema.range, !range.contains(Int(number)) else { return [] }
            return ["\(path): \(number) is not in \(range)"]
        case (.string, .string(let text)): return problems(text, schema, at: path)
        case (.map(let element), .object(let members)):
            return members.flatMap { problems($0.value, element, at: "\(path).\($0.key)") }
        case (.array(let element), .array(let elements)):
            let length = schema.length.map { $0.contains(elements.count) } ?? true
            return (length ? [] : ["\(path): wrong number of elements"])
                + elements.enumerated().flatMap { problems($1, element, at: "\(path)[\($0)]") }
        case (.object(let members), .object(let given)):
            return members.flatMap { member -> [String] in
                guard let value = given.last(where: { $0.key == member.name })?.value else {
                    return member.isRequired ? ["\(path): \(member.name) is missing"] : []
                }
                return problems(value, member.schema, at: "\(path).\(member.name)")
            }
        default: return ["\(path): \(value.kindName) where \(schema.kind) is wanted"]
        }
    }

    private static func problems(_ text: String, _ schema: Schema, at path: String) -> [String] {
        if !schema.values.isEmpty, !schema.values.contains(text) { return ["\(path): \(text) is no value of it"] }
        if let length = schema.length, !length.contains(text.unicodeScalars.count) { return ["\(path): wrong length"] }
        switch schema.format {
        case "uuid" where UUID(uuidString: text) == nil: return ["\(path): \(text) is no UUID"]
        case "date-time" where (try? Date(text, strategy: .iso8601)) == nil: return ["\(path): \(text) is no time"]
        default: return []
        }
    }
}

/// Reads what `YAMLWriter` writes: block style, keys and texts in double quotes, empty collections in flow style.
struct BlockYAML {
    private var lines: ArraySlice<(depth: Int, text: Substring)>

    static func parse(_ text: String) -> JSONValue {
        var reader = BlockYAML(
            lines: text.split(separator: "\n").map { line in
                let body = line.drop { $0 == " " }
                return ((line.count - body.count) / 2, body)
            }[...])
        return reader.block(depth: 0)
    }

    private mutating func block(depth: Int) -> JSONValue {
        guard let first = lines.first else { return .null }
        var members: [(key: String, value: JSONValue)] = []
        var elements: [JSONValue] = []
        let isArray = first.text.hasPrefix("-")
        while let line = lines.first, line.depth == depth {
            lines.removeFirst()
            if isArray {
                elements.append(value(line.text.dropFirst(), depth: depth))
            } else {
                let end = keyEnd(line.text)
                let key = (try? JSONParser.parse(Array(line.text[..<end].utf8))) ?? .null
                guard case .string(let name) = key else { continue }
                members.append((name, value(line.text[end...].dropFirst(), depth: depth)))
            }
        }
        return isArray ? .array(elements) : .object(members)
    }

    /// What stands after a key or a dash: on the line, or in the block below.
    private mutating func value(_ rest: Substring, depth: Int) -> JSONValue {
        let text = rest.drop { $0 == " " }
        return text.isEmpty ? block(depth: depth + 1) : (try? JSONParser.parse(Array(text.utf8))) ?? .null
    }

    /// The place after the closing quote of a key.
    private func keyEnd(_ text: Substring) -> Substring.Index {
        var index = text.index(after: text.startIndex)
        while index < text.endIndex, text[index] != "\"" {
            if text[index] == "\\" { index = text.index(after: index) }
            index = text.index(after: index)
        }
        return index < text.endIndex ? text.index(after: index) : index
    }
}

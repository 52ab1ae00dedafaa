import Foundation

@testable import Gateway

/// Holds the API description together, as it is served: references, operation ids, path parameters, and every example
/// against the JSON schema beside it.
struct DescriptionCheck {
    private let document: JSONValue
    private(set) var problems: [String] = []
    private(set) var examples = 0

    init(_ document: JSONValue) { self.document = document }

    mutating func walk() {
        walk(document, at: "")
        checkOperations()
    }

    private mutating func walk(_ value: JSONValue, at path: String) {
        switch value {
        case .array(let elements):
            for (index, element) in elements.enumerated() { walk(element, at: "\(path)/\(index)") }
        case .object(let members):
            if case .string(let reference)? = value["$ref"], resolved(reference) == nil {
                problems.append("\(path): \(reference) leads nowhere")
            }
            if let schema = value["schema"], let example = value["example"] { check(example, schema, at: path) }
            if case .array(let given)? = value["examples"] { for example in given { check(example, value, at: path) } }
            // What stands below an example is data.
            for (name, member) in members where name != "example" && name != "examples" {
                walk(member, at: "\(path)/\(name)")
            }
        default: break
        }
    }

    private mutating func check(_ example: JSONValue, _ schema: JSONValue, at path: String) {
        examples += 1
        problems += failures(example, schema, at: path)
    }

    private mutating func checkOperations() {
        guard case .object(let paths)? = document["paths"] else { return }
        var ids: Set<String> = []
        for (path, item) in paths {
            guard case .object(let operations) = item else { continue }
            let wanted = Set(path.matches(of: /\{([^}]+)\}/).map { String($0.1) })
            for (method, operation) in operations {
                if case .string(let id)? = operation["operationId"], !ids.insert(id).inserted {
                    problems.append("\(method) \(path): operationId \(id) twice")
                }
                var named: Set<String> = []
                if case .array(let parameters)? = operation["parameters"] {
                    for parameter in parameters where parameter["in"] == "path" {
                        if case .string(let name)? = parameter["name"] { named.insert(name) }
                    }
                }
                if named != wanted { problems.append("\(method) \(path): path parameters \(named.sorted())") }
            }
        }
    }

    private func resolved(_ reference: String) -> JSONValue? {
        guard reference.hasPrefix("#/") else { return nil }
        return reference.dropFirst(2).split(separator: "/").reduce(document) { $0?[String($1)] }
    }

    // MARK: JSON schema, as far as the description uses it

    private func failures(_ value: JSONValue, _ schema: JSONValue, at path: String) -> [String] {
        guard case .object(let rules) = schema else { return [] }
        return rules.flatMap { failures(value, rule: $0.key, $0.value, schema, at: path) }
    }

    private func failures(
        _ value: JSONValue, rule: String, _ argument: JSONValue, _ schema: JSONValue, at path: String
    ) -> [String] {
        func unless(_ holds: Bool) -> [String] { holds ? [] : ["\(path): \(rule) does not hold of \(value)"] }
        switch (rule, argument, value) {
        case ("$ref", .string(let reference), _):
            return resolved(reference).map { failures(value, $0, at: path + reference.dropFirst(1)) } ?? []
        case ("anyOf", .array(let schemas), _):
            return unless(schemas.contains { failures(value, $0, at: path).isEmpty })
        case ("const", _, _): return unless(value == argument)
        case ("enum", .array(let values), _): return unless(values.contains(value))
        case ("type", .array(let types), _): return unless(types.contains { isOf(value, $0) })
        case ("type", _, _): return unless(isOf(value, argument))
        case ("minimum", .integer(let bound), .integer(let number)): return unless(number >= bound)
        case ("maximum", .integer(let bound), .integer(let number)): return unless(number <= bound)
        case ("minLength", .integer(let bound), .string(let text)): return unless(text.unicodeScalars.count >= bound)
        case ("maxLength", .integer(let bound), .string(let text)): return unless(text.unicodeScalars.count <= bound)
        case ("minItems", .integer(let bound), .array(let elements)): return unless(elements.count >= bound)
        case ("maxItems", .integer(let bound), .array(let elements)): return unless(elements.count <= bound)
        case ("pattern", .string(let pattern), .string(let text)):
            return unless((try? Regex(pattern).firstMatch(in: text)) != nil)
        case ("format", "uuid", .string(let text)): return unless(UUID(uuidString: text) != nil)
        case ("format", "date-time", .string(let text)): return unless((try? Date(text, strategy: .iso8601)) != nil)
        case ("required", .array(let names), .object):
            return names.flatMap { name -> [String] in
                guard case .string(let text) = name else { return [] }
                return value[text] == nil ? ["\(path): \(text) is missing"] : []
            }
        case ("properties", .object(let properties), .object):
            return properties.flatMap { name, schema in
                value[name].map { failures($0, schema, at: "\(path)/\(name)") } ?? []
            }
        case ("additionalProperties", _, .object(let members)):
            return members.filter { schema["properties"]?[$0.key] == nil }
                .flatMap { failures($0.value, argument, at: "\(path)/\($0.key)") }
        case ("items", _, .array(let elements)):
            return elements.enumerated().flatMap { failures($1, argument, at: "\(path)/\($0)") }
        default: return []
        }
    }

    private func isOf(_ value: JSONValue, _ type: JSONValue) -> Bool {
        switch (type, value) {
        case ("null", .null), ("string", .string), ("integer", .integer), ("boolean", .bool), ("array", .array),
            ("object", .object), ("number", .number), ("number", .integer):
            true
        default: false
        }
    }
}

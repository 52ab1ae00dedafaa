// Shapes as JSON Schema (draft 2020-12, which OpenAPI 3.1 uses).

extension Schema {
    /// A reference for schemas with a name, else the schema itself.
    var openAPI: JSONValue {
        guard let componentName else { return definition }
        let reference: JSONValue = ["$ref": .string("#/components/schemas/\(componentName)")]
        return isNullable ? ["anyOf": [reference, ["type": "null"]]] : reference
    }

    /// The schema without its name.
    var definition: JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        func type(_ name: String) {
            members.append(("type", isNullable && componentName == nil ? [.string(name), "null"] : .string(name)))
        }
        switch kind {
        case .any: break
        case .string: type("string")
        case .integer: type("integer")
        case .number: type("number")
        case .boolean: type("boolean")
        case .array(let element):
            type("array")
            members.append(("items", element.openAPI))
        case .map(let value):
            type("object")
            members.append(("additionalProperties", value.openAPI))
        case .object(let properties):
            type("object")
            let required = properties.filter(\.isRequired).map { JSONValue.string($0.name) }
            if !required.isEmpty { members.append(("required", .array(required))) }
            members.append(("properties", .object(properties.map { ($0.name, Self.property($0)) })))
        }
        if let pattern { members.append(("pattern", .string(pattern))) }
        if let format { members.append(("format", .string(format))) }
        if !values.isEmpty {
            members.append(("enum", .array(values.map { .string($0) } + (isNullable ? [.null] : []))))
        }
        if let range {
            members.append(("minimum", .integer(Int64(range.lowerBound))))
            members.append(("maximum", .integer(Int64(range.upperBound))))
        }
        if let length {
            let counted =
                switch kind {
                case .array: "Items"
                case .map, .object: "Properties"
                default: "Length"
                }
            members.append(("min" + counted, .integer(Int64(length.lowerBound))))
            members.append(("max" + counted, .integer(Int64(length.upperBound))))
        }
        if let ownExample { members.append(("examples", [ownExample])) }
        return .object(members)
    }

    private static func property(_ member: Member) -> JSONValue {
        guard !member.summary.isEmpty else { return member.schema.openAPI }
        guard case .object(let members) = member.schema.openAPI else { return member.schema.openAPI }
        return .object([("description", .string(member.summary))] + members)
    }
}

/// Gathers the schemas with names.
struct SchemaComponents {
    private(set) var schemas: [(key: String, value: JSONValue)] = []
    private var seen: Set<String> = []

    mutating func collect(_ schema: Schema) {
        if let name = schema.componentName, seen.insert(name).inserted { schemas.append((name, schema.definition)) }
        switch schema.kind {
        case .object(let members): for member in members { collect(member.schema) }
        case .array(let element), .map(let element): collect(element)
        case .any, .string, .integer, .number, .boolean: break
        }
    }
}

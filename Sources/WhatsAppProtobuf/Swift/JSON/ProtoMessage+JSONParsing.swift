import CProtobufC

extension ProtoMessage {
    /// Reads a message from protobuf JSON.
    ///
    /// Takes what `json()` writes and what other writers of protobuf JSON do: 64-bit integers as numbers or text, Base64 of
    /// both alphabets, enums by name or number, null for absent. Throws `ProtoError.invalidJSON` naming the member for an
    /// unknown member, a wrong kind or a number out of range.
    package init(_ type: ProtoType, json: ProtoJSON) throws(ProtoError) {
        try self.init(type, json: json, path: "", depth: 1)
    }

    package init(_ type: ProtoType, json text: String) throws(ProtoError) {
        try self.init(type, json: ProtoJSON(parsing: text))
    }

    private init(_ type: ProtoType, json: ProtoJSON, path: String, depth: Int) throws(ProtoError) {
        guard depth <= ProtoLimits.default.depth else { throw .tooDeep }
        guard case .object(let members) = json else { throw invalid(path, "an object was expected") }
        self.init(type)
        for member in members where member.value != .null {
            let place = path.isEmpty ? member.name : "\(path).\(member.name)"
            guard type.hasField(member.name) else { throw invalid(place, "\(type.fullName) has no such member") }
            let field = type.field(member.name)
            if let entry = field.mapEntry {
                set(field, elements: try ProtoMessage.pairs(member.value, field, entry, place, depth))
            } else if field.isRepeated {
                guard case .array(let elements) = member.value else { throw invalid(place, "a list was expected") }
                var values: [ProtoValue] = []
                for (index, element) in elements.enumerated() {
                    values.append(try ProtoMessage.value(element, field, "\(place)[\(index)]", depth))
                }
                set(field, elements: values)
            } else {
                set(field, try ProtoMessage.value(member.value, field, place, depth))
            }
        }
    }

    private static func pairs(
        _ json: ProtoJSON, _ field: ProtobufCFieldDescriptor,
        _ entry: (key: ProtobufCFieldDescriptor, value: ProtobufCFieldDescriptor), _ path: String, _ depth: Int
    ) throws(ProtoError) -> [ProtoValue] {
        guard case .object(let members) = json, let descriptor = field.messageDescriptor else {
            throw invalid(path, "an object was expected")
        }
        var values: [ProtoValue] = []
        for member in members {
            let place = "\(path).\(member.name)"
            var pair = ProtoMessage(ProtoType(descriptor))
            pair.set(entry.key, try value(.string(member.name), entry.key, place, depth))
            pair.set(entry.value, try value(member.value, entry.value, place, depth))
            values.append(.message(pair))
        }
        return values
    }

    private static func value(
        _ json: ProtoJSON, _ field: ProtobufCFieldDescriptor, _ path: String, _ depth: Int
    ) throws(ProtoError) -> ProtoValue {
        switch field.type {
        case PROTOBUF_C_TYPE_BOOL:
            guard case .bool(let flag) = json else { throw invalid(path, "true or false was expected") }
            return .bool(flag)
        case PROTOBUF_C_TYPE_STRING:
            guard case .string(let text) = json else { throw invalid(path, "text was expected") }
            return .string(text)
        case PROTOBUF_C_TYPE_BYTES:
            guard case .string(let text) = json, let bytes = ProtoBase64.decode(text) else {
                throw invalid(path, "Base64 was expected")
            }
            return .bytes(bytes)
        case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_DOUBLE:
            guard let number = floating(json) else { throw invalid(path, "a number was expected") }
            return .double(number)
        case PROTOBUF_C_TYPE_ENUM:
            if case .string(let name) = json, let descriptor = field.enumDescriptor,
                let number = ProtobufCEnumDescriptor.number(of: name, in: descriptor)
            {
                return .enumeration(number)
            }
            guard case .number(let digits) = json, let number = Int32(digits) else {
                throw invalid(path, "not a value of the enum")
            }
            return .enumeration(number)
        case PROTOBUF_C_TYPE_MESSAGE:
            guard let descriptor = field.messageDescriptor else { throw invalid(path, "no type") }
            return .message(try ProtoMessage(ProtoType(descriptor), json: json, path: path, depth: depth + 1))
        default:
            guard let number = integer(json, field.type) else {
                throw invalid(path, "an integer in range was expected")
            }
            return number
        }
    }

    private static func integer(_ json: ProtoJSON, _ type: ProtobufCType) -> ProtoValue? {
        let digits: String
        switch json {
        case .number(let text), .string(let text): digits = text
        default: return nil
        }
        switch type {
        case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
            return (UInt64(digits) ?? Double(digits).flatMap { UInt64(exactly: $0) }).map { .unsigned($0) }
        case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
            return (UInt32(digits) ?? Double(digits).flatMap { UInt32(exactly: $0) }).map { .unsigned(UInt64($0)) }
        case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32, PROTOBUF_C_TYPE_SFIXED32:
            return (Int32(digits) ?? Double(digits).flatMap { Int32(exactly: $0) }).map { .signed(Int64($0)) }
        default:
            return (Int64(digits) ?? Double(digits).flatMap { Int64(exactly: $0) }).map { .signed($0) }
        }
    }

    private static func floating(_ json: ProtoJSON) -> Double? {
        switch json {
        case .number(let text): Double(text)
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        case .string(let text): Double(text)
        default: nil
        }
    }
}

private func invalid(_ path: String, _ reason: String) -> ProtoError {
    .invalidJSON(path.isEmpty ? reason : "\(path): \(reason)")
}

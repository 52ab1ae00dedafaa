import CProtobufC

/// protobuf JSON: member names as in the schema, 64-bit integers as text, bytes as Base64, enums by name.
extension ProtoMessage {
    /// The message as compact JSON text.
    package func json() -> String { jsonValue.text }

    /// The message as JSON: members by ascending field number, absent and unknown fields left out.
    package var jsonValue: ProtoJSON {
        withExtendedLifetime(storage) {
            .object(fieldDescriptors.filter { isPresent($0) }.map { ProtoJSON.Member($0.fieldName, jsonValue(of: $0)) })
        }
    }

    private func jsonValue(of field: ProtobufCFieldDescriptor) -> ProtoJSON {
        guard field.isRepeated else { return value(field).map { json($0, field) } ?? .null }
        guard let entry = field.mapEntry else { return .array(values(field).map { json($0, field) }) }
        return .object(
            values(field).compactMap { value in
                guard case .message(let pair) = value, let key = pair.value(entry.key) else { return nil }
                let name = pair.json(key, entry.key)
                let content = pair.value(entry.value).map { pair.json($0, entry.value) }
                return ProtoJSON.Member(name.stringValue ?? name.text, content ?? .null)
            })
    }

    private func json(_ value: ProtoValue, _ field: ProtobufCFieldDescriptor) -> ProtoJSON {
        switch value {
        case .signed(let number): field.type.elementSize == 8 ? .string(String(number)) : .integer(number)
        case .unsigned(let number): field.type.elementSize == 8 ? .string(String(number)) : .integer(number)
        case .enumeration(let number):
            field.enumDescriptor.flatMap { ProtobufCEnumDescriptor.name(of: number, in: $0) }.map { .string($0) }
                ?? .integer(number)
        case .double(let number): field.type == PROTOBUF_C_TYPE_FLOAT ? json(Float(number)) : json(number)
        case .bool(let flag): .bool(flag)
        case .string(let text): .string(text)
        case .bytes(let bytes): .string(ProtoBase64.encode(bytes))
        case .message(let message): message.jsonValue
        }
    }

    private func json(_ number: some BinaryFloatingPoint & LosslessStringConvertible) -> ProtoJSON {
        if number.isNaN { return .string("NaN") }
        if number.isInfinite { return .string(number < 0 ? "-Infinity" : "Infinity") }
        let digits = String(number)
        return .number(digits.hasSuffix(".0") ? String(digits.dropLast(2)) : digits)
    }
}

extension ProtobufCFieldDescriptor {
    /// Key and value of a map's entries, when the field is a map: its type is the generated `…Entry`.
    var mapEntry: (key: ProtobufCFieldDescriptor, value: ProtobufCFieldDescriptor)? {
        guard isRepeated, let entry = messageDescriptor?.pointee, entry.n_fields == 2, let fields = entry.fields,
            String(cString: entry.short_name).hasSuffix("Entry"),
            fields[0].fieldName == "key", fields[1].fieldName == "value"
        else { return nil }
        return (fields[0], fields[1])
    }
}

import CProtobufC

/// Fields by name. Setting nil removes a field; setting a list replaces it.
extension ProtoMessage {
    /// Whether a field is present; a repeated one when it has an element.
    package func has(_ name: String) -> Bool {
        withExtendedLifetime(storage) { isPresent(type.field(name)) }
    }

    package mutating func clear(_ name: String) {
        let field = type.field(name)
        if field.isRepeated { set(field, elements: []) } else { set(field, nil) }
    }

    package subscript(string name: String) -> String? {
        get { read(name) { if case .string(let value) = $0 { value } else { nil } } }
        set { set(singular(name), newValue.map { .string($0) }) }
    }

    package subscript(bytes name: String) -> [UInt8]? {
        get { read(name) { if case .bytes(let value) = $0 { value } else { nil } } }
        set { set(singular(name), newValue.map { .bytes($0) }) }
    }

    /// Any integer field; a negative one reads as its 64-bit pattern.
    package subscript(uint name: String) -> UInt64? {
        get { read(name, ProtoMessage.unsigned) }
        set { set(singular(name), newValue.map { .unsigned($0) }) }
    }

    /// Any integer or enum field; an unsigned one past 2^63 reads as its 64-bit pattern.
    package subscript(int name: String) -> Int64? {
        get { read(name, ProtoMessage.unsigned).map { Int64(bitPattern: $0) } }
        set { set(singular(name), newValue.map { .signed($0) }) }
    }

    package subscript(bool name: String) -> Bool? {
        get { read(name) { if case .bool(let value) = $0 { value } else { nil } } }
        set { set(singular(name), newValue.map { .bool($0) }) }
    }

    /// A `double` or `float` field.
    package subscript(double name: String) -> Double? {
        get { read(name) { if case .double(let value) = $0 { value } else { nil } } }
        set { set(singular(name), newValue.map { .double($0) }) }
    }

    /// The name of an enum field's value; the number in digits when the schema has no name for it. Setting takes both.
    package subscript(enumName name: String) -> String? {
        get {
            let field = singular(name)
            guard let value = value(field) else { return nil }
            guard case .enumeration(let number) = value, let descriptor = field.enumDescriptor else {
                mismatch(name)
            }
            return ProtobufCEnumDescriptor.name(of: number, in: descriptor) ?? String(number)
        }
        set {
            let field = singular(name)
            guard let newValue else { return set(field, nil) }
            guard let descriptor = field.enumDescriptor,
                let number = ProtobufCEnumDescriptor.number(of: newValue, in: descriptor) ?? Int32(newValue)
            else { preconditionFailure("\(type.fullName).\(name) has no value \(newValue)") }
            set(field, .enumeration(number))
        }
    }

    package subscript(message name: String) -> ProtoMessage? {
        get { read(name) { if case .message(let value) = $0 { value } else { nil } } }
        set { set(singular(name), newValue.map { .message($0) }) }
    }

    package subscript(messages name: String) -> [ProtoMessage] {
        get { readList(name) { if case .message(let value) = $0 { value } else { nil } } }
        set { set(list(name), elements: newValue.map { .message($0) }) }
    }

    package subscript(strings name: String) -> [String] {
        get { readList(name) { if case .string(let value) = $0 { value } else { nil } } }
        set { set(list(name), elements: newValue.map { .string($0) }) }
    }

    package subscript(byteStrings name: String) -> [[UInt8]] {
        get { readList(name) { if case .bytes(let value) = $0 { value } else { nil } } }
        set { set(list(name), elements: newValue.map { .bytes($0) }) }
    }

    package subscript(uints name: String) -> [UInt64] {
        get { readList(name, ProtoMessage.unsigned) }
        set { set(list(name), elements: newValue.map { .unsigned($0) }) }
    }

    /// The type of a message field: to build what goes into it.
    package func type(of name: String) -> ProtoType {
        guard let descriptor = type.field(name).messageDescriptor else { mismatch(name) }
        return ProtoType(descriptor)
    }

    /// Fills a message field in place; an absent one starts empty.
    package mutating func update(_ name: String, _ build: (inout ProtoMessage) throws -> Void) rethrows {
        var inner = self[message: name] ?? ProtoMessage(type(of: name))
        try build(&inner)
        self[message: name] = inner
    }

    private static func unsigned(_ value: ProtoValue) -> UInt64? {
        switch value {
        case .unsigned(let number): number
        case .signed(let number): UInt64(bitPattern: number)
        case .enumeration(let number): UInt64(bitPattern: Int64(number))
        default: nil
        }
    }

    private func read<Value>(_ name: String, _ convert: (ProtoValue) -> Value?) -> Value? {
        guard let value = value(singular(name)) else { return nil }
        guard let converted = convert(value) else { mismatch(name) }
        return converted
    }

    private func readList<Value>(_ name: String, _ convert: (ProtoValue) -> Value?) -> [Value] {
        values(list(name)).map {
            guard let converted = convert($0) else { mismatch(name) }
            return converted
        }
    }

    private func singular(_ name: String) -> ProtobufCFieldDescriptor {
        let field = type.field(name)
        precondition(!field.isRepeated, "\(type.fullName).\(name) is repeated")
        return field
    }

    private func list(_ name: String) -> ProtobufCFieldDescriptor {
        let field = type.field(name)
        precondition(field.isRepeated, "\(type.fullName).\(name) is not repeated")
        return field
    }

    private func mismatch(_ name: String) -> Never {
        preconditionFailure("\(type.fullName).\(name) is of another kind")
    }
}

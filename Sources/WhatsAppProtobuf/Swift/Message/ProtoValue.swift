import CProtobufC

/// One element of a field, taken out of the C struct or to be put into it.
enum ProtoValue: Sendable {
    case signed(Int64)
    case unsigned(UInt64)
    case enumeration(Int32)
    case double(Double)
    case bool(Bool)
    case string(String)
    case bytes([UInt8])
    case message(ProtoMessage)
}

/// Reading and writing of struct members. The offsets are those of the generated C; `field` always belongs to the type.
extension ProtoMessage {
    private var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(pointer) }

    func isPresent(_ field: ProtobufCFieldDescriptor) -> Bool {
        let member = base + Int(field.offset)
        let quantifier = base + Int(field.quantifier_offset)
        if field.isRepeated { return quantifier.load(as: Int.self) > 0 }
        if field.isOneofMember { return quantifier.load(as: UInt32.self) == field.id }
        switch field.type {
        case PROTOBUF_C_TYPE_STRING:
            guard let text = member.load(as: UnsafePointer<CChar>?.self) else { return false }
            return field.label != PROTOBUF_C_LABEL_NONE || text.pointee != 0
        case PROTOBUF_C_TYPE_MESSAGE:
            return member.load(as: UnsafeRawPointer?.self) != nil
        case PROTOBUF_C_TYPE_BYTES where field.label == PROTOBUF_C_LABEL_NONE:
            return member.load(as: ProtobufCBinaryData.self).len > 0
        default:
            guard field.label == PROTOBUF_C_LABEL_NONE else { return quantifier.load(as: Int32.self) != 0 }
            return field.type.elementSize == 8 ? member.load(as: Int64.self) != 0 : member.load(as: Int32.self) != 0
        }
    }

    /// The value of a singular field, nil when absent.
    func value(_ field: ProtobufCFieldDescriptor) -> ProtoValue? {
        withExtendedLifetime(storage) {
            guard isPresent(field) else { return nil }
            return element(field, at: base + Int(field.offset))
        }
    }

    /// The elements of a repeated field.
    func values(_ field: ProtobufCFieldDescriptor) -> [ProtoValue] {
        withExtendedLifetime(storage) {
            let count = (base + Int(field.quantifier_offset)).load(as: Int.self)
            guard count > 0, let list = (base + Int(field.offset)).load(as: UnsafeMutableRawPointer?.self) else {
                return []
            }
            return (0..<count).compactMap { element(field, at: list + $0 * field.type.elementSize) }
        }
    }

    private func element(_ field: ProtobufCFieldDescriptor, at place: UnsafeMutableRawPointer) -> ProtoValue? {
        switch field.type {
        case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32, PROTOBUF_C_TYPE_SFIXED32:
            return .signed(Int64(place.load(as: Int32.self)))
        case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
            return .signed(place.load(as: Int64.self))
        case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
            return .unsigned(UInt64(place.load(as: UInt32.self)))
        case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
            return .unsigned(place.load(as: UInt64.self))
        case PROTOBUF_C_TYPE_FLOAT:
            return .double(Double(place.load(as: Float.self)))
        case PROTOBUF_C_TYPE_DOUBLE:
            return .double(place.load(as: Double.self))
        case PROTOBUF_C_TYPE_BOOL:
            return .bool(place.load(as: Int32.self) != 0)
        case PROTOBUF_C_TYPE_ENUM:
            return .enumeration(place.load(as: Int32.self))
        case PROTOBUF_C_TYPE_STRING:
            return place.load(as: UnsafePointer<CChar>?.self).map { .string(String(cString: $0)) }
        case PROTOBUF_C_TYPE_BYTES:
            let data = place.load(as: ProtobufCBinaryData.self)
            return .bytes(Array(UnsafeBufferPointer(start: data.data, count: data.len)))
        default:
            return place.load(as: UnsafeMutablePointer<ProtobufCMessage>?.self)
                .map { .message(ProtoMessage(storage: storage, pointer: $0)) }
        }
    }

    /// Sets or removes a singular field.
    mutating func set(_ field: ProtobufCFieldDescriptor, _ value: ProtoValue?) {
        makeUnique()
        let member = base + Int(field.offset)
        let quantifier = base + Int(field.quantifier_offset)
        if field.isOneofMember {
            guard value != nil || quantifier.load(as: UInt32.self) == field.id else { return }
            quantifier.storeBytes(of: value == nil ? 0 : field.id, as: UInt32.self)
        } else if !field.isPointer, field.label != PROTOBUF_C_LABEL_NONE {
            quantifier.storeBytes(of: value == nil ? 0 : 1, as: Int32.self)
        }
        if let value {
            store(field, value, at: member)
        } else if field.type == PROTOBUF_C_TYPE_STRING, field.label == PROTOBUF_C_LABEL_NONE {
            store(field, .string(""), at: member)
        } else {
            member.initializeMemory(as: UInt8.self, repeating: 0, count: field.type.elementSize)
        }
    }

    /// Replaces the elements of a repeated field.
    mutating func set(_ field: ProtobufCFieldDescriptor, elements: [ProtoValue]) {
        makeUnique()
        let size = field.type.elementSize
        var list: UnsafeMutableRawPointer?
        if !elements.isEmpty {
            let memory = UnsafeMutableRawPointer(storage.arena.allocate(elements.count * size, of: UInt8.self))
            for (index, value) in elements.enumerated() {
                store(field, value, at: memory + index * size)
            }
            list = memory
        }
        (base + Int(field.offset)).storeBytes(of: list, as: UnsafeMutableRawPointer?.self)
        (base + Int(field.quantifier_offset)).storeBytes(of: elements.count, as: Int.self)
    }

    /// Writes one element. Integers are cut to the field's width as a wire reader would cut them.
    private func store(_ field: ProtobufCFieldDescriptor, _ value: ProtoValue, at place: UnsafeMutableRawPointer) {
        switch (value, field.type) {
        case (.signed(let number), let type) where type.isInteger:
            storeInteger(UInt64(bitPattern: number), type, at: place)
        case (.unsigned(let number), let type) where type.isInteger:
            storeInteger(number, type, at: place)
        case (.enumeration(let number), PROTOBUF_C_TYPE_ENUM):
            place.storeBytes(of: number, as: Int32.self)
        case (.double(let number), PROTOBUF_C_TYPE_DOUBLE):
            place.storeBytes(of: number, as: Double.self)
        case (.double(let number), PROTOBUF_C_TYPE_FLOAT):
            place.storeBytes(of: Float(number), as: Float.self)
        case (.bool(let flag), PROTOBUF_C_TYPE_BOOL):
            place.storeBytes(of: flag ? 1 : 0, as: Int32.self)
        case (.string(let text), PROTOBUF_C_TYPE_STRING):
            let bytes = text.utf8.map { $0 == 0 ? 0x20 : $0 } + [0]
            place.storeBytes(of: copy(bytes), as: UnsafeMutablePointer<UInt8>.self)
        case (.bytes(let bytes), PROTOBUF_C_TYPE_BYTES):
            let data = ProtobufCBinaryData(len: bytes.count, data: bytes.isEmpty ? nil : copy(bytes))
            place.storeBytes(of: data, as: ProtobufCBinaryData.self)
        case (.message(let message), PROTOBUF_C_TYPE_MESSAGE):
            precondition(message.pointer.pointee.descriptor == field.messageDescriptor, "message of another type")
            let copied = storage.arena.unpack(message.serialized(), as: message.type.descriptor)
            precondition(copied != nil, "a protobuf of our own could not be unpacked")
            place.storeBytes(of: copied, as: UnsafeMutablePointer<ProtobufCMessage>?.self)
        default:
            preconditionFailure("\(type.fullName).\(field.fieldName) does not hold such a value")
        }
    }

    private func storeInteger(_ number: UInt64, _ type: ProtobufCType, at place: UnsafeMutableRawPointer) {
        if type.elementSize == 8 {
            place.storeBytes(of: number, as: UInt64.self)
        } else {
            place.storeBytes(of: UInt32(truncatingIfNeeded: number), as: UInt32.self)
        }
    }

    private func copy(_ bytes: [UInt8]) -> UnsafeMutablePointer<UInt8> {
        let memory = storage.arena.allocate(bytes.count, of: UInt8.self)
        memory.initialize(from: bytes, count: bytes.count)
        return memory
    }
}

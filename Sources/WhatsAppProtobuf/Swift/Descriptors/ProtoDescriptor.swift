import CProtobufC
import CWhatsAppProtobuf

/// What the C descriptors say, in Swift words. The descriptors are constant static data of the generated C.
extension ProtobufCFieldDescriptor {
    var messageDescriptor: UnsafePointer<ProtobufCMessageDescriptor>? {
        guard type == PROTOBUF_C_TYPE_MESSAGE else { return nil }
        return descriptor?.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
    }

    var enumDescriptor: UnsafePointer<ProtobufCEnumDescriptor>? {
        guard type == PROTOBUF_C_TYPE_ENUM else { return nil }
        return descriptor?.assumingMemoryBound(to: ProtobufCEnumDescriptor.self)
    }

    var isRepeated: Bool { label == PROTOBUF_C_LABEL_REPEATED }

    var isOneofMember: Bool { flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0 }

    /// Whether presence is told by a pointer: strings and messages outside oneofs are present when not nil.
    var isPointer: Bool { type == PROTOBUF_C_TYPE_STRING || type == PROTOBUF_C_TYPE_MESSAGE }

    var fieldName: String { String(cString: name) }

    /// The type as a `.proto` file names it.
    var typeName: String {
        switch type {
        case PROTOBUF_C_TYPE_INT32: "int32"
        case PROTOBUF_C_TYPE_SINT32: "sint32"
        case PROTOBUF_C_TYPE_SFIXED32: "sfixed32"
        case PROTOBUF_C_TYPE_INT64: "int64"
        case PROTOBUF_C_TYPE_SINT64: "sint64"
        case PROTOBUF_C_TYPE_SFIXED64: "sfixed64"
        case PROTOBUF_C_TYPE_UINT32: "uint32"
        case PROTOBUF_C_TYPE_FIXED32: "fixed32"
        case PROTOBUF_C_TYPE_UINT64: "uint64"
        case PROTOBUF_C_TYPE_FIXED64: "fixed64"
        case PROTOBUF_C_TYPE_FLOAT: "float"
        case PROTOBUF_C_TYPE_DOUBLE: "double"
        case PROTOBUF_C_TYPE_BOOL: "bool"
        case PROTOBUF_C_TYPE_STRING: "string"
        case PROTOBUF_C_TYPE_BYTES: "bytes"
        case PROTOBUF_C_TYPE_ENUM: enumDescriptor.map { String(cString: $0.pointee.name) } ?? ""
        default: messageDescriptor.map { String(cString: $0.pointee.name) } ?? ""
        }
    }
}

extension ProtobufCType {
    var wireType: ProtoField.WireType {
        switch self {
        case PROTOBUF_C_TYPE_SFIXED32, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_FLOAT: .fixed32
        case PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_DOUBLE: .fixed64
        case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: .lengthDelimited
        default: .varint
        }
    }

    /// Bytes of one element in the C struct.
    var elementSize: Int {
        switch self {
        case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64, PROTOBUF_C_TYPE_UINT64,
            PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_DOUBLE:
            8
        case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_MESSAGE: MemoryLayout<UnsafeRawPointer>.size
        case PROTOBUF_C_TYPE_BYTES: MemoryLayout<ProtobufCBinaryData>.size
        default: 4
        }
    }

    var isInteger: Bool {
        switch self {
        case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_BOOL, PROTOBUF_C_TYPE_STRING,
            PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE:
            false
        default: true
        }
    }
}

extension ProtobufCEnumDescriptor {
    /// The name of a number, or nil when the schema has none for it.
    static func name(of number: Int32, in descriptor: UnsafePointer<ProtobufCEnumDescriptor>) -> String? {
        protobuf_c_enum_descriptor_get_value(descriptor, number).map { String(cString: $0.pointee.name) }
    }

    /// The number of a name, or nil when the schema has none of it.
    static func number(of name: String, in descriptor: UnsafePointer<ProtobufCEnumDescriptor>) -> Int32? {
        protobuf_c_enum_descriptor_get_value_by_name(descriptor, name).map { Int32($0.pointee.value) }
    }
}

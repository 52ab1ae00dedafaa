import CProtobufC
import CWhatsAppProtobuf

/// A message type of the schema.
///
/// `@unchecked Sendable`: it only points at a descriptor, which is constant static data of the generated C.
package struct ProtoType: @unchecked Sendable, Hashable, CustomStringConvertible {
    let descriptor: UnsafePointer<ProtobufCMessageDescriptor>

    init(_ descriptor: UnsafePointer<ProtobufCMessageDescriptor>) {
        self.descriptor = descriptor
    }

    /// The type of a full name such as `WAWebProtobufsE2E.Message`, or nil when the schema has none of it.
    package static func named(_ fullName: String) -> ProtoType? {
        registry[fullName]
    }

    /// Every message type of the schema, by full name.
    package static var all: [ProtoType] {
        registry.values.sorted { $0.fullName < $1.fullName }
    }

    package var fullName: String { String(cString: descriptor.pointee.name) }
    package var description: String { fullName }

    /// The fields by ascending number.
    package var fields: [Field] {
        UnsafeBufferPointer(start: descriptor.pointee.fields, count: Int(descriptor.pointee.n_fields))
            .map { Field(name: $0.fieldName, number: Int($0.id)) }
    }

    /// Whether the type has a field of that name.
    package func hasField(_ name: String) -> Bool {
        protobuf_c_message_descriptor_get_field_by_name(descriptor, name) != nil
    }

    /// A field of a type, by its name in the schema and its number on the wire.
    package struct Field: Sendable, Hashable {
        package let name: String
        package let number: Int
    }

    /// How the schema declares a field. A name the type does not have is a programmer error.
    package func declaration(of name: String) -> Declaration {
        let field = field(name)
        return Declaration(
            number: Int(field.id), typeName: field.typeName, isRepeated: field.isRepeated,
            isPacked: field.flags & UInt32(PROTOBUF_C_FIELD_FLAG_PACKED.rawValue) != 0,
            isOneofMember: field.isOneofMember)
    }

    /// The declaration of a field in the words of a `.proto` file.
    package struct Declaration: Sendable, Equatable {
        package let number: Int
        /// `string`, `uint32` ..., or the full name of a message or enum.
        package let typeName: String
        package let isRepeated: Bool
        package let isPacked: Bool
        package let isOneofMember: Bool
    }

    /// The descriptor of a field. A name the type does not have is a programmer error.
    func field(_ name: String) -> ProtobufCFieldDescriptor {
        guard let field = protobuf_c_message_descriptor_get_field_by_name(descriptor, name) else {
            preconditionFailure("\(fullName) has no field \(name)")
        }
        return field.pointee
    }

    private static let registry: [String: ProtoType] = {
        var types: [String: ProtoType] = [:]
        var index = 0
        while let descriptor = whatsapp_protobuf_message(index) {
            types[String(cString: descriptor.pointee.name)] = ProtoType(descriptor)
            index += 1
        }
        return types
    }()
}

/// An enum of the schema.
///
/// `@unchecked Sendable`: it only points at a descriptor, which is constant static data of the generated C.
package struct ProtoEnum: @unchecked Sendable {
    let descriptor: UnsafePointer<ProtobufCEnumDescriptor>

    /// The enum of a full name such as `WACompanionReg.DeviceProps.PlatformType`, or nil when there is none.
    package static func named(_ fullName: String) -> ProtoEnum? {
        registry[fullName]
    }

    /// The name of a number, or nil when the schema has none for it.
    package func name(of number: Int32) -> String? {
        ProtobufCEnumDescriptor.name(of: number, in: descriptor)
    }

    /// The number of a name, or nil when the schema has none of it.
    package func number(of name: String) -> Int32? {
        ProtobufCEnumDescriptor.number(of: name, in: descriptor)
    }

    /// Every name by ascending number.
    package var names: [String] {
        UnsafeBufferPointer(start: descriptor.pointee.values, count: Int(descriptor.pointee.n_values))
            .map { String(cString: $0.name) }
    }

    private static let registry: [String: ProtoEnum] = {
        var enums: [String: ProtoEnum] = [:]
        var index = 0
        while let descriptor = whatsapp_protobuf_enum(index) {
            enums[String(cString: descriptor.pointee.name)] = ProtoEnum(descriptor: descriptor)
            index += 1
        }
        return enums
    }()
}

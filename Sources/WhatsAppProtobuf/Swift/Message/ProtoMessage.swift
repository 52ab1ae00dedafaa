import CProtobufC

/// A protobuf message of any type of the schema.
///
/// A value: copying is cheap, a change to a copy never shows in another one. Fields are named as in the schema
/// (`message[string: "conversation"]`); an absent field reads nil or empty; naming a field the type does not have, or
/// reading it as another kind, is a programmer error and traps. Fields and enum numbers the schema does not know are kept
/// and written again. Submessages share the memory of the tree they were read from, which lives while any of them does.
///
/// `@unchecked Sendable`: the pointer leads into `storage`, which is Sendable and kept alive beside it.
package struct ProtoMessage: @unchecked Sendable {
    private(set) var storage: ProtoStorage
    /// Somewhere in `storage`.
    private(set) var pointer: UnsafeMutablePointer<ProtobufCMessage>

    /// An empty message.
    package init(_ type: ProtoType) {
        self.init(ProtoStorage.own([], as: type))
    }

    /// An empty message that `build` fills.
    package init(_ type: ProtoType, _ build: (inout ProtoMessage) throws -> Void) rethrows {
        self.init(type)
        try build(&self)
    }

    /// Reads a message from outside bytes, which are checked against `limits` before they are unpacked.
    ///
    /// Throws `ProtoError`. A NUL inside a string reads as a space, bytes that are not UTF-8 as U+FFFD.
    package init(
        _ type: ProtoType, parsing bytes: some Collection<UInt8>, limits: ProtoLimits = .default
    ) throws(ProtoError) {
        let checked = try ProtoGuard.check(Array(bytes), as: type.descriptor, limits: limits)
        guard let storage = ProtoStorage.unpacking(checked, as: type, memory: limits.memory) else {
            throw .unpackFailed
        }
        self.init(storage)
    }

    private init(_ storage: ProtoStorage) {
        self.storage = storage
        self.pointer = storage.root
    }

    /// A submessage inside a tree.
    init(storage: ProtoStorage, pointer: UnsafeMutablePointer<ProtobufCMessage>) {
        self.storage = storage
        self.pointer = pointer
    }

    package var type: ProtoType { withExtendedLifetime(storage) { ProtoType(pointer.pointee.descriptor) } }

    /// The wire form: known fields by ascending number, then unknown ones as they came.
    package func serialized() -> [UInt8] {
        withExtendedLifetime(storage) {
            let count = protobuf_c_message_get_packed_size(pointer)
            return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                guard let start = buffer.baseAddress else { return }
                initialized = protobuf_c_message_pack(pointer, start)
            }
        }
    }

    /// Bytes of the wire form.
    package var serializedSize: Int {
        withExtendedLifetime(storage) { protobuf_c_message_get_packed_size(pointer) }
    }

    /// The known fields that are present, by ascending number.
    package var presentFields: [ProtoType.Field] {
        withExtendedLifetime(storage) {
            fieldDescriptors.filter { isPresent($0) }.map { ProtoType.Field(name: $0.fieldName, number: Int($0.id)) }
        }
    }

    /// The numbers of fields that the schema does not know, in the order they came.
    package var unknownFieldNumbers: [Int] {
        withExtendedLifetime(storage) {
            UnsafeBufferPointer(start: pointer.pointee.unknown_fields, count: Int(pointer.pointee.n_unknown_fields))
                .map { Int($0.tag) }
        }
    }

    /// Whether it has no field at all.
    package var isEmpty: Bool {
        withExtendedLifetime(storage) {
            pointer.pointee.n_unknown_fields == 0 && !fieldDescriptors.contains { isPresent($0) }
        }
    }

    var fieldDescriptors: UnsafeBufferPointer<ProtobufCFieldDescriptor> {
        let descriptor = pointer.pointee.descriptor.pointee
        return UnsafeBufferPointer(start: descriptor.fields, count: Int(descriptor.n_fields))
    }

    /// Gives this value a tree of its own before it is changed.
    mutating func makeUnique() {
        guard !isKnownUniquelyReferenced(&storage) else { return }
        self = ProtoMessage(ProtoStorage.own(serialized(), as: type))
    }
}

extension ProtoMessage: Equatable {
    /// Same type and same wire form.
    package static func == (left: ProtoMessage, right: ProtoMessage) -> Bool {
        left.type == right.type && left.serialized() == right.serialized()
    }
}

extension ProtoMessage: CustomStringConvertible {
    /// The type and its size; never the content, which may be secret.
    package var description: String { "\(type.fullName)(\(serializedSize) bytes)" }
}

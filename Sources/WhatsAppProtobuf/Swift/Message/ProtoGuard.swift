import CProtobufC
import CWhatsAppProtobuf

/// Walks a serialized message once, guided by the descriptors, before the unpacker may see it.
///
/// It refuses what the unpacker would answer with recursion, memory or a misreading, and repairs what readers of C
/// strings would see cut short: a NUL inside a string becomes a space (05-message-content, section 3.2).
struct ProtoGuard {
    private let limits: ProtoLimits
    private var bytes: [UInt8]
    private var messages = 0
    private var elements = 0
    private var fields = 0

    /// Returns the bytes to unpack. Throws `ProtoError`.
    static func check(
        _ bytes: [UInt8], as descriptor: UnsafePointer<ProtobufCMessageDescriptor>, limits: ProtoLimits
    ) throws(ProtoError) -> [UInt8] {
        guard bytes.count <= limits.bytes else { throw .tooLarge(bytes: bytes.count) }
        var checker = ProtoGuard(limits: limits, bytes: bytes)
        try checker.message(descriptor, in: 0..<bytes.count, depth: 1)
        return checker.bytes
    }

    private init(limits: ProtoLimits, bytes: [UInt8]) {
        self.limits = limits
        self.bytes = bytes
    }

    private mutating func message(
        _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>, in range: Range<Int>, depth: Int
    ) throws(ProtoError) {
        guard depth <= limits.depth else { throw .tooDeep }
        var position = range.lowerBound
        while position < range.upperBound {
            let tag = try varint(at: &position, below: range.upperBound)
            let number = tag >> 3
            guard number >= 1, number <= 536_870_911 else { throw .invalidFieldNumber }
            guard let wireType = ProtoField.WireType(rawValue: UInt8(tag & 7)) else {
                throw .unsupportedWireType(UInt8(tag & 7))
            }
            fields += 1
            guard fields <= limits.fields else { throw .tooManyFields }
            let field = protobuf_c_message_descriptor_get_field(descriptor, UInt32(number))
            var value = position..<position
            switch wireType {
            case .varint:
                _ = try varint(at: &position, below: range.upperBound)
            case .fixed64:
                try skip(8, at: &position, below: range.upperBound)
            case .fixed32:
                try skip(4, at: &position, below: range.upperBound)
            case .lengthDelimited:
                let length = try varint(at: &position, below: range.upperBound)
                guard length <= UInt64(range.upperBound - position) else { throw .truncated }
                value = position..<position + Int(length)
                position = value.upperBound
            }
            if let field {
                try known(field.pointee, wireType, value, depth: depth)
            }
        }
    }

    private mutating func known(
        _ field: ProtobufCFieldDescriptor, _ wireType: ProtoField.WireType, _ value: Range<Int>, depth: Int
    ) throws(ProtoError) {
        let repeated = field.label == PROTOBUF_C_LABEL_REPEATED
        let expected = field.type.wireType
        if wireType == expected {
            switch field.type {
            case PROTOBUF_C_TYPE_MESSAGE:
                messages += 1
                guard messages <= limits.messages else { throw .tooManyMessages }
                guard let inner = field.messageDescriptor else { return }
                try message(inner, in: value, depth: depth + 1)
            case PROTOBUF_C_TYPE_STRING:
                for index in value where bytes[index] == 0 {
                    bytes[index] = 0x20
                }
                if repeated { try countElements(1) }
            default:
                if repeated { try countElements(1) }
            }
        } else if repeated, wireType == .lengthDelimited {
            try packed(field, expected, value)
        } else {
            throw .wireTypeMismatch(field: Int(field.id))
        }
    }

    /// A repeated number may come packed whether or not it is declared so.
    private mutating func packed(
        _ field: ProtobufCFieldDescriptor, _ element: ProtoField.WireType, _ value: Range<Int>
    ) throws(ProtoError) {
        switch element {
        case .fixed32, .fixed64:
            let size = element == .fixed32 ? 4 : 8
            guard value.count.isMultiple(of: size) else { throw .truncated }
            try countElements(value.count / size)
        case .varint:
            var position = value.lowerBound
            while position < value.upperBound {
                _ = try varint(at: &position, below: value.upperBound)
                try countElements(1)
            }
        case .lengthDelimited:
            throw .wireTypeMismatch(field: Int(field.id))
        }
    }

    private mutating func countElements(_ count: Int) throws(ProtoError) {
        elements += count
        guard elements <= limits.elements else { throw .tooManyFields }
    }

    private func skip(_ count: Int, at position: inout Int, below end: Int) throws(ProtoError) {
        guard end - position >= count else { throw .truncated }
        position += count
    }

    private func varint(at position: inout Int, below end: Int) throws(ProtoError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < end else { throw .truncated }
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { throw .malformedVarint }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }
}

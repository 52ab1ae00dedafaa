/// One field as it stands on the wire, before anything is known about its type.
package struct ProtoField: Sendable, Equatable {
    /// How the value of a field is laid out.
    package enum WireType: UInt8, Sendable {
        case varint = 0
        case fixed64 = 1
        case lengthDelimited = 2
        case fixed32 = 5
    }

    /// Field number, 1...536870911.
    package let number: Int
    package let wireType: WireType
    /// The value of a varint, fixed64 or fixed32 field; 0 for a length-delimited one.
    package let uint: UInt64
    /// The value of a length-delimited field, sharing storage with the bytes that are read; empty otherwise.
    package let bytes: ArraySlice<UInt8>

    @usableFromInline
    init(number: Int, wireType: WireType, uint: UInt64 = 0, bytes: ArraySlice<UInt8> = []) {
        self.number = number
        self.wireType = wireType
        self.uint = uint
        self.bytes = bytes
    }

    /// The value as `uint32`, `int32` or an enum: its low 32 bits, as every protobuf reader takes them.
    package var uint32: UInt32 { UInt32(truncatingIfNeeded: uint) }

    /// The value as `int64` or `int32` (negative ones are written as ten bytes).
    package var int: Int64 { Int64(bitPattern: uint) }

    package var bool: Bool { uint != 0 }

    /// The value as text, or `nil` when its bytes are not UTF-8.
    package var string: String? { String(validating: bytes, as: UTF8.self) }
}

/// Walks the fields of one protobuf message without knowing its type. Every read is bounds checked.
///
/// For the few messages on hot paths (Signal, Noise, plain text); everything else goes through `ProtoMessage`.
/// ```
/// var reader = ProtoReader(bytes)
/// while let field = try reader.next() {
///     switch field.number { case 1: ratchetKey = Bytes(field.bytes) ... default: break }
/// }
/// ```
package struct ProtoReader: Sendable {
    @usableFromInline let bytes: ArraySlice<UInt8>
    @usableFromInline var position: Int

    @inlinable
    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        self.position = bytes.startIndex
    }

    @inlinable
    package init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    /// Bytes not yet read.
    @inlinable
    package var remaining: Int { bytes.endIndex - position }

    /// The next field, or `nil` at the end.
    ///
    /// Throws `ProtoError.truncated`, `.malformedVarint`, `.invalidFieldNumber` or `.unsupportedWireType`.
    @inlinable
    package mutating func next() throws(ProtoError) -> ProtoField? {
        guard position < bytes.endIndex else { return nil }
        let tag = try varint()
        let number = tag >> 3
        guard number >= 1, number <= 536_870_911 else { throw .invalidFieldNumber }
        guard let wireType = ProtoField.WireType(rawValue: UInt8(tag & 7)) else {
            throw .unsupportedWireType(UInt8(tag & 7))
        }
        switch wireType {
        case .varint:
            return ProtoField(number: Int(number), wireType: wireType, uint: try varint())
        case .fixed64:
            return ProtoField(number: Int(number), wireType: wireType, uint: try littleEndian(8))
        case .fixed32:
            return ProtoField(number: Int(number), wireType: wireType, uint: try littleEndian(4))
        case .lengthDelimited:
            let length = try varint()
            guard length <= UInt64(remaining) else { throw .truncated }
            let value = bytes[position..<position + Int(length)]
            position += Int(length)
            return ProtoField(number: Int(number), wireType: wireType, bytes: value)
        }
    }

    /// Reads one base-128 varint: at most ten bytes, the tenth at most 1.
    @inlinable
    package mutating func varint() throws(ProtoError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard position < bytes.endIndex else { throw .truncated }
            let byte = bytes[position]
            position += 1
            if shift == 63, byte > 1 { throw .malformedVarint }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    @inlinable
    mutating func littleEndian(_ count: Int) throws(ProtoError) -> UInt64 {
        guard remaining >= count else { throw .truncated }
        var value: UInt64 = 0
        for index in 0..<count {
            value |= UInt64(bytes[position + index]) << UInt64(8 * index)
        }
        position += count
        return value
    }
}

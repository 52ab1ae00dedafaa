/// Appends protobuf fields in the order of the calls; write them by ascending number for the canonical form.
///
/// Nothing is left out by itself: a field whose value is its type's zero is written when asked for, as proto2 presence
/// demands. Field numbers must be within 1...536870911.
package struct ProtoWriter: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8]

    package init(capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// `uint32`, `uint64`, `bool` and enum fields.
    package mutating func varint(_ field: Int, _ value: UInt64) {
        tag(field, .varint)
        raw(varint: value)
    }

    /// `int32` and `int64` fields; a negative value takes ten bytes.
    package mutating func int(_ field: Int, _ value: Int64) {
        varint(field, UInt64(bitPattern: value))
    }

    package mutating func bool(_ field: Int, _ value: Bool) {
        varint(field, value ? 1 : 0)
    }

    package mutating func bytes(_ field: Int, _ value: some Collection<UInt8>) {
        tag(field, .lengthDelimited)
        raw(varint: UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    package mutating func string(_ field: Int, _ value: String) {
        bytes(field, value.utf8)
    }

    /// A submessage, given its serialized body.
    package mutating func message(_ field: Int, _ body: [UInt8]) {
        bytes(field, body)
    }

    /// A submessage written in place by `build`.
    package mutating func message(_ field: Int, _ build: (inout ProtoWriter) -> Void) {
        var body = ProtoWriter()
        build(&body)
        bytes(field, body.bytes)
    }

    /// `fixed64`, `sfixed64` and `double` (bit pattern) fields.
    package mutating func fixed64(_ field: Int, _ value: UInt64) {
        tag(field, .fixed64)
        littleEndian(value, 8)
    }

    /// `fixed32`, `sfixed32` and `float` (bit pattern) fields.
    package mutating func fixed32(_ field: Int, _ value: UInt32) {
        tag(field, .fixed32)
        littleEndian(UInt64(value), 4)
    }

    /// Bytes that already are serialized fields.
    package mutating func raw(_ fields: some Collection<UInt8>) {
        bytes.append(contentsOf: fields)
    }

    /// A bare varint, without a tag.
    package mutating func raw(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func tag(_ field: Int, _ wireType: ProtoField.WireType) {
        precondition(field >= 1 && field <= 536_870_911, "protobuf field number out of range")
        raw(varint: UInt64(field) << 3 | UInt64(wireType.rawValue))
    }

    private mutating func littleEndian(_ value: UInt64, _ count: Int) {
        for index in 0..<count {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }
}

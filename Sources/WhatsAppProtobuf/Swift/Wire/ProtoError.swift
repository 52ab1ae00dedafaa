/// Why bytes were refused as a protobuf, or a value as a field of one.
///
/// Everything here is caused by outside input; asking for a field a type does not have is a programmer error and traps.
package enum ProtoError: Error, Equatable, Sendable {
    /// The bytes end inside a tag, a varint, a fixed-width value or a length-delimited value.
    case truncated
    /// A varint is longer than ten bytes or does not fit 64 bits.
    case malformedVarint
    /// A field number outside 1...536870911.
    case invalidFieldNumber
    /// A wire type other than varint, fixed64, length-delimited and fixed32. Groups (3 and 4) are refused.
    case unsupportedWireType(UInt8)
    /// A known field came with a wire type its declaration does not allow.
    case wireTypeMismatch(field: Int)
    /// More bytes than `ProtoLimits.bytes`.
    case tooLarge(bytes: Int)
    /// Nested deeper than `ProtoLimits.depth`.
    case tooDeep
    /// More submessages than `ProtoLimits.messages`.
    case tooManyMessages
    /// More field occurrences than `ProtoLimits.fields`, or elements of repeated fields than `ProtoLimits.elements`.
    case tooManyFields
    /// Passed every check, yet the unpacker refused it: it ran into `ProtoLimits.memory`.
    case unpackFailed
    /// JSON that does not describe the message; the text names the place and the reason.
    case invalidJSON(String)
}

import Foundation

/// One parameter of a statement. It is encoded by the type that the server declared for the parameter, so `.int` fits
/// smallint, integer and bigint columns, and `.text` fits every type whose text form the server can read.
///
/// A NUL character in text becomes U+FFFD: PostgreSQL cannot store it, and a peer must not be able to fail a
/// transaction by sending one. `.distantPast` and `.distantFuture` are `-infinity` and `infinity`.
package enum SQLValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case text(String)
    case bytes([UInt8])
    case uuid(UUID)
    case timestamp(Date)
    /// A point in time in microseconds, exactly as `timestamptz` keeps it.
    case instant(microsecondsSince1970: Int64)
    case array([SQLValue])
}

extension SQLValue {
    package init<Integer: BinaryInteger>(_ value: Integer) { self = .int(Int64(clamping: value)) }
    package init(_ value: String) { self = .text(value) }
    package init(_ value: [UInt8]) { self = .bytes(value) }
    package init(_ value: UUID) { self = .uuid(value) }
    package init(_ value: Date) { self = .timestamp(value) }
    package init(_ value: Bool) { self = .bool(value) }
    package init(_ value: Double) { self = .double(value) }

    package init(_ value: String?) { self = value.map(SQLValue.text) ?? .null }
    package init(_ value: [UInt8]?) { self = value.map(SQLValue.bytes) ?? .null }
    package init(_ value: UUID?) { self = value.map(SQLValue.uuid) ?? .null }
    package init(_ value: Date?) { self = value.map(SQLValue.timestamp) ?? .null }
    package init(_ value: Bool?) { self = value.map(SQLValue.bool) ?? .null }
    package init(_ value: Double?) { self = value.map(SQLValue.double) ?? .null }
    package init<Integer: BinaryInteger>(_ value: Integer?) {
        self = value.map { .int(Int64(clamping: $0)) } ?? .null
    }

    package static func ints(_ values: some Sequence<Int64>) -> SQLValue { .array(values.map(SQLValue.int)) }
    package static func texts(_ values: some Sequence<String>) -> SQLValue { .array(values.map(SQLValue.text)) }
    package static func byteStrings(_ values: some Sequence<[UInt8]>) -> SQLValue {
        .array(values.map(SQLValue.bytes))
    }
    package static func uuids(_ values: some Sequence<UUID>) -> SQLValue { .array(values.map(SQLValue.uuid)) }

    /// Seconds as a double, for `make_interval(secs => $n)`.
    package static func seconds(_ duration: Duration) -> SQLValue {
        let parts = duration.components
        return .double(Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
    }
}

extension SQLValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByNilLiteral, ExpressibleByArrayLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(nilLiteral: ()) { self = .null }
    package init(arrayLiteral elements: SQLValue...) { self = .array(elements) }
}

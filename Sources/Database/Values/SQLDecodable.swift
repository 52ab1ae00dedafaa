import Foundation

/// One non-NULL value of a result, in binary format. Valid only during the call it is passed to.
package struct SQLField {
    package let type: PostgresType
    package let bytes: UnsafeRawBufferPointer

    package struct Mismatch: Error { let reason: String }

    /// The value as a big-endian integer of its own width (1, 2, 4 or 8 bytes, signed).
    func integer() throws -> Int64 {
        switch bytes.count {
        case 1: Int64(try fixed(Int8.self))
        case 2: Int64(try fixed(Int16.self))
        case 4: type == .oid ? Int64(try fixed(UInt32.self)) : Int64(try fixed(Int32.self))
        case 8: try fixed(Int64.self)
        default: throw Mismatch(reason: "\(bytes.count) bytes are no integer")
        }
    }

    func fixed<Integer: FixedWidthInteger>(_ type: Integer.Type) throws -> Integer {
        guard bytes.count == MemoryLayout<Integer>.size else {
            throw Mismatch(reason: "\(bytes.count) bytes are no \(Integer.self)")
        }
        return Integer(bigEndian: bytes.loadUnaligned(as: Integer.self))
    }

    /// A timestamptz, timestamp or date as Unix microseconds; `Int64.min` and `.max` for the infinities.
    package func microsecondsSince1970() throws -> Int64 {
        switch type {
        case .timestamptz, .timestamp: PostgresTimestamp.since1970(try fixed(Int64.self))
        case .date: PostgresTimestamp.since1970(Int64(try fixed(Int32.self)) * 86_400_000_000)
        default: throw Mismatch(reason: "type \(type.rawValue) is no point in time")
        }
    }

    func expect(_ types: PostgresType...) throws {
        guard types.contains(type) else { throw Mismatch(reason: "type \(type.rawValue) was not expected") }
    }
}

/// A Swift type that a column can be read as.
package protocol SQLDecodable {
    /// Reads a non-NULL value; throws ``SQLField/Mismatch`` when the column holds another type.
    static func decode(_ field: SQLField) throws -> Self
    /// What NULL is read as; nil when this type has no place for it.
    static var null: Self? { get }
}

extension SQLDecodable {
    package static var null: Self? { nil }
}

extension Optional: SQLDecodable where Wrapped: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> Wrapped? { try Wrapped.decode(field) }
    package static var null: Wrapped?? { .some(nil) }
}

extension SQLDecodable where Self: FixedWidthInteger {
    package static func decode(_ field: SQLField) throws -> Self {
        try field.expect(.int2, .int4, .int8, .oid)
        let number = try field.integer()
        guard let value = Self(exactly: number) else {
            throw SQLField.Mismatch(reason: "\(number) does not fit \(Self.self)")
        }
        return value
    }
}

extension Int: SQLDecodable {}
extension Int16: SQLDecodable {}
extension Int32: SQLDecodable {}
extension Int64: SQLDecodable {}
extension UInt16: SQLDecodable {}
extension UInt32: SQLDecodable {}
extension UInt64: SQLDecodable {}

extension Bool: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> Bool {
        try field.expect(.bool)
        return try field.fixed(UInt8.self) != 0
    }
}

extension Double: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> Double {
        switch field.type {
        case .float8: Double(bitPattern: try field.fixed(UInt64.self))
        case .float4: Double(Float(bitPattern: try field.fixed(UInt32.self)))
        default: Double(try Int64.decode(field))
        }
    }
}

extension String: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> String {
        if field.type.isText { return String(decoding: field.bytes, as: UTF8.self) }
        switch field.type {
        case .jsonb: return String(decoding: field.bytes.dropFirst(), as: UTF8.self)
        case .uuid: return try UUID.decode(field).uuidString.lowercased()
        case .void: return ""
        default: throw SQLField.Mismatch(reason: "type \(field.type.rawValue) is no text")
        }
    }
}

extension UUID: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> UUID {
        try field.expect(.uuid)
        guard field.bytes.count == 16 else { throw SQLField.Mismatch(reason: "a uuid has 16 bytes") }
        return UUID(uuid: field.bytes.loadUnaligned(as: uuid_t.self))
    }
}

extension Date: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> Date {
        switch field.type {
        case .timestamptz, .timestamp: PostgresTimestamp.date(try field.fixed(Int64.self))
        case .date: PostgresTimestamp.date(Int64(try field.fixed(Int32.self)) * 86_400_000_000)
        default: throw SQLField.Mismatch(reason: "type \(field.type.rawValue) is no point in time")
        }
    }
}

/// A type that an array of can be read: `[Int64]`, `[String]`, `[[UInt8]]` from PostgreSQL arrays; `[UInt8]` is bytea.
package protocol SQLElement {
    static func decodeList(_ field: SQLField) throws -> [Self]
}

extension SQLElement where Self: SQLDecodable {
    package static func decodeList(_ field: SQLField) throws -> [Self] { try decodeArray(field) }
}

extension Array: SQLDecodable where Element: SQLElement {
    package static func decode(_ field: SQLField) throws -> [Element] { try Element.decodeList(field) }
}

extension UInt8: SQLElement {
    package static func decodeList(_ field: SQLField) throws -> [UInt8] {
        if field.type == .jsonb { return [UInt8](field.bytes.dropFirst()) }
        guard field.type == .bytea || field.type.isText else {
            throw SQLField.Mismatch(reason: "type \(field.type.rawValue) is no byte string")
        }
        return [UInt8](field.bytes)
    }
}

extension Array: SQLElement where Element == UInt8 {}
extension Int: SQLElement {}
extension Int16: SQLElement {}
extension Int32: SQLElement {}
extension Int64: SQLElement {}
extension Bool: SQLElement {}
extension Double: SQLElement {}
extension String: SQLElement {}
extension UUID: SQLElement {}
extension Date: SQLElement {}
extension Optional: SQLElement where Wrapped: SQLDecodable {}

/// Layout: int4 ndim, int4 flags, int4 element oid, then per dimension int4 length and int4 lower bound, then per
/// element int4 length (-1 = NULL) and its bytes. Only one dimension is read.
private func decodeArray<Element: SQLDecodable>(_ field: SQLField) throws -> [Element] {
    guard field.type.arrayElement != nil else {
        throw SQLField.Mismatch(reason: "type \(field.type.rawValue) is no array")
    }
    var position = 0
    func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= field.bytes.count - position else {
            throw SQLField.Mismatch(reason: "array cut short")
        }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: field.bytes[position..<position + count])
    }
    func int32() throws -> Int32 { Int32(bigEndian: try take(4).loadUnaligned(as: Int32.self)) }

    let dimensions = try int32()
    _ = try int32()
    let element = PostgresType(rawValue: UInt32(bitPattern: try int32()))
    guard dimensions > 0 else { return [] }
    guard dimensions == 1 else { throw SQLField.Mismatch(reason: "array of \(dimensions) dimensions") }
    let count = try int32()
    _ = try int32()
    var values: [Element] = []
    values.reserveCapacity(Int(clamping: min(max(count, 0), Int32(clamping: field.bytes.count / 4))))
    for _ in 0..<max(count, 0) {
        let length = try int32()
        if length < 0 {
            guard let null = Element.null else { throw SQLField.Mismatch(reason: "NULL inside an array") }
            values.append(null)
        } else {
            values.append(try Element.decode(SQLField(type: element, bytes: try take(Int(length)))))
        }
    }
    return values
}

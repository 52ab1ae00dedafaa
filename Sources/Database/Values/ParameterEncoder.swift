import Foundation

/// Builds the parameter list of one execution: all values in one buffer, with the place and format of each.
///
/// Binary formats (PostgreSQL documentation, "Frontend/Backend Protocol"; 16-performance-durability, section 5.4):
/// integers big-endian, timestamptz int8 microseconds since 2000-01-01, bytea raw, uuid 16 bytes, jsonb a version byte
/// and the text, arrays `{ndim, hasnull, element oid, length, lower bound}` and per element int4 length and bytes.
struct ParameterEncoder {
    enum Format: Int32 { case text = 0, binary = 1 }

    struct Parameter {
        let offset: Int
        /// Bytes of the value; nil for NULL.
        let length: Int?
        let format: Format
    }

    struct Failure: Error { let reason: String }

    private(set) var buffer: [UInt8] = []
    private(set) var parameters: [Parameter] = []

    /// Appends `value` for a parameter that the server declared as `type`. Throws ``Failure`` when it cannot fit.
    mutating func append(_ value: SQLValue, as type: PostgresType) throws {
        if case .null = value {
            parameters.append(Parameter(offset: 0, length: nil, format: .binary))
            return
        }
        let offset = buffer.count
        if let text = try encodeBinary(value, as: type) {
            // libpq finds the end of a text parameter by its NUL.
            buffer.append(contentsOf: text.utf8)
            buffer.append(0)
            parameters.append(Parameter(offset: offset, length: buffer.count - offset - 1, format: .text))
        } else {
            parameters.append(Parameter(offset: offset, length: buffer.count - offset, format: .binary))
        }
    }

    /// Encodes in binary and returns nil, or returns the text form for types without a binary encoding here.
    private mutating func encodeBinary(_ value: SQLValue, as type: PostgresType) throws -> String? {
        switch (value, type) {
        case (.null, _):
            throw Failure(reason: "NULL has no encoding of its own")
        case (.bool(let flag), .bool):
            buffer.append(flag ? 1 : 0)
        case (.bool(let flag), _):
            return flag ? "true" : "false"

        case (.int(let number), .int8):
            append(number)
        case (.int(let number), .int4):
            append(try narrowed(number, to: Int32.self))
        case (.int(let number), .int2):
            append(try narrowed(number, to: Int16.self))
        case (.int(let number), .oid):
            append(try narrowed(number, to: UInt32.self))
        case (.int(let number), .float8):
            append(Double(number).bitPattern)
        case (.int(let number), _):
            return String(number)

        case (.double(let number), .float8):
            append(number.bitPattern)
        case (.double(let number), .float4):
            append(Float(number).bitPattern)
        case (.double(let number), _):
            return String(number)

        case (.text(let text), _) where type.isText || type == .bytea:
            appendText(text)
        case (.text(let text), .jsonb):
            buffer.append(1)
            appendText(text)
        case (.text(let text), _):
            return text.replacing("\0", with: "\u{FFFD}")

        case (.bytes(let bytes), _) where type == .bytea || type.isText:
            buffer.append(contentsOf: bytes)
        case (.bytes(let bytes), .jsonb):
            buffer.append(1)
            buffer.append(contentsOf: bytes)
        case (.bytes(let bytes), .uuid) where bytes.count == 16:
            buffer.append(contentsOf: bytes)
        case (.bytes, _):
            throw Failure(reason: "bytes do not fit type \(type.rawValue)")

        case (.uuid(let uuid), .uuid):
            withUnsafeBytes(of: uuid.uuid) { buffer.append(contentsOf: $0) }
        case (.uuid(let uuid), _):
            return uuid.uuidString.lowercased()

        case (.timestamp(let date), .timestamptz), (.timestamp(let date), .timestamp):
            append(PostgresTimestamp.microseconds(date))
        case (.instant(let microseconds), .timestamptz), (.instant(let microseconds), .timestamp):
            append(PostgresTimestamp.microseconds(since1970: microseconds))
        case (.timestamp(let date), .date):
            append(PostgresTimestamp.day(PostgresTimestamp.microseconds(date)))
        case (.instant(let microseconds), .date):
            append(PostgresTimestamp.day(PostgresTimestamp.microseconds(since1970: microseconds)))
        case (.timestamp, _), (.instant, _):
            throw Failure(reason: "a timestamp does not fit type \(type.rawValue)")

        case (.array(let elements), _):
            guard let element = type.arrayElement else {
                throw Failure(reason: "an array does not fit type \(type.rawValue)")
            }
            try appendArray(elements, of: element)
        }
        return nil
    }

    private mutating func appendArray(_ elements: [SQLValue], of type: PostgresType) throws {
        append(Int32(elements.isEmpty ? 0 : 1))
        append(Int32(elements.contains(.null) ? 1 : 0))
        append(type.rawValue)
        if elements.isEmpty { return }
        append(try narrowed(Int64(elements.count), to: Int32.self))
        append(Int32(1))
        for element in elements {
            if case .null = element {
                append(Int32(-1))
                continue
            }
            let lengthAt = buffer.count
            append(Int32(0))
            if try encodeBinary(element, as: type) != nil {
                throw Failure(reason: "an element does not fit type \(type.rawValue)")
            }
            let length = try narrowed(Int64(buffer.count - lengthAt - 4), to: Int32.self)
            withUnsafeBytes(of: length.bigEndian) { bytes in
                for (index, byte) in bytes.enumerated() { buffer[lengthAt + index] = byte }
            }
        }
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { buffer.append(contentsOf: $0) }
    }

    private mutating func appendText(_ text: String) {
        let start = buffer.count
        buffer.append(contentsOf: text.utf8)
        if buffer[start...].contains(0) {
            buffer.removeSubrange(start...)
            buffer.append(contentsOf: text.replacing("\0", with: "\u{FFFD}").utf8)
        }
    }

    private func narrowed<Narrow: FixedWidthInteger>(_ number: Int64, to type: Narrow.Type) throws -> Narrow {
        guard let narrow = Narrow(exactly: number) else {
            throw Failure(reason: "\(number) does not fit \(Narrow.self)")
        }
        return narrow
    }
}

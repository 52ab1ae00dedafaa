import Foundation

/// A type of PostgreSQL by its object identifier (`pg_type.oid`; built-in types have fixed numbers).
package struct PostgresType: RawRepresentable, Sendable, Hashable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }
    private init(_ oid: UInt32) { rawValue = oid }

    package static let bool = PostgresType(16)
    package static let bytea = PostgresType(17)
    package static let name = PostgresType(19)
    package static let int8 = PostgresType(20)
    package static let int2 = PostgresType(21)
    package static let int4 = PostgresType(23)
    package static let text = PostgresType(25)
    package static let oid = PostgresType(26)
    package static let json = PostgresType(114)
    package static let float4 = PostgresType(700)
    package static let float8 = PostgresType(701)
    package static let unknown = PostgresType(705)
    package static let bpchar = PostgresType(1042)
    package static let varchar = PostgresType(1043)
    package static let date = PostgresType(1082)
    package static let timestamp = PostgresType(1114)
    package static let timestamptz = PostgresType(1184)
    package static let numeric = PostgresType(1700)
    package static let void = PostgresType(2278)
    package static let uuid = PostgresType(2950)
    package static let jsonb = PostgresType(3802)

    /// The element type when this is one of the array types that we send and read.
    var arrayElement: PostgresType? {
        switch rawValue {
        case 1000: .bool
        case 1001: .bytea
        case 1005: .int2
        case 1007: .int4
        case 1009: .text
        case 1015: .varchar
        case 1016: .int8
        case 1022: .float8
        case 1115: .timestamp
        case 1182: .date
        case 1185: .timestamptz
        case 199: .json
        case 2951: .uuid
        case 3807: .jsonb
        default: nil
        }
    }

    /// Types whose binary form is the text itself.
    var isText: Bool {
        switch self {
        case .text, .varchar, .bpchar, .name, .json, .unknown: true
        default: false
        }
    }
}

/// Microseconds between 2000-01-01 00:00 UTC, PostgreSQL's epoch, and a `Date`.
enum PostgresTimestamp {
    /// Seconds from Foundation's reference date (2001-01-01) back to PostgreSQL's epoch (2000-01-01): 366 days.
    private static let offset = 31_622_400.0

    /// The infinities for distant dates, and for what no timestamp holds.
    static func microseconds(_ date: Foundation.Date) -> Int64 {
        if date == .distantPast { return .min }
        if date == .distantFuture { return .max }
        let value = ((date.timeIntervalSinceReferenceDate + offset) * 1_000_000).rounded()
        return Int64(exactly: value) ?? (value < 0 ? .min : .max)
    }

    /// Microseconds from 1970-01-01 to PostgreSQL's epoch: 10,957 days.
    private static let unixOffset: Int64 = 946_684_800_000_000

    static func microseconds(since1970 microseconds: Int64) -> Int64 {
        let (value, overflow) = microseconds.subtractingReportingOverflow(unixOffset)
        return overflow ? .min : value
    }

    /// `Int64.min` and `.max` for `-infinity` and `infinity`.
    static func since1970(_ microseconds: Int64) -> Int64 {
        if microseconds == .min { return .min }
        let (value, overflow) = microseconds.addingReportingOverflow(unixOffset)
        return overflow ? .max : value
    }

    /// Days since PostgreSQL's epoch.
    static func day(_ microseconds: Int64) -> Int32 {
        let day: Int64 = 86_400_000_000
        return Int32(clamping: microseconds >= 0 ? microseconds / day : (microseconds - day + 1) / day)
    }

    static func date(_ microseconds: Int64) -> Foundation.Date {
        if microseconds == .min { return .distantPast }
        if microseconds == .max { return .distantFuture }
        return Foundation.Date(timeIntervalSinceReferenceDate: Double(microseconds) / 1_000_000 - offset)
    }
}

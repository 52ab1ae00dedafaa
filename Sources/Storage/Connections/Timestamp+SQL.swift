import Database
import Messaging

extension SQLValue {
    package init(_ value: Timestamp) { self = .instant(microsecondsSince1970: value.microseconds) }
    package init(_ value: Timestamp?) { self = value.map { SQLValue($0) } ?? .null }
}

extension Timestamp: SQLDecodable {
    package static func decode(_ field: SQLField) throws -> Timestamp {
        Timestamp(microseconds: try field.microsecondsSince1970())
    }
}

extension Timestamp: SQLElement {}

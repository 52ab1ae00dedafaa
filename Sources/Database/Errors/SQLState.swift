/// A five-character SQLSTATE, as PostgreSQL reports it.
package struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package var description: String { rawValue }

    /// The first two characters: the class of the condition, for instance `23` for integrity constraint violations.
    package var conditionClass: String { String(rawValue.prefix(2)) }

    package static let divisionByZero = SQLState(rawValue: "22012")
    package static let notNullViolation = SQLState(rawValue: "23502")
    package static let foreignKeyViolation = SQLState(rawValue: "23503")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let invalidPassword = SQLState(rawValue: "28P01")
    package static let unknownDatabase = SQLState(rawValue: "3D000")
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let syntaxError = SQLState(rawValue: "42601")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    package static let invalidStatementName = SQLState(rawValue: "26000")
    package static let tooManyConnections = SQLState(rawValue: "53300")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let adminShutdown = SQLState(rawValue: "57P01")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")

    /// The transaction may succeed when it is run again from its start.
    package var isTransient: Bool {
        self == .serializationFailure || self == .deadlockDetected
    }
}

/// An error the server reported for one statement.
package struct ServerError: Error, Sendable, Equatable, CustomStringConvertible {
    package let sqlState: SQLState
    package let severity: String
    package let message: String
    package let detail: String?
    package let hint: String?
    package let table: String?
    package let column: String?
    package let constraint: String?
    /// Name of the ``Statement`` that failed, or nil for a script.
    package let statement: String?
    /// Character position in the statement's text (1-based), where the server names one.
    package let position: Int?

    /// Without `detail`, which repeats row values.
    package var description: String {
        let place = statement.map { " in \($0)" } ?? ""
        return "\(severity) \(sqlState)\(place): \(message)"
    }
}

/// What can go wrong between a call and its rows.
package enum DatabaseError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The server refused a statement; its transaction is rolled back.
    case server(ServerError)
    /// No connection could be opened. The reason never contains the password.
    case connectionFailed(reason: String)
    /// The connection broke while work was under way. With `outcomeUnknown` a COMMIT was already sent and may have
    /// taken effect: read before deciding; otherwise nothing of the transaction was kept.
    case connectionLost(reason: String, sqlState: SQLState?, outcomeUnknown: Bool)
    /// No connection became free within the pool's acquire time-out.
    case poolExhausted(waited: Duration, lastFailure: String?)
    /// The pool was shut down.
    case shutdown
    /// A value does not fit the parameter type that the server declared.
    case encoding(statement: String, parameter: Int, reason: String)
    /// A column does not hold what the caller asked for.
    case decoding(column: String, reason: String)
    /// COMMIT was answered with ROLLBACK: an error inside the transaction had been swallowed.
    case transactionAborted
    /// The connection text cannot be understood.
    case invalidConfiguration(String)

    /// The SQLSTATE behind this error, where the server gave one.
    package var sqlState: SQLState? {
        switch self {
        case .server(let error): error.sqlState
        case .connectionLost(_, let state, _): state
        default: nil
        }
    }

    /// The name of the violated constraint, where the server gave one.
    package var constraint: String? {
        if case .server(let error) = self { error.constraint } else { nil }
    }

    /// True when the server or the way to it failed, rather than the statement: worth a 503 and a retry.
    package var isUnavailability: Bool {
        switch self {
        case .connectionFailed, .connectionLost, .poolExhausted, .shutdown: true
        case .server(let error): ["53", "57", "58"].contains(error.sqlState.conditionClass)
        default: false
        }
    }

    package var description: String {
        switch self {
        case .server(let error): error.description
        case .connectionFailed(let reason): "cannot connect to the database: \(reason)"
        case .connectionLost(let reason, _, let unknown):
            "database connection lost\(unknown ? " with the outcome of a commit unknown" : ""): \(reason)"
        case .poolExhausted(let waited, let failure):
            "no database connection became free within \(waited)\(failure.map { "; last failure: \($0)" } ?? "")"
        case .shutdown: "the database pool is shut down"
        case .encoding(let statement, let parameter, let reason):
            "parameter $\(parameter) of \(statement): \(reason)"
        case .decoding(let column, let reason): "column \(column): \(reason)"
        case .transactionAborted: "the transaction was rolled back instead of committed"
        case .invalidConfiguration(let reason): "invalid database configuration: \(reason)"
        }
    }
}

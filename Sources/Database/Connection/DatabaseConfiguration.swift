/// How to reach the database and how its sessions are set up (13-configuration, sections 4.3 and 5).
package struct DatabaseConfiguration: Sendable {
    /// `postgres://…`, `postgresql://…` or libpq's `key=value` text. Options of other drivers are dropped before libpq
    /// sees it.
    package var uri: String
    /// `application_name` of the sessions, for instance `switchboard/<node>/<role>`.
    package var applicationName: String
    package var searchPath: String
    /// A role that every session takes on (`SET ROLE`), when it exists; nil keeps the role of the login.
    package var role: String?
    /// Most connections the pool opens.
    package var poolSize: Int
    /// Connections that stay open although idle.
    package var poolMinimum: Int
    /// How long a caller waits for a free connection before ``DatabaseError/poolExhausted(waited:lastFailure:)``.
    package var acquireTimeout: Duration
    package var connectTimeout: Duration
    package var statementTimeout: Duration
    package var lockTimeout: Duration
    package var idleInTransactionTimeout: Duration
    /// False behind a transaction pooler: no named statements, no session state beyond the set-up.
    package var preparedStatements: Bool
    /// Further settings of each session, name and value, for instance `plan_cache_mode`.
    package var sessionSettings: [String: String]
    /// Asked of each new connection before anybody uses it; what it throws closes the connection.
    package var onConnect: (@Sendable (DedicatedConnection) async throws -> Void)?

    package init(
        uri: String, applicationName: String = "switchboard", searchPath: String = "sb", role: String? = nil,
        poolSize: Int = 4, poolMinimum: Int = 0, acquireTimeout: Duration = .seconds(5),
        connectTimeout: Duration = .seconds(10), statementTimeout: Duration = .seconds(15),
        lockTimeout: Duration = .seconds(5), idleInTransactionTimeout: Duration = .seconds(10),
        preparedStatements: Bool = true, sessionSettings: [String: String] = [:]
    ) {
        self.uri = uri
        self.applicationName = applicationName
        self.searchPath = searchPath
        self.role = role
        self.poolSize = max(1, poolSize)
        self.poolMinimum = min(max(0, poolMinimum), max(1, poolSize))
        self.acquireTimeout = acquireTimeout
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.lockTimeout = lockTimeout
        self.idleInTransactionTimeout = idleInTransactionTimeout
        self.preparedStatements = preparedStatements
        self.sessionSettings = sessionSettings
    }

    /// The settings of each session, in the order they are made.
    var settings: [(name: String, value: String)] {
        var settings = [
            ("search_path", searchPath),
            ("TimeZone", "UTC"),
            ("statement_timeout", Self.milliseconds(statementTimeout)),
            ("lock_timeout", Self.milliseconds(lockTimeout)),
            ("idle_in_transaction_session_timeout", Self.milliseconds(idleInTransactionTimeout)),
        ]
        settings += sessionSettings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return settings
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let parts = duration.components
        return String(parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000)
    }
}

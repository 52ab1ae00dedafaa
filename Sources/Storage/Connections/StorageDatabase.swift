import Database
import Foundation
import Logging

/// The connections of one process to Switchboard's database, by what they may do.
///
/// - `system`: role `sb_system`. Administration, authentication data, leases, outbox, jobs. Its statements name tenant or
///   device themselves.
/// - scoped calls (``query(_:_:_:)`` and the rest, with a ``Scope``): role `sb_app` or `sb_engine`, where row-level
///   security lets only the scope's rows through.
///
/// - `leases`: as `system`, for leases alone: they must be renewed in time whatever else keeps the connections busy.
///
/// The group commit has connections of its own, see `GroupCommit`.
package struct StorageDatabase: Sendable {
    package let system: ConnectionPool
    package let leases: ConnectionPool
    package let scoped: ConnectionPool
    /// Role `sb_system` too, for the dispatcher: its sessions keep one plan for each statement and find rows by index
    /// alone. The outbox is empty when the plans are made and full when they count. Its commits do not wait for the disk:
    /// a claim or an outcome that a crash of the server loses is made again, and a delivery is repeated at worst
    /// (16-performance-durability, section 5.5).
    package let outbox: ConnectionPool
    /// False when the login may not use the roles: then scoped statements run without them.
    package let hasRoles: Bool
    package let configuration: DatabaseConfiguration
    /// Raises token versions, those of many callers in one transaction; nil for a device that is not there.
    let tokenRaises: CallBatcher<UUID, RaisedToken?>
    /// Appends to the audit log, lines of many callers in one transaction.
    let auditLines: CallBatcher<AuditLine, Bool>

    package enum MigrationMode: String, Sendable { case auto, check, off }

    package enum OpenError: Error, Sendable, Equatable, CustomStringConvertible {
        /// Migrations are missing and `DB_MIGRATE` is `check`.
        case migrationsPending([Int])

        package var description: String {
            switch self {
            case .migrationsPending(let versions):
                "migrations are missing: \(versions.map(String.init).joined(separator: ", ")); run `switchboard migrate`"
            }
        }
    }

    /// Waits until the database answers (at most `patience`), migrates as `migrations` says, and opens the pools.
    /// Throws ``OpenError``, `DatabaseError` or `MigrationError`.
    ///
    /// - Parameter history: Is told which database each connection leads to, before the connection is used.
    package static func open(
        _ configuration: DatabaseConfiguration, migrations: MigrationMode = .auto, systemPoolSize: Int = 4,
        patience: Duration = .seconds(30), history: StoreHistory? = nil, logger: Logger = Logger(label: "database")
    ) async throws -> StorageDatabase {
        var login = configuration
        login.role = nil
        let probe = ConnectionPool(configuration: login, name: "probe", logger: logger)
        try await probe.waitUntilReachable(timeout: patience)
        let migrator = try Migrator(EmbeddedMigrations.all, logger: logger)
        switch migrations {
        case .auto: try await migrator.run(login)
        case .check:
            let pending = try await migrator.pending(login)
            if !pending.isEmpty { throw OpenError.migrationsPending(pending.map(\.version)) }
        case .off: break
        }
        let usable: Bool = try await probe.query(rolesUsable).first?[0] ?? false
        let secured: Bool = try await probe.query(rowSecurityEnabled).first?[0] ?? false
        await probe.shutdown()
        if !usable || !secured {
            logger.warning("the database roles are not available: row-level security is off")
        }
        let hasRoles = usable && secured
        if let history { login = history.watching(login, role: hasRoles ? "sb_system" : nil) }
        return StorageDatabase(login: login, systemPoolSize: systemPoolSize, hasRoles: hasRoles, logger: logger)
    }

    private init(login: DatabaseConfiguration, systemPoolSize: Int, hasRoles: Bool, logger: Logger) {
        configuration = login
        self.hasRoles = hasRoles
        var system = login
        system.role = hasRoles ? "sb_system" : nil
        system.applicationName += "/system"
        system.poolSize = systemPoolSize
        system.poolMinimum = min(login.poolMinimum, systemPoolSize)
        let pool = ConnectionPool(configuration: system, name: "system", logger: logger)
        self.system = pool
        tokenRaises = CallBatcher(missing: nil) { try await DeviceRepository.raiseTokenVersions($0, pool: pool) }
        auditLines = CallBatcher(missing: true) { lines in
            try await AuditRepository.append(lines.map(\.entry), pool: pool)
            return [:]
        }
        var leases = system
        leases.applicationName = login.applicationName + "/leases"
        leases.poolSize = 2
        leases.poolMinimum = min(1, login.poolMinimum)
        self.leases = ConnectionPool(configuration: leases, name: "leases", logger: logger)
        var outbox = system
        outbox.applicationName = login.applicationName + "/outbox"
        for setting in ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"] {
            outbox.sessionSettings[setting] = "off"
        }
        outbox.sessionSettings["plan_cache_mode"] = "force_generic_plan"
        outbox.sessionSettings["synchronous_commit"] = "off"
        self.outbox = ConnectionPool(configuration: outbox, name: "outbox", logger: logger)
        var scoped = login
        scoped.applicationName += "/api"
        self.scoped = ConnectionPool(configuration: scoped, name: "scoped", logger: logger)
    }

    /// Closes the pools; work in progress ends first.
    package func shutdown() async {
        await outbox.shutdown()
        await system.shutdown()
        await scoped.shutdown()
        await leases.shutdown()
    }

    // MARK: Scoped statements

    package func query(_ scope: Scope, _ statement: Statement, _ parameters: [SQLValue] = []) async throws -> [Row] {
        try await pipeline(scope, [BoundStatement(statement, parameters)]).first?.rows ?? []
    }

    @discardableResult
    package func execute(_ scope: Scope, _ statement: Statement, _ parameters: [SQLValue] = []) async throws -> Int {
        try await pipeline(scope, [BoundStatement(statement, parameters)]).first?.affectedRows ?? 0
    }

    /// All statements in one round trip and one transaction.
    package func pipeline(_ scope: Scope, _ statements: [BoundStatement]) async throws -> [QueryResult] {
        guard hasRoles else { return try await scoped.pipeline(statements) }
        return Array(try await scoped.pipeline([scope.opening] + statements).dropFirst())
    }

    package func withTransaction<Result: Sendable>(
        _ scope: Scope, retries: Int = 0, isolation: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        try await scoped.withTransaction(opening: hasRoles ? [scope.opening] : [], retries: retries, body)
    }

    private static let rolesUsable = Statement(
        "storage.roles_usable",
        """
        SELECT count(*) = 4 FROM pg_roles
        WHERE rolname IN ('sb_app', 'sb_engine', 'sb_commit', 'sb_system') AND pg_has_role(current_user, oid, 'MEMBER')
        """)
    private static let rowSecurityEnabled = Statement(
        "storage.row_security", "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('sb.devices')")
}

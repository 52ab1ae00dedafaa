import Logging

/// Brings a database to the newest schema: forward only, each migration in a transaction, one process at a time.
///
/// Applied migrations are recorded in `schema_migrations` with the SHA-256 of their text; a text that changed later is
/// refused, and so is a database that is ahead of the program.
package struct Migrator: Sendable {
    private let migrations: [Migration]
    private let schema: String
    private let logger: Logger

    /// Throws ``MigrationError/notConsecutive(version:)``.
    package init(_ migrations: [Migration], schema: String = "sb", logger: Logger = Logger(label: "migrations")) throws
    {
        self.migrations = migrations.sorted { $0.version < $1.version }
        for (index, migration) in self.migrations.enumerated() where migration.version != index + 1 {
            throw MigrationError.notConsecutive(version: migration.version)
        }
        self.schema = schema
        self.logger = logger
    }

    /// Applies what is missing and returns it. Waits while another process migrates. Throws ``MigrationError`` or
    /// ``DatabaseError``; what was applied before the error stays.
    @discardableResult
    package func run(_ configuration: DatabaseConfiguration) async throws -> [Migration] {
        try await withConnection(configuration) { connection in
            _ = try await connection.query(Self.lock, [.int(Self.lockKey)])
            if try await !hasHistory(connection) {
                try await connection.script(
                    """
                    CREATE SCHEMA IF NOT EXISTS \(schema);
                    CREATE TABLE IF NOT EXISTS \(schema).schema_migrations (
                      version int PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL,
                      applied_at timestamptz NOT NULL DEFAULT now());
                    """)
            }
            let missing = try await unapplied(connection)
            for migration in missing {
                logger.info(
                    "applying migration", metadata: ["version": "\(migration.version)", "name": "\(migration.name)"])
                try await apply(migration, connection)
            }
            return missing
        }
    }

    /// What ``run(_:)`` would apply. Throws as ``run(_:)`` does.
    package func pending(_ configuration: DatabaseConfiguration) async throws -> [Migration] {
        try await withConnection(configuration) { connection in
            try await hasHistory(connection) ? try await unapplied(connection) : migrations
        }
    }

    private func withConnection<Result: Sendable>(
        _ configuration: DatabaseConfiguration, _ body: (DedicatedConnection) async throws -> Result
    ) async throws -> Result {
        var configuration = configuration
        // Tables belong to the role of the login, and building an index takes as long as it takes.
        configuration.role = nil
        configuration.statementTimeout = .zero
        configuration.lockTimeout = .zero
        configuration.searchPath = schema
        let connection = try await DedicatedConnection.open(configuration)
        do {
            let result = try await body(connection)
            // Closing gives the advisory lock back.
            await connection.close()
            return result
        } catch {
            await connection.close()
            throw error
        }
    }

    private func hasHistory(_ connection: DedicatedConnection) async throws -> Bool {
        try await connection.query(Self.historyExists, [.text("\(schema).schema_migrations")]).first?[0] ?? false
    }

    private func unapplied(_ connection: DedicatedConnection) async throws -> [Migration] {
        let rows = try await connection.query(
            Self.history, [.array(migrations.map { .int(Int64($0.version)) }), .texts(migrations.map(\.sql))])
        var applied: Set<Int> = []
        for row in rows {
            let version: Int = try row["version"]
            guard let same: Bool = try row["same"] else { throw MigrationError.newerThanProgram(version: version) }
            if !same { throw MigrationError.changed(version: version, name: try row["name"]) }
            applied.insert(version)
        }
        return migrations.filter { !applied.contains($0.version) }
    }

    /// One that waits for a lock holds up everybody behind it: it gives way after two seconds and tries again, for five
    /// minutes.
    private func apply(_ migration: Migration, _ connection: DedicatedConnection) async throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while true {
            do {
                return try await applyOnce(migration, connection)
            } catch let error as DatabaseError
                where migration.runsInTransaction && error.sqlState == .lockNotAvailable
                && ContinuousClock.now < deadline
            {
                logger.warning("migration waits for a lock", metadata: ["version": "\(migration.version)"])
                try await connection.script("ROLLBACK")
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func applyOnce(_ migration: Migration, _ connection: DedicatedConnection) async throws {
        if migration.runsInTransaction { try await connection.script("BEGIN; SET LOCAL lock_timeout = '2s'") }
        try await connection.script(migration.sql)
        _ = try await connection.query(
            Self.record, [.int(Int64(migration.version)), .text(migration.name), .text(migration.sql)])
        if migration.runsInTransaction { try await connection.script("COMMIT") }
    }

    /// "switchbo" as a number: the key of the advisory lock, the same for every version of the program.
    private static let lockKey: Int64 = 0x7377_6974_6368_626f

    private static let lock = Statement("migrations.lock", "SELECT pg_advisory_lock($1)")
    private static let historyExists = Statement("migrations.history_exists", "SELECT to_regclass($1) IS NOT NULL")
    private static let history = Statement(
        "migrations.history",
        """
        SELECT m.version, m.name, m.checksum = sha256(convert_to(known.sql, 'UTF8')) AS same
        FROM schema_migrations m LEFT JOIN unnest($1::int[], $2::text[]) AS known(version, sql) USING (version)
        ORDER BY m.version
        """)
    private static let record = Statement(
        "migrations.record",
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, sha256(convert_to($3::text, 'UTF8')))")
}

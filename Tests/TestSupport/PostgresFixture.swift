import Database
import Foundation

/// A PostgreSQL for tests: the one `scripts/test` started (`SWITCHBOARD_TEST_DATABASE`, a superuser's URI), or a private
/// cluster without fsync that lives as long as the test process.
package enum PostgresFixture {
    private static let server = Task<String, any Error> {
        if let uri = ProcessInfo.processInfo.environment["SWITCHBOARD_TEST_DATABASE"], !uri.isEmpty { return uri }
        var options = EmbeddedPostgres.Options()
        options.durable = false
        options.temporary = true
        options.maxConnections = 200
        // Stopped and removed by its watcher when this process ends.
        let directory = "/tmp/sbtest-\(UUID().uuidString.prefix(8).lowercased())"
        return try await EmbeddedPostgres.start(in: directory, options: options).uri
    }

    private static let templates = Templates()

    /// Makes a database of its own for the caller, with `migrations` applied. Drop it with ``TestDatabase/drop()``.
    package static func database(migrations: [Migration] = []) async throws -> TestDatabase {
        let server = try await server.value
        let template = migrations.isEmpty ? nil : try await templates.template(for: migrations, on: server)
        let name = "test_\(UUID().uuidString.replacing("-", with: "").lowercased())"
        let configuration = DatabaseConfiguration(uri: server, searchPath: "public", lockTimeout: .zero)
        let connection = try await DedicatedConnection.open(configuration)
        try await connection.script("CREATE DATABASE \(name)\(template.map { " TEMPLATE \($0)" } ?? "")")
        await connection.close()
        return TestDatabase(server: server, name: name)
    }

    /// Runs `body` with a database of a server of its own, in which `pg_stat_statements` counts.
    package static func withCountedDatabase<Result: Sendable>(
        migrations: [Migration], isolation: isolated (any Actor)? = #isolation,
        _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        var options = EmbeddedPostgres.Options()
        options.durable = false
        options.temporary = true
        options.preloadedLibraries = ["pg_stat_statements"]
        let server = try await EmbeddedPostgres.start(
            in: "/tmp/sbtest-\(UUID().uuidString.prefix(8).lowercased())", options: options)
        let database = TestDatabase(server: server.uri, name: "switchboard")
        do {
            try await Migrator(migrations).run(DatabaseConfiguration(uri: server.uri))
            let connection = try await DedicatedConnection.open(
                DatabaseConfiguration(uri: server.uri, searchPath: "public"))
            try await connection.script("CREATE EXTENSION pg_stat_statements")
            await connection.close()
            let result = try await body(database)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    /// Runs SQL as superuser in the server's maintenance database.
    package static func script(_ sql: String) async throws {
        let connection = try await DedicatedConnection.open(
            DatabaseConfiguration(uri: try await server.value, searchPath: "public"))
        try await connection.script(sql)
        await connection.close()
    }

    /// Runs `body` with a database of its own and drops it.
    package static func withDatabase<Result: Sendable>(
        migrations: [Migration] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        let database = try await database(migrations: migrations)
        do {
            let result = try await body(database)
            try await database.drop()
            return result
        } catch {
            try? await database.drop()
            throw error
        }
    }
}

/// One test's database.
package struct TestDatabase: Sendable {
    private let server: String
    package let name: String

    init(server: String, name: String) {
        self.server = server
        self.name = name
    }

    /// URI of this database, as superuser.
    package var uri: String { Self.uri(server, database: name) }

    static func uri(_ server: String, database: String) -> String {
        guard var parts = URLComponents(string: server) else { return server }
        parts.path = "/\(database)"
        return parts.string ?? server
    }

    /// A configuration for this database with small, quick settings.
    package func configuration(poolSize: Int = 4, role: String? = nil) -> DatabaseConfiguration {
        DatabaseConfiguration(
            uri: uri, applicationName: "test", role: role, poolSize: poolSize, acquireTimeout: .seconds(60),
            statementTimeout: .seconds(60), lockTimeout: .seconds(60))
    }

    package func pool(size: Int = 4, role: String? = nil) -> ConnectionPool {
        ConnectionPool(configuration: configuration(poolSize: size, role: role), name: "test")
    }

    /// Removes the database; connections to it are ended.
    package func drop() async throws {
        let connection = try await DedicatedConnection.open(DatabaseConfiguration(uri: server, searchPath: "public"))
        try await connection.script("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        await connection.close()
    }
}

/// Migrated databases that others are copied from: migrating takes far longer than copying.
private actor Templates {
    private var made: [Int: Task<String, any Error>] = [:]

    func template(for migrations: [Migration], on server: String) async throws -> String {
        var hasher = Hasher()
        hasher.combine(migrations)
        let key = hasher.finalize()
        if let task = made[key] { return try await task.value }
        let task = Task {
            let name = "template_\(UUID().uuidString.replacing("-", with: "").lowercased())"
            let connection = try await DedicatedConnection.open(
                DatabaseConfiguration(uri: server, searchPath: "public"))
            try await connection.script("CREATE DATABASE \(name)")
            await connection.close()
            try await Migrator(migrations).run(DatabaseConfiguration(uri: TestDatabase.uri(server, database: name)))
            return name
        }
        made[key] = task
        return try await task.value
    }
}

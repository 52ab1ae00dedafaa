import ArgumentParser
import Database
import Logging
import Storage
import Tenancy

/// `switchboard migrate`: brings the schema up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Apply the migrations that the database lacks.",
        discussion: "Runs under an advisory lock; migrations go forward only and are checked by their checksums.")

    @Flag(help: "Only list what would be applied; exit status 1 if there is any.")
    var check = false

    @Flag(
        help: ArgumentHelp(
            "Also note that the database was restored from a backup.",
            discussion: "Run it before the nodes start: sessions that are stored then send no more, and are made anew.")
    )
    var afterRestore = false

    func run() async throws {
        let configuration = try Application.configuration()
        let logger = Application.startLogging(configuration.logging, node: configuration.node.name)
        let database = Node.databaseConfiguration(configuration)
        let migrator = try Migrator(EmbeddedMigrations.all, logger: logger)
        if check {
            let pending = try await migrator.pending(database)
            for migration in pending { Application.printLine("pending \(migration.version) \(migration.name)") }
            if !pending.isEmpty { throw ExitCode(1) }
            return Application.printLine("up to date")
        }
        let applied = try await migrator.run(database)
        for migration in applied { Application.printLine("applied \(migration.version) \(migration.name)") }
        if applied.isEmpty { Application.printLine("up to date") }
        guard afterRestore else { return }
        let pool = ConnectionPool(configuration: database, name: "migrate", logger: logger)
        defer { Task { await pool.shutdown() } }
        try await StoreHistory.noteRestore(pool)
        Application.printLine("noted: restored from a backup")
    }
}

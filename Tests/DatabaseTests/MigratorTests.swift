import Database
import TestSupport
import Testing

@Suite("Migrator")
struct MigratorTests {
    private let first = Migration(version: 1, name: "first", sql: "CREATE TABLE a (id int)")
    private let second = Migration(version: 2, name: "second", sql: "CREATE TABLE b (id int); INSERT INTO a VALUES (1)")

    @Test("what is missing is applied once, in order")
    func applies() async throws {
        try await PostgresFixture.withDatabase { database in
            let configuration = database.configuration()
            let outcome1 = try await Migrator([first]).run(configuration)
            #expect(outcome1 == [first])
            let outcome2 = try await Migrator([second, first]).pending(configuration)
            #expect(outcome2 == [second])
            let outcome3 = try await Migrator([second, first]).run(configuration)
            #expect(outcome3 == [second])
            let outcome4 = try await Migrator([first, second]).run(configuration)
            #expect(outcome4.isEmpty)
        }
    }

    @Test("a migration that fails leaves nothing of itself, and those before it stay")
    func failure() async throws {
        try await PostgresFixture.withDatabase { database in
            let configuration = database.configuration()
            let broken = Migration(version: 2, name: "broken", sql: "CREATE TABLE b (id int); SELECT 1 / 0")
            let error = await #expect(throws: DatabaseError.self) {
                try await Migrator([first, broken]).run(configuration)
            }
            #expect(error?.sqlState == .divisionByZero)
            let outcome5 = try await Migrator([first, second]).run(configuration)
            #expect(outcome5 == [second])
        }
    }

    @Test("a text that was changed after it had been applied is refused, and so is a database from the future")
    func refusals() async throws {
        try await PostgresFixture.withDatabase { database in
            let configuration = database.configuration()
            try await Migrator([first, second]).run(configuration)
            let edited = Migration(version: 1, name: "first", sql: "CREATE TABLE a (id bigint)")
            await #expect(throws: MigrationError.changed(version: 1, name: "first")) {
                try await Migrator([edited, second]).run(configuration)
            }
            await #expect(throws: MigrationError.newerThanProgram(version: 2)) {
                try await Migrator([first]).pending(configuration)
            }
            #expect(throws: MigrationError.notConsecutive(version: 3)) {
                try Migrator([first, Migration(version: 3, name: "third", sql: "")])
            }
        }
    }

    @Test("a migration may run outside a transaction when it says so")
    func withoutTransaction() async throws {
        try await PostgresFixture.withDatabase { database in
            let index = Migration(
                version: 2, name: "index",
                sql: "-- switchboard: no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id)")
            let outcome6 = try await Migrator([first, index]).run(database.configuration())
            #expect(outcome6.count == 2)
        }
    }
}

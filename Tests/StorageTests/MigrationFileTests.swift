import Database
import Foundation
import Storage
import TestSupport
import Testing

@Suite("Migrations")
struct MigrationFileTests {
    @Test("the embedded migrations are the files in Migrations, byte for byte")
    func embeddedEqualsFiles() throws {
        let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }
            .sorted()
        #expect(files.count == EmbeddedMigrations.all.count)
        for (file, migration) in zip(files, EmbeddedMigrations.all) {
            let text = try String(contentsOf: directory.appending(path: file), encoding: .utf8)
            #expect(text == migration.sql, "run scripts/embed-migrations: \(file) differs")
            #expect(file == String(format: "%04d_", migration.version) + migration.name + ".sql")
        }
    }

    @Test("migrating twice changes nothing, and two nodes at once migrate once")
    func migrateTwice() async throws {
        try await PostgresFixture.withDatabase { database in
            let migrator = try Migrator(EmbeddedMigrations.all)
            #expect(try await migrator.pending(database.configuration()).count == EmbeddedMigrations.all.count)
            async let first = migrator.run(database.configuration())
            async let second = migrator.run(database.configuration())
            let applied = try await [first.count, second.count].sorted()
            #expect(applied == [0, EmbeddedMigrations.all.count])
            #expect(try await migrator.run(database.configuration()).isEmpty)
            #expect(try await migrator.pending(database.configuration()).isEmpty)
        }
    }

    @Test("every table with a tenant or a device has row security enabled and forced")
    func rowSecurityEverywhere() async throws {
        try await StorageFixture.run { fixture in
            let open: String? = try await fixture.scalar(
                """
                SELECT string_agg(c.relname, ', ') FROM pg_class c
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                  AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('tenant_id', 'did') AND a.attnum > 0)
                  AND NOT (c.relrowsecurity AND c.relforcerowsecurity) AND c.relname NOT IN ('auth_changes', 'device_tombstones')
                """)
            #expect(open == nil)
            let reachable: String? = try await fixture.scalar(
                """
                SELECT string_agg(c.relname || ' by ' || r, ', ') FROM pg_class c,
                  unnest(ARRAY['sb_app', 'sb_engine', 'sb_commit', 'sb_system']) r
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relispartition AND c.relkind = 'r'
                  AND has_table_privilege(r, c.oid, 'SELECT,INSERT,UPDATE,DELETE')
                """)
            #expect(reachable == nil)
        }
    }

    @Test("a login without CREATEROLE gets the schema without row-level security")
    func withoutCreateRole() async throws {
        try await PostgresFixture.withDatabase { database in
            let user = "plain_\(database.name.suffix(12))"
            let pool = database.pool()
            try await pool.script(
                "CREATE ROLE \(user) LOGIN; GRANT CREATE ON DATABASE \(database.name) TO \(user); CREATE SCHEMA sb AUTHORIZATION \(user)"
            )
            await pool.shutdown()
            var parts = try #require(URLComponents(string: database.uri))
            parts.queryItems =
                (parts.queryItems ?? []).filter { $0.name != "user" } + [URLQueryItem(name: "user", value: user)]
            let configuration = DatabaseConfiguration(uri: try #require(parts.string), acquireTimeout: .seconds(60))
            let storage = try await StorageDatabase.open(configuration)
            // The roles exist on the test server, but this login may not become them.
            #expect(!storage.hasRoles)
            let tenant = try await TenantRepository(storage).create(
                NewTenant(customerName: "x"),
                key: APIKeyDigest(hash: Array(repeating: 1, count: 32), prefix: "", suffix: ""))
            #expect(tenant.customerName == "x")
            await storage.shutdown()
        }
    }
}

import Cryptography
import Database
import Foundation
import Storage
import TestSupport

/// A migrated database of its own with the production pools over it.
struct StorageFixture: Sendable {
    let test: TestDatabase
    let database: StorageDatabase

    /// Runs `body` with a fresh database and drops it.
    static func run<Result: Sendable>(
        isolation: isolated (any Actor)? = #isolation, _ body: (StorageFixture) async throws -> Result
    ) async throws -> Result {
        try await PostgresFixture.withDatabase(migrations: EmbeddedMigrations.all) { test in
            let database = try await StorageDatabase.open(test.configuration(), migrations: .check)
            do {
                let result = try await body(StorageFixture(test: test, database: database))
                await database.shutdown()
                return result
            } catch {
                await database.shutdown()
                throw error
            }
        }
    }

    /// A tenant with room for devices.
    func tenant(maxDevices: Int = 100, name: String = "Harbour Ltd") async throws -> Tenant {
        try await TenantRepository(database).create(
            NewTenant(customerName: name, maxDevices: maxDevices),
            key: APIKeyDigest(hash: SystemRandom().bytes(32), prefix: "wam_0a1b", suffix: "9f3c"))
    }

    /// A device of `tenant`, with its scope.
    func device(of tenant: Tenant, name: String = "Front desk") async throws -> DeviceRecord {
        try await DeviceRepository(database).create(
            TenantScope(tenantID: tenant.id), deviceID: UUID(), name: name, secretHash: SystemRandom().bytes(32))
    }

    /// Runs SQL as superuser and returns the first column of the first row.
    func scalar<Value: SQLDecodable>(_ sql: String, as type: Value.Type = Value.self) async throws -> Value? {
        let connection = try await DedicatedConnection.open(test.configuration())
        let row = try await connection.query(Statement("test.scalar", sql)).first
        await connection.close()
        return try row.flatMap { try $0[0] as Value? }
    }

    /// Runs a script as superuser.
    func script(_ sql: String) async throws {
        let connection = try await DedicatedConnection.open(test.configuration())
        try await connection.script(sql)
        await connection.close()
    }
}

import Database
import Foundation
import TestSupport
import Testing

@testable import Storage

/// What the fence of a commit and the renewal of leases cost depends on the devices they name alone (16-performance-
/// durability, sections 5.3 and 7.5).
@Suite("Plans of leases")
struct LeasePlanTests {
    @Test("a commit's fence and a renewal look at the leases they name, however many others the node has")
    func named() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant(maxDevices: 4000)
            let first = try await fixture.device(of: tenant).did
            let node = UUID()
            try await fixture.script(
                """
                INSERT INTO sb.devices (tenant_id, device_name, secret_hash)
                SELECT \(tenant.id), 'd' || n, sha256(n::text::bytea) FROM generate_series(1, 3000) n;
                INSERT INTO sb.device_leases (did) SELECT did FROM sb.devices ON CONFLICT DO NOTHING;
                UPDATE sb.device_leases SET node_id = '\(node)', epoch = 1, expires_at = now() - interval '1 minute';
                ANALYZE sb.device_leases;
                UPDATE sb.device_leases SET expires_at = now() + interval '1 hour';
                """)
            let dids = "'{\(first),\(first + 5),\(first + 9)}'"
            let asked: [(statement: Statement, types: String, values: String)] = [
                (CommitStatements.fence, "bigint[], bigint[], uuid, bigint", "\(dids), '{1,1,1}', '\(node)', 3"),
                (CommitStatements.owned, "bigint[], bigint[], uuid", "\(dids), '{1,1,1}', '\(node)'"),
                (LeaseStatements.renew, "uuid, float8, bigint[], bigint[]", "'\(node)', 15, \(dids), '{1,1,1}'"),
                (
                    CommitStatements.updateLiveStates, "bigint[], bigint[], text[], text[]",
                    "\(dids), '{1,1,1}', '{loading,loading,loading}', '{a,b,c}'"
                ),
                (LeaseStatements.release, "uuid, bigint[], bigint[]", "'\(node)', \(dids), '{1,1,1}'"),
            ]
            for (statement, types, values) in asked {
                let name = statement.name.replacing(".", with: "_")
                let results = try await fixture.database.system.pipeline([
                    Statement("plan.generic", "SELECT set_config('plan_cache_mode', 'force_generic_plan', false)")(),
                    Statement("plan.\(name).prepare", "PREPARE \(name)(\(types)) AS \(statement.sql)")(),
                    Statement("plan.\(name)", "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE \(name)(\(values))")(),
                ])
                let plan: String = try #require(try results[2].rows.first?[0])
                let top = try JSON(Array(plan.utf8))[0]["Plan"]
                let pages = (top["Shared Hit Blocks"].int ?? 0) + (top["Shared Read Blocks"].int ?? 0)
                #expect(pages < 120, "\(statement.name) touched \(pages) pages")
            }
        }
    }
}

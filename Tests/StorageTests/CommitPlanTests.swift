import Database
import Foundation
import TestSupport
import Testing

@testable import Storage

/// What the statements of a commit and the renewal of leases cost depends on what they name alone
/// (16-performance-durability, sections 5.3 and 7.5).
@Suite("Plans of commits")
struct CommitPlanTests {
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
                let pages = try await Self.pages(fixture, statement, types, values)
                #expect(pages < 120, "\(statement.name) touched \(pages) pages")
            }
        }
    }

    @Test("a batch finds prekeys, pairs and messages by their keys, however many there are and whatever statistics say")
    func keys() async throws {
        try await StorageFixture.run { fixture in
            let tenant = try await fixture.tenant()
            let did = try await fixture.device(of: tenant).did
            try await fixture.script(
                """
                ANALYZE sb.signal_prekeys, sb.lid_map, sb.messages;
                INSERT INTO sb.signal_prekeys (did, key_id, key_enc, uploaded)
                SELECT \(did), n, '\\x00', false FROM generate_series(1, 20000) n;
                INSERT INTO sb.lid_map (did, lid, pn) SELECT \(did), 'l' || n, 'p' || n FROM generate_series(1, 20000) n;
                INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body)
                SELECT \(tenant.id), \(did), '1@s.whatsapp.net', 'A' || n, true, now() - make_interval(secs => n),
                  '2@s.whatsapp.net', 'text', 'hello'
                FROM generate_series(1, 20000) n;
                """)
            let name = "'{\(did)}', '{1@s.whatsapp.net}', '{A9000}'"
            let texts = "bigint[], text[], text[]"
            let asked: [(statement: Statement, types: String, values: String)] = [
                (SignalCommitStatements.markPreKeysUploaded, "bigint[], int[]", "'{\(did),\(did)}', '{7,12000}'"),
                (UserCommitStatements.displaceLIDs, texts, "'{\(did),\(did)}', '{l8,l9}', '{p12000,p13000}'"),
                (
                    MessageCommitStatements.updateMessages,
                    "\(texts), boolean[], smallint[], timestamptz[], bigint[], timestamptz[], timestamptz[], text[], "
                        + "bytea[], text[], text[]",
                    "\(name), '{t}', '{3}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{NULL}'"
                ),
                (
                    MessageCommitStatements.reviveMessages, "\(texts), text[], text[], bytea[], text[]",
                    "\(name), '{text}', '{hi}', '{NULL}', '{NULL}'"
                ),
            ]
            for (statement, types, values) in asked {
                let pages = try await Self.pages(fixture, statement, types, values)
                #expect(pages < 120, "\(statement.name) touched \(pages) pages")
            }
        }
    }

    /// Pages that a statement touches, with a plan that knows no values, as the commit's are.
    private static func pages(
        _ fixture: StorageFixture, _ statement: Statement, _ types: String, _ values: String
    ) async throws -> Int {
        let explained = ExplainedStatement(statement: statement, types: types, values: values)
        return try explained.touched(try await fixture.database.system.pipeline(explained.statements)).pages
    }
}

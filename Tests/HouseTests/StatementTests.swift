import Foundation
import Testing

/// Every statement on rows of tenants or devices says whose rows it means; what works for all of them is named here, with
/// its reason (14-storage, section 4).
@Suite("Statements")
struct StatementTests {
    struct Found: Sendable {
        let name: String
        let sql: String
        let file: String
    }

    /// Statements that mean the rows of everybody.
    static let forEverybody: [String: Set<String>] = [
        "a node's own work: leases, hand-over, a dead node's devices": [
            "nodes.live", "nodes.reap", "leases.share", "leases.release_all", "leases.run_out", "leases.outdated",
            "leases.claim", "leases.waiting", "leases.lift_holds",
        ],
        "housekeeping by age, which asks for no content": [
            "housekeeping.messages_default", "housekeeping.message_receipts", "housekeeping.message_reactions",
            "usage.expire", "housekeeping.tenant_messages", "retention.clear_bodies", "outbox.expire",
        ],
        "the table that answers who a caller is, in every node's memory": [
            "auth.devices", "auth.changed_devices", "auth.changed_tenants", "auth.last_id", "usage.last_hour",
        ],
        "the dispatcher, who delivers for all": [
            "outbox.claim_lanes", "outbox.runs", "outbox.finish_lanes", "outbox.ready",
            "outbox.failing", "webhooks.erase_old_secrets", "outbox.finish_rows", "outbox.disable", "outbox.backlogs",
        ],
        "the operator's numbers": [
            "system.statistics", "deliveries.statistics", "deliveries.by_tenant", "devices.online", "webhooks.troubled",
        ],
        "`switchboard bench`, which fills the outbox of its own devices": ["filler.newest", "filler.insert"],
        "a number for a row to come, or whether row-level security is on": [
            "webhooks.next_id", "storage.row_security",
        ],
    ]

    /// Tables with a column for the tenant or the device, from the migrations.
    static func ownedTables() throws -> Set<String> {
        let folder = HouseTests.root.appending(path: "Migrations")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        var tables: Set<String> = []
        for file in files where file.pathExtension == "sql" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for part in text.replacing(/--[^\n]*/, with: "").split(separator: ";") {
                guard let create = part.firstMatch(of: /CREATE TABLE (\w+)\s*\(/) else { continue }
                if part.contains(/\b(did|tenant_id)\b/.wordBoundaryKind(.simple)) { tables.insert(String(create.1)) }
            }
        }
        return tables
    }

    static func statements() throws -> [Found] {
        let pattern = /Statement\(\s*"([\w.]+)",\s*(?:"""(.*?)"""|"([^"\n]*)")/.dotMatchesNewlines()
        return try HouseTests.swiftFiles(under: HouseTests.root.appending(path: "Sources")).flatMap { file in
            try String(contentsOf: file, encoding: .utf8).matches(of: pattern).map { match in
                Found(
                    name: String(match.1), sql: String(match.2 ?? match.3 ?? ""), file: file.lastPathComponent)
            }
        }
    }

    @Test("every statement on tenants' and devices' rows names the tenant or the device")
    func statementsNameTheirOwner() throws {
        let owned = try Self.ownedTables()
        #expect(owned.isSuperset(of: ["devices", "messages", "webhooks", "signal_sessions", "audit_log"]))
        var excused = Self.forEverybody.values.reduce(into: Set<String>()) { $0.formUnion($1) }
        let statements = try Self.statements()
        #expect(statements.count > 150, "the statements are not found where they were")
        for statement in statements {
            let words = Set(statement.sql.matches(of: /\w+/).map { String($0.0) })
            guard !words.isDisjoint(with: owned) else { continue }
            if excused.remove(statement.name) != nil { continue }
            #expect(
                Self.namesOwner(statement.sql), "\(statement.name) of \(statement.file) names neither tenant nor device"
            )
        }
        #expect(excused.isEmpty, "no longer there: \(excused.sorted())")
    }

    @Test(
        "a statement that only joins owners with each other names none",
        arguments: [
            "UPDATE sb.messages m SET body = NULL FROM sb.devices other WHERE m.did = other.did",
            "DELETE FROM sb.messages m USING sb.chats c WHERE m.did = c.did AND c.chat = $1",
            "SELECT m.body FROM sb.messages m JOIN sb.devices d USING (did) WHERE m.message_id = $1",
            "INSERT INTO sb.chats (did, chat) SELECT did, chat FROM sb.messages WHERE message_id = $1",
            "INSERT INTO sb.chats (did, chat) VALUES (7, $1)",
            "SELECT 1 FROM sb.devices d, unnest($1::bigint[]) AS u(did) WHERE d.name = $2",
            "UPDATE sb.devices SET did = did WHERE tenant_id IN (SELECT id FROM sb.tenants)",
        ])
    func joinsAreNoOwners(sql: String) { #expect(!Self.namesOwner(sql)) }

    @Test(
        "a statement names its owner by a parameter, a list of them, or new rows made of them",
        arguments: [
            "SELECT body FROM sb.messages WHERE did = $1", "SELECT 1 FROM sb.devices WHERE tenant_id = ANY($1)",
            "SELECT 1 FROM sb.devices WHERE device_id = $2",
            "INSERT INTO sb.chats AS c (chat, did) VALUES ($2, $1) ON CONFLICT DO NOTHING",
            "INSERT INTO sb.chats (did, chat) SELECT * FROM unnest($1::bigint[], $2::text[])",
            "DELETE FROM sb.chats c USING unnest($1::bigint[], $2::text[]) AS u(did, chat) WHERE c.did = u.did",
            "SELECT 1 FROM sb.device_leases l JOIN unnest($1::bigint[]) AS f(did) USING (did)",
        ])
    func parametersAreOwners(sql: String) { #expect(Self.namesOwner(sql)) }

    /// Whether a parameter says whose rows are meant: in a comparison with tenant or device (or the device by the id that
    /// only its owner knows), in new rows, or as a list of owners that rows are compared with or made of. Columns that are
    /// equal in two tables name nobody.
    static func namesOwner(_ sql: String) -> Bool {
        if sql.contains(/\b(did|tenant_id|device_id)\s*=\s*(ANY\s*\(\s*)?\$\d/.wordBoundaryKind(.simple)) {
            return true
        }
        return listsOwners(sql) || insertsOwners(sql)
    }

    /// `unnest($1…) AS u(did, …)` with `= u.did`, `USING (did` or `SELECT u.did`.
    private static func listsOwners(_ sql: String) -> Bool {
        let list =
            /unnest\((?:[^()]|\([^()]*\))*\)\s*(?:WITH ORDINALITY\s*)?AS\s+(\w+)\s*\(([^)]*)\)/
            .wordBoundaryKind(.simple)
        for match in sql.matches(of: list) where match.0.contains(/\(\s*\$\d/) {
            let (name, columns) = (match.1, match.2.split(separator: ",").map { $0.trimming() })
            for column in ["did", "tenant_id"] where columns.contains(column) {
                let uses = [
                    "= \(name).\(column)", "\(name).\(column) =", "USING (\(column)", "SELECT \(name).\(column)",
                ]
                if uses.contains(where: { sql.contains($0) }) || sql.contains("SELECT \(column), ") { return true }
            }
        }
        return false
    }

    /// `INSERT INTO … (…, did, …)` with a parameter in its place, or with the rows of `unnest` as they are.
    private static func insertsOwners(_ sql: String) -> Bool {
        let insert =
            /INSERT INTO sb\.\w+(?:\s+AS\s+\w+)?\s*\(([^)]*)\)\s*(?:VALUES\s*\(([^)]*)\)|SELECT \* FROM unnest\(\s*\$\d)/
        return sql.matches(of: insert).contains { match in
            let columns = match.1.split(separator: ",").map { $0.trimming() }
            guard let values = match.2 else { return columns.contains("did") || columns.contains("tenant_id") }
            return zip(columns, values.split(separator: ",").map { $0.trimming() }).contains { column, value in
                (column == "did" || column == "tenant_id") && value.hasPrefix("$")
            }
        }
    }
}

extension Substring {
    fileprivate func trimming() -> String { String(self).trimmingCharacters(in: .whitespacesAndNewlines) }
}

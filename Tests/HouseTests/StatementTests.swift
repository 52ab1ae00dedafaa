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
        ],
        "housekeeping by age, which asks for no content": [
            "housekeeping.messages_default", "housekeeping.message_receipts", "housekeeping.message_reactions",
            "usage.expire",
        ],
        "the table that answers who a caller is, in every node's memory": [
            "auth.devices", "auth.changed_devices", "auth.changed_tenants", "auth.last_id", "usage.last_hour",
        ],
        "the dispatcher, who delivers for all": [
            "outbox.claim_lanes", "outbox.runs", "outbox.finish_lanes", "outbox.ready",
            "outbox.failing", "webhooks.erase_old_secrets",
        ],
        "the operator's numbers": [
            "system.statistics", "deliveries.statistics", "deliveries.by_tenant", "devices.online",
        ],
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

    /// A comparison with tenant or device, new rows that carry them, or a device by the id that only its owner knows.
    private static func namesOwner(_ sql: String) -> Bool {
        sql.contains(/\b(did|tenant_id)\s*(=|IN\b)/.wordBoundaryKind(.simple))
            || sql.contains(/INSERT INTO sb\.\w+(\s+AS\s+\w+)?\s*\([^)]*\b(did|tenant_id)\b/.wordBoundaryKind(.simple))
            || sql.contains(/\bdevice_id = \$\d/.wordBoundaryKind(.simple))
            || sql.contains(/USING \((did|tenant_id)\b/.wordBoundaryKind(.simple))
    }
}

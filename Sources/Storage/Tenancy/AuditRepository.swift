import Database
import Foundation
import Messaging

/// One line of the audit log; the log is append only.
package struct AuditEntry: Sendable, Equatable {
    package var tenantID: Int64?
    package var deviceID: UUID?
    /// `admin`, `api_key:42`, `device`, `system`.
    package var actor: String
    /// Textual IP address, or nil.
    package var actorAddress: String?
    package var requestID: String?
    /// What was done, `device.delete`.
    package var action: String
    package var target: String
    /// `ok` or the error code.
    package var result: String
    /// JSON object without secrets.
    package var detail: String

    package init(
        tenantID: Int64? = nil, deviceID: UUID? = nil, actor: String, actorAddress: String? = nil,
        requestID: String? = nil, action: String, target: String = "", result: String = "ok", detail: String = "{}"
    ) {
        self.tenantID = tenantID
        self.deviceID = deviceID
        self.actor = actor
        self.actorAddress = actorAddress
        self.requestID = requestID
        self.action = action
        self.target = target
        self.result = result
        self.detail = detail
    }
}

/// An entry on its way to the log; equal only to itself.
struct AuditLine: Sendable, Hashable {
    let entry: AuditEntry
    private let number = UUID()

    init(_ entry: AuditEntry) { self.entry = entry }

    static func == (left: AuditLine, right: AuditLine) -> Bool { left.number == right.number }
    func hash(into hasher: inout Hasher) { hasher.combine(number) }
}

package struct AuditRepository: Sendable {
    private let database: StorageDatabase
    private var pool: ConnectionPool { database.system }

    package init(_ database: StorageDatabase) { self.database = database }

    package func append(_ entry: AuditEntry) async throws {
        _ = try await database.auditLines.submit(AuditLine(entry))
    }

    /// Callers go through ``StorageDatabase/auditLines``.
    static func append(_ entries: [AuditEntry], pool: ConnectionPool) async throws {
        try await pool.execute(
            AuditStatements.append,
            [
                .array(entries.map { SQLValue($0.tenantID) }), .array(entries.map { SQLValue($0.deviceID) }),
                .texts(entries.map(\.actor)), .array(entries.map { SQLValue($0.actorAddress) }),
                .array(entries.map { SQLValue($0.requestID) }), .texts(entries.map(\.action)),
                .texts(entries.map(\.target)), .texts(entries.map(\.result)), .texts(entries.map(\.detail)),
            ])
    }

    /// The newest entries of a tenant, or of all with nil, newest first.
    ///
    /// - Parameter reads: false leaves out what the operator read with success, and calls of the sandbox.
    package func entries(
        tenantID: Int64?, reads: Bool = true, limit: Int = 100, before: ListPosition? = nil
    ) async throws -> [(at: ListPosition, entry: AuditEntry)] {
        try await pool.query(
            reads ? AuditStatements.newest : AuditStatements.newestChanges,
            [SQLValue(tenantID), SQLValue(limit), SQLValue(before?.time), SQLValue(before?.id)]
        ).map { row in
            (
                ListPosition(time: try row["at"], id: try row["id"]),
                AuditEntry(
                    tenantID: try row["tenant_id"], deviceID: try row["device_id"], actor: try row["actor"],
                    actorAddress: try row["actor_ip"], requestID: try row["request_id"], action: try row["action"],
                    target: try row["target"], result: try row["result"], detail: try row["detail"])
            )
        }
    }
}

enum AuditStatements {
    static let append = Statement(
        "audit.append",
        """
        INSERT INTO sb.audit_log (tenant_id, device_id, actor, actor_ip, request_id, action, target, result, detail)
        SELECT tenant_id, device_id, actor, actor_ip::inet, request_id, action, target, result, detail::jsonb
        FROM unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
          $9::text[]) AS line (tenant_id, device_id, actor, actor_ip, request_id, action, target, result, detail)
        """)
    static let newest = Statement(
        "audit.newest",
        """
        SELECT at, id, tenant_id, device_id, actor, host(actor_ip) AS actor_ip, request_id, action, target, result, detail
        FROM sb.audit_log
        WHERE ($1::bigint IS NULL OR tenant_id = $1)
          AND ($3::timestamptz IS NULL OR (at, id) < ($3, $4::bigint))
        ORDER BY at DESC, id DESC LIMIT $2
        """)
    /// By the index audit_changes, whose condition this one repeats; the place is a bound that it begins at.
    static let newestChanges = Statement(
        "audit.newest_changes",
        """
        SELECT at, id, tenant_id, device_id, actor, host(actor_ip) AS actor_ip, request_id, action, target, result, detail
        FROM sb.audit_log
        WHERE NOT (action = 'admin.request' AND result LIKE '2%' AND (target LIKE 'GET %' OR target = 'POST /admin/sandbox/call'))
          AND ($1::bigint IS NULL OR tenant_id = $1)
          AND (at, id) < (coalesce($3::timestamptz, 'infinity'), coalesce($4::bigint, 9223372036854775807))
        ORDER BY at DESC, id DESC LIMIT $2
        """)
}

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

package struct AuditRepository: Sendable {
    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    package func append(_ entry: AuditEntry) async throws {
        try await pool.execute(
            AuditStatements.append,
            [
                SQLValue(entry.tenantID), SQLValue(entry.deviceID), .text(entry.actor), SQLValue(entry.actorAddress),
                SQLValue(entry.requestID), .text(entry.action), .text(entry.target), .text(entry.result),
                .text(entry.detail),
            ])
    }

    /// The newest entries of a tenant, or of all with nil, newest first.
    package func entries(
        tenantID: Int64?, limit: Int = 100, offset: Int = 0
    ) async throws -> [(at: Timestamp, entry: AuditEntry)] {
        try await pool.query(AuditStatements.newest, [SQLValue(tenantID), SQLValue(limit), SQLValue(offset)]).map {
            row in
            (
                try row["at"],
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
        VALUES ($1, $2, $3, $4::text::inet, $5, $6, $7, $8, $9)
        """)
    static let newest = Statement(
        "audit.newest",
        """
        SELECT at, tenant_id, device_id, actor, host(actor_ip) AS actor_ip, request_id, action, target, result, detail
        FROM sb.audit_log WHERE $1::bigint IS NULL OR tenant_id = $1 ORDER BY at DESC, id DESC LIMIT $2 OFFSET $3
        """)
}

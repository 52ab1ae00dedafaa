import Database

/// Requests of tenants per minute, summed over all nodes (10-rest-api, section 2.9).
package struct TenantUsageRepository: Sendable {
    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Adds what this node counted since the last call, and returns every tenant's requests of the last hour.
    package func exchange(_ counts: [Int64: Int]) async throws -> [Int64: Int] {
        let tenants = counts.keys.sorted()
        let results = try await pool.pipeline([
            UsageStatements.add(.ints(tenants), .ints(tenants.map { Int64(counts[$0] ?? 0) })),
            UsageStatements.expire(), UsageStatements.lastHour(),
        ])
        var totals: [Int64: Int] = [:]
        for row in results.last?.rows ?? [] { totals[try row["tenant_id"]] = try row["requests"] }
        return totals
    }
}

enum UsageStatements {
    /// A tenant that was deleted meanwhile is left out.
    static let add = Statement(
        "usage.add",
        """
        INSERT INTO sb.tenant_usage AS u (tenant_id, minute, requests)
        SELECT t.id, date_trunc('minute', now()), c.requests
        FROM unnest($1::bigint[], $2::bigint[]) AS c(tenant_id, requests) JOIN sb.tenants t ON t.id = c.tenant_id
        ON CONFLICT (tenant_id, minute) DO UPDATE SET requests = u.requests + excluded.requests
        """)
    static let expire = Statement(
        "usage.expire", "DELETE FROM sb.tenant_usage WHERE minute < now() - interval '2 hours'")
    static let lastHour = Statement(
        "usage.last_hour",
        """
        SELECT tenant_id, sum(requests)::bigint AS requests FROM sb.tenant_usage
        WHERE minute > now() - interval '1 hour' GROUP BY tenant_id
        """)
}

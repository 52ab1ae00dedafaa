import Database

/// Names one tenant: what a call with an API key may see.
package struct TenantScope: Sendable, Hashable {
    package let tenantID: Int64

    package init(tenantID: Int64) { self.tenantID = tenantID }
}

/// Names one device of one tenant: what a call with a device token may see.
package struct DeviceScope: Sendable, Hashable {
    package let tenantID: Int64
    /// Internal number of the device (`did`).
    package let did: Int64

    package init(tenantID: Int64, did: Int64) {
        self.tenantID = tenantID
        self.did = did
    }
}

/// As whom a scoped transaction runs: the role, and the rows its policies let through (14-storage, section 5).
package enum Scope: Sendable, Hashable {
    /// Role `sb_app`, rows of one tenant.
    case tenant(TenantScope)
    /// Role `sb_app`, rows of one tenant and, in tables without a tenant, of one device.
    case device(DeviceScope)
    /// Role `sb_engine`, rows of one device.
    case engine(did: Int64)

    /// The statement that puts a transaction into this scope; its settings end with the transaction.
    var opening: BoundStatement {
        switch self {
        case .tenant(let scope): Self.enter("sb_app", .text(String(scope.tenantID)), "")
        case .device(let scope): Self.enter("sb_app", .text(String(scope.tenantID)), .text(String(scope.did)))
        case .engine(let did): Self.enter("sb_engine", "", .text(String(did)))
        }
    }

    private static let enter = Statement(
        "scope.enter",
        "SELECT set_config('role', $1, true), set_config('sb.tenant', $2, true), set_config('sb.did', $3, true)")
}

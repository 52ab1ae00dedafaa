import Database

/// Whom the events of one commit concern: a hint for dispatcher and streams of the process that made it.
package struct StoredEvents: Sendable {
    /// Webhooks with new rows, and their tenants.
    package private(set) var webhooks: [(id: Int64, tenantID: Int64)] = []
    /// Devices with new events.
    package private(set) var devices: Set<Int64> = []

    package init(webhooks: [(id: Int64, tenantID: Int64)], devices: Set<Int64>) {
        self.webhooks = webhooks
        self.devices = devices
    }

    init(_ rows: [Row]) throws {
        for row in rows {
            devices.insert(try row["did"])
            let webhook: Int64? = try row["webhook_id"]
            if let webhook { webhooks.append((webhook, try row["tenant_id"])) }
        }
    }
}

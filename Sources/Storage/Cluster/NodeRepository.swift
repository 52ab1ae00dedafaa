import Database
import Foundation
import Messaging

/// A process of the cluster.
package struct NodeRecord: Sendable, Equatable {
    package let nodeID: UUID
    package let name: String
    package let advertiseURL: String
    package let version: String
    package let startedAt: Timestamp
    package let heartbeatAt: Timestamp
    package let isDraining: Bool
    package let maxDevices: Int
    package let leases: Int
}

/// The nodes of the cluster, for the operator; `LeaseRepository` registers them.
package struct NodeRepository: Sendable {
    private let pool: ConnectionPool

    package init(_ database: StorageDatabase) { pool = database.system }

    /// Nodes heard of in the last 30 s.
    package func live() async throws -> [NodeRecord] {
        try await pool.query(Self.live).map { row in
            NodeRecord(
                nodeID: try row["node_id"], name: try row["name"], advertiseURL: try row["advertise_url"],
                version: try row["version"], startedAt: try row["started_at"], heartbeatAt: try row["heartbeat_at"],
                isDraining: try row["draining"], maxDevices: try row["max_devices"], leases: try row["leases"])
        }
    }

    private static let live = Statement(
        "nodes.live",
        """
        SELECT n.node_id, n.name, n.advertise_url, n.version, n.started_at, n.heartbeat_at, n.draining, n.max_devices,
          (SELECT count(*) FROM sb.device_leases l WHERE l.node_id = n.node_id AND l.expires_at > now()) AS leases
        FROM sb.nodes n WHERE n.heartbeat_at > now() - interval '30 seconds' ORDER BY n.started_at
        """)
}

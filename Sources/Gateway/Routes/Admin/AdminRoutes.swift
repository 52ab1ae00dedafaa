import Foundation
import Messaging
import Storage
import Tenancy
import Webhooks

extension RouteCatalogue {
    /// Statistics, health and lists over all tenants (10-rest-api, section 8, rows 1 to 6).
    var adminRoutes: [Route] {
        [
            Route(
                .get, "/admin/stats", .admin, number: "1", "Counters of API keys, devices and webhooks",
                answer: .data("Statistics retrieved successfully", .statistics)
            ) { _ in
                let counts = try await dependencies.tenants.statistics()
                return .ok("Statistics retrieved successfully") { writer in
                    writer.object { writer in
                        writer.member("total_api_keys", counts.tenants)
                        writer.member("active_api_keys", counts.activeTenants)
                        writer.member("total_devices", counts.devices)
                        writer.member("connected_devices", counts.activeDevices)
                        writer.member("disconnected_devices", counts.disconnectedDevices)
                        writer.member("pending_devices", counts.pendingDevices)
                        writer.member("logged_out_devices", counts.loggedOutDevices)
                        writer.member("total_webhooks", counts.webhooks)
                        writer.member("active_webhooks", counts.activeWebhooks)
                    }
                }
            },
            Route(
                .get, "/admin/health", .admin, number: "2", "Health of process, database and sessions",
                query: [.init("strict", .boolean, "false: status 200 even without a database")],
                answer: .data("System health retrieved successfully", .health), statuses: [200, 503],
                handler: health),
            Route(
                .get, "/admin/nodes", .admin, "Nodes of the cluster",
                answer: .data("Nodes retrieved successfully", .list(of: .node))
            ) { _ in
                let nodes = try await NodeRepository(dependencies.database).live()
                return .ok("Nodes retrieved successfully") { writer in
                    writer.array { writer in
                        for node in nodes { writer.node(node) }
                    }
                }
            },
            Route(
                .get, "/admin/audit", .admin, "Audit log, newest first",
                query: [
                    .limit, .cursor, .apiKeyID,
                    .init(
                        "reads", .boolean, "false: without the operator's successful GETs and calls of the sandbox",
                        strict: true),
                ],
                answer: .data("Audit log retrieved successfully", .list(of: .auditEntry))
            ) { call in
                let page = try Page(call.query)
                let found = try await AuditRepository(dependencies.database).entries(
                    tenantID: try call.query.apiKeyID(),
                    reads: try call.query.strictBool("reads", default: true), limit: page.limit + 1,
                    before: page.before)
                return page.answer("Audit log retrieved successfully", found, at: \.at) { writer, entries in
                    writer.array { writer in
                        for (at, entry) in entries { writer.audit(at.time, entry) }
                    }
                }
            },
        ]
    }

    @Sendable private func health(_ call: Call) async throws -> Answer {
        let asked = ContinuousClock.now
        let result: Result<SystemStatistics, any Error>
        do { result = .success(try await dependencies.tenants.statistics()) } catch { result = .failure(error) }
        let latency = ContinuousClock.now - asked
        let milliseconds = Double(latency.components.seconds) * 1000 + Double(latency.components.attoseconds) / 1e15
        let counts = try? result.get()
        let outbox = counts == nil ? nil : try? await dependencies.webhooks.statistics()
        let restore = dependencies.sessions.restore
        let isDegraded = counts == nil
        let memory = ProcessMemory.usage
        var answer = Answer.ok("System health retrieved successfully") { writer in
            writer.object { writer in
                writer.member("status", isDegraded ? "degraded" : "ok")
                writer.member("database", isDegraded ? "error: unreachable" : "ok")
                writer.member("whatsapp_clients", dependencies.node.sessionCount())
                writer.member("total_devices", counts?.devices ?? 0)
                writer.member("memory_alloc", ProcessMemory.format(memory.resident))
                writer.member("memory_sys", ProcessMemory.format(memory.virtual))
                writer.member("goroutines", ProcessMemory.threads)
                writer.member("uptime", uptime.text)
                writer.member("uptime_seconds", uptime.seconds)
                writer.member("version", BuildVersion.text)
                writer.member("go_version", "swift-6")
                writer.member("api_keys", counts?.tenants ?? 0)
                writer.member("active_api_keys", counts?.activeTenants ?? 0)
                writer.member("node_id", dependencies.node.id)
                writer.member("leases", counts?.leases ?? 0)
                writer.member("outbox_pending", outbox?.pending ?? 0)
                writer.member("outbox_oldest_seconds", outbox?.oldestPendingAge ?? 0)
                writer.member("db_latency_ms", (milliseconds * 1000).rounded() / 1000)
                writer.key("restore")
                writer.object { writer in
                    writer.member("total", restore.total)
                    writer.member("done", restore.done)
                    writer.member("failed", restore.failed)
                }
            }
        }
        if isDegraded, call.query.bool("strict", default: true) { answer.status = 503 }
        return answer
    }
}

/// This process, as the operator sees it.
package struct NodeIdentity: Sendable {
    package let id: UUID
    /// Sessions that run here.
    package let sessionCount: @Sendable () -> Int
    /// The same by how far they are.
    package let sessionTally: @Sendable () -> SessionTally

    package init(
        id: UUID, sessionTally: @escaping @Sendable () -> SessionTally = { SessionTally() },
        sessionCount: @escaping @Sendable () -> Int
    ) {
        self.id = id
        self.sessionTally = sessionTally
        self.sessionCount = sessionCount
    }
}

extension JSONWriter {
    fileprivate mutating func node(_ node: NodeRecord) {
        object { writer in
            writer.member("node_id", node.nodeID)
            writer.member("name", node.name)
            writer.member("advertise_url", node.advertiseURL)
            writer.member("version", node.version)
            writer.time("started_at", node.startedAt)
            writer.time("heartbeat_at", node.heartbeatAt)
            writer.member("draining", node.isDraining)
            writer.member("max_devices", node.maxDevices)
            writer.member("leases", node.leases)
        }
    }

    fileprivate mutating func audit(_ at: Timestamp, _ entry: AuditEntry) {
        object { writer in
            writer.time("at", at)
            writer.member("actor", entry.actor)
            writer.member("action", entry.action)
            writer.member("result", entry.result)
            writer.key("api_key_id")
            if let tenant = entry.tenantID { writer.integer(tenant) } else { writer.null() }
            if let device = entry.deviceID { writer.member("device_id", device) }
            writer.member("target", entry.target)
            writer.member("client", entry.actorAddress)
            writer.member("request_id", entry.requestID)
        }
    }
}

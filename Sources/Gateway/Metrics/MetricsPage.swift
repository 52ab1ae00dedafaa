import Foundation
import NIOCore
import Storage
import Tenancy
import Webhooks

/// What `/metrics` shows: the registry's series, after those that are asked for rather than counted have been set.
package actor MetricsPage {
    private let dependencies: GatewayDependencies
    private let registry: MetricsRegistry
    /// Statistics of the database are asked for at most this often, however many scrape; and so that counting a long queue
    /// takes no more than a fiftieth of the time.
    private static let interval = Duration.seconds(5)
    private static let rest = 50
    private var nextStatistics: ContinuousClock.Instant?

    init(_ dependencies: GatewayDependencies) {
        self.dependencies = dependencies
        registry = dependencies.metrics
        registry.scalar("switchboard_build_info", [("version", BuildVersion.text)], .gauge).set(1.0)
        registry.scalar("switchboard_node_info", [("node_id", "\(dependencies.node.id)".lowercased())], .gauge).set(1.0)
        registry.scalar("process_start_time_seconds", [], .gauge).set(Date().timeIntervalSince1970.rounded())
    }

    /// The text format.
    func render(isReady: Bool) async -> ByteBuffer {
        setProcess()
        setSessions()
        set("switchboard_up", isReady ? 1 : 0)
        await setStatistics()
        return ByteBuffer(string: registry.text)
    }

    private func set(_ name: String, _ value: Double, _ labels: [(String, String)] = []) {
        registry.scalar(name, labels, .gauge).set(value)
    }

    private func setProcess() {
        let memory = ProcessMemory.usage
        set("process_resident_memory_bytes", Double(memory.resident))
        set("process_virtual_memory_bytes", Double(memory.virtual))
        set("process_threads", Double(ProcessMemory.threads))
        set("process_open_fds", Double(ProcessMemory.openFiles))
        set("process_cpu_seconds_total", ProcessMemory.processorSeconds)
    }

    private func setSessions() {
        let tally = dependencies.node.sessionTally()
        set("switchboard_sessions", Double(tally.loggedIn), [("state", "logged_in")])
        set("switchboard_sessions", Double(tally.connected), [("state", "connected")])
        set("switchboard_sessions", Double(tally.loaded), [("state", "disconnected")])
        set("switchboard_leases_held", Double(tally.leases))
        for loss in SessionTally.LeaseLoss.allCases {
            set("switchboard_leases_lost_total", Double(tally.losses[loss] ?? 0), [("reason", loss.rawValue)])
        }
        for takeover in LeaseTakeover.allCases {
            let count = Double(tally.takeovers[takeover] ?? 0)
            set("switchboard_lease_takeovers_total", count, [("reason", takeover.rawValue)])
        }
        set("switchboard_prekeys_left", Double(tally.preKeysLeft))
        set("switchboard_prekeys_low_devices", Double(tally.fewPreKeys))
        let restore = dependencies.sessions.restore
        set("switchboard_restore_devices", Double(restore.done), [("outcome", "done")])
        set("switchboard_restore_devices", Double(restore.failed), [("outcome", "failed")])
        set(
            "switchboard_restore_devices", Double(max(0, restore.total - restore.done - restore.failed)),
            [("outcome", "waiting")])
    }

    /// Without a database the values of before stand.
    private func setStatistics() async {
        let started = ContinuousClock.now
        if let nextStatistics, started < nextStatistics { return }
        nextStatistics = started + Self.interval
        defer { nextStatistics = .now + max(Self.interval, (.now - started) * Self.rest) }
        if let counts = try? await dependencies.tenants.statistics() {
            set("switchboard_devices", Double(counts.activeDevices), [("status", "active")])
            set("switchboard_devices", Double(counts.disconnectedDevices), [("status", "disconnected")])
            set("switchboard_devices", Double(counts.pendingDevices), [("status", "pending")])
            set("switchboard_devices", Double(counts.loggedOutDevices), [("status", "logged_out")])
            set("switchboard_api_keys", Double(counts.activeTenants), [("state", "active")])
            set("switchboard_api_keys", Double(counts.tenants - counts.activeTenants), [("state", "disabled")])
            set("switchboard_leases", Double(counts.leases))
        }
        if let counts = try? await dependencies.webhooks.statistics() {
            set("switchboard_webhooks", Double(counts.activeWebhooks), [("state", "active")])
            set("switchboard_webhooks", Double(counts.webhooks - counts.activeWebhooks), [("state", "disabled")])
            set("switchboard_webhook_switched_off", Double(counts.switchedOff))
            set("switchboard_outbox_pending", Double(counts.pending))
            set("switchboard_outbox_oldest_seconds", Double(counts.oldestPendingAge ?? 0))
            set("switchboard_outbox_dead", Double(counts.dead))
        }
    }
}

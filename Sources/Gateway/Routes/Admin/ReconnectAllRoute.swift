import Foundation
import Messaging
import Storage
import Tenancy

/// `POST /admin/devices/reconnect` (10-rest-api, section 8, row 5).
extension RouteCatalogue {
    /// One line of the reconnect operation.
    private struct Reconnection: Sendable {
        let device: DeviceRecord
        let status: String
        let error: String?

        init(_ device: DeviceRecord, _ status: String, _ error: String? = nil) {
            self.device = device
            self.status = status
            self.error = error
        }
    }

    /// How long the request waits for devices; the rest is reported as queued and goes on without it.
    private static let reconnectPatience = Duration.seconds(60)
    /// How long another node may take to reconnect one of its devices.
    private static let forwardLimit = Duration.seconds(30)

    @Sendable func reconnectAll(_ call: Call) async throws -> Answer {
        let devices = try await dependencies.devices.overviews(DeviceFilter(limit: 100_000))
        let settled = devices.map(settled)
        let due = zip(devices, settled).compactMap { $0.1 == nil ? $0.0.device : nil }
        let sweep = Sweep(due, atOnce: dependencies.reconnectConcurrency) { device in
            await reconnectOne(device, call)
        }
        let isAsync = call.query.bool("async", default: false)
        var outcomes = isAsync ? [] : await sweep.outcomes(within: Self.reconnectPatience)[...]
        let results = zip(devices, settled).map { overview, settled in
            settled ?? (outcomes.popFirst() ?? nil) ?? Reconnection(overview.device, "queued")
        }
        return Self.answer(results)
    }

    /// The line of a device that needs no attempt, or may have none.
    private func settled(_ overview: DeviceOverview) -> Reconnection? {
        let device = overview.device
        let live = dependencies.gate.live(of: overview)
        if live.isConnected, live.isLoggedIn { return Reconnection(device, "already_connected") }
        guard device.jid != nil, device.status != .loggedOut else {
            return Reconnection(device, "skipped", "Device never logged in")
        }
        switch device.end {
        case .some(.refused), nil: return nil
        case let end?: return Reconnection(device, "skipped", APIError(end).message)
        }
    }

    /// The sweep may be long, and the device connected, held or deleted since it began: its row is read again.
    private func reconnectOne(_ device: DeviceRecord, _ call: Call) async -> Reconnection {
        do {
            guard let current = try await dependencies.devices.overview(device.deviceID) else {
                return Reconnection(device, "skipped", APIError(TenancyError.deviceNotFound).message)
            }
            if let line = settled(current) { return line }
            try await dependencies.gate.sessionToConnect(DeviceScope(tenantID: device.tenantID, did: device.did))
                .reconnect()
            return Reconnection(device, "reconnected")
        } catch SessionDirectoryError.elsewhere(let owner) {
            let failure = await reconnect(device, at: owner, call)
            return Reconnection(device, failure == nil ? "reconnected" : "failed", failure)
        } catch {
            return Reconnection(device, "failed", APIError(any: error).message)
        }
    }

    /// Has the node that runs the device reconnect it. Returns what went wrong.
    private func reconnect(_ device: DeviceRecord, at owner: DeviceOwner, _ call: Call) async -> String? {
        guard let cluster else { return APIError.leaseElsewhere(for: owner).message }
        let request = ClusterRequest(
            method: "POST", target: "\(server.basePath)/admin/devices/\(device.deviceID)/reconnect", body: [],
            contentType: "", accept: "", idempotencyKey: "")
        let identity = ClusterIdentity(
            caller: .admin, requestID: call.requestID, client: call.client, bodyDigest: [])
        switch try? await cluster.forwarder.send(request, identity: identity, to: owner, limit: Self.forwardLimit) {
        case .answer(let answer) where answer.status == 200: return nil
        case .answer(let answer): return "The node that runs the device answered \(answer.status)"
        case .notRun: return APIError.leaseElsewhere(for: owner).message
        case .unknown, nil: return APIError.ownerLost.message
        }
    }

    private static func answer(_ results: [Reconnection]) -> Answer {
        .ok("Reconnect operation completed") { writer in
            writer.object { writer in
                writer.key("results")
                writer.array { writer in
                    for result in results {
                        writer.object { writer in
                            writer.member("device_id", result.device.deviceID)
                            writer.member("device_name", result.device.name)
                            writer.member("status", result.status)
                            if let error = result.error { writer.member("error", error) }
                        }
                    }
                }
                writer.key("summary")
                writer.object { writer in
                    writer.member("total", results.count)
                    writer.member("reconnected", results.count { $0.status == "reconnected" })
                    writer.member("failed", results.count { $0.status == "failed" })
                    writer.member(
                        "skipped", results.count { $0.status == "skipped" || $0.status == "already_connected" })
                }
            }
        }
    }
}

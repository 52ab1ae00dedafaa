import Foundation
import Messaging
import Storage
import Tenancy

extension RouteCatalogue {
    /// Devices of all tenants (10-rest-api, section 8, rows 3 to 5 and 14).
    var adminDeviceRoutes: [Route] {
        [
            Route(
                .get, "/admin/devices", .admin, number: "3", "All devices with their customers",
                query: Self.deviceFilter, answer: .data("Devices retrieved successfully", .deviceList)
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.devices.overviews(Self.filter(call.query, page))
                let counts = try await dependencies.tenants.statistics()
                return page.answer("Devices retrieved successfully", found, at: \.position) { writer, devices in
                    writer.object { writer in
                        writer.key("devices")
                        writer.array { writer in
                            for device in devices { writer.deviceOverview(device) }
                        }
                        writer.key("summary")
                        writer.object { writer in
                            writer.member("total", counts.devices)
                            writer.member("connected", counts.activeDevices)
                            writer.member("disconnected", counts.disconnectedDevices + counts.loggedOutDevices)
                            writer.member("pending", counts.pendingDevices)
                        }
                    }
                }
            },
            Route(
                .get, "/admin/devices/status", .admin, number: "4", "Live connection flags of every device",
                query: Self.deviceFilter,
                answer: .data("Device statuses retrieved successfully", .deviceStatusList)
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.devices.overviews(Self.filter(call.query, page))
                let total = try await dependencies.tenants.statistics().devices
                return page.answer("Device statuses retrieved successfully", found, at: \.position) { writer, devices in
                    let states = devices.map { ($0, dependencies.gate.live(of: $0)) }
                    let online = states.count { $0.1.isConnected && $0.1.isLoggedIn }
                    writer.object { writer in
                        writer.key("devices")
                        writer.array { writer in
                            for (device, live) in states { writer.deviceStatus(device, live: live, withCustomer: true) }
                        }
                        writer.key("summary")
                        writer.object { writer in
                            writer.member("total", total)
                            writer.member("online", online)
                            writer.member("offline", total - online)
                        }
                    }
                }
            },
            Route(
                .post, "/admin/devices/reconnect", .admin, number: "5",
                "Reconnect every paired device that is not connected",
                query: [.init("async", .boolean, "Answer at once")],
                answer: .data("Reconnect operation completed", .reconnections), waits: true, handler: reconnectAll),
            Route(
                .delete, "/admin/devices/{device_id}", .admin, number: "14", "Delete one device",
                answer: .message("Device deleted successfully"), statuses: [200, 404]
            ) { call in
                try await dependencies.devices.delete(call.parameters["device_id"], by: "admin", from: call.origin)
                return .ok("Device deleted successfully")
            },
            Route(
                .post, "/admin/devices/{device_id}/reconnect", .admin, "Reconnect one device",
                answer: .message("Success reconnect device"), errors: [.session, .whatsApp],
                statuses: [200, 404, 409, 503], waits: true
            ) { call in
                let device = try await dependencies.devices.find(call.parameters["device_id"])
                guard device.jid != nil else { throw APIError.clientNotLoaded }
                let scope = DeviceScope(tenantID: device.tenantID, did: device.did)
                try await dependencies.gate.sessionToConnect(scope).reconnect()
                return .ok("Success reconnect device")
            },
        ]
    }

    /// What rows 3 and 4 can be narrowed to; both list in the same order.
    private static let deviceFilter: [Route.Parameter] = [
        .init("status", "Stored status", values: ["pending", "active", "disconnected", "logged_out"]),
        .init("api_key_id", .integer, "One tenant"), .init("q", "Part of name, number, customer or id"), .limit,
        .cursor,
    ]

    private static func filter(_ query: Query, _ page: Page) -> DeviceFilter {
        var filter = DeviceFilter(limit: page.limit + 1, before: page.before)
        filter.status = query["status"].flatMap(DeviceStatus.init(rawValue:))
        filter.tenantID = query["api_key_id"].flatMap { Int64($0) }
        filter.text = query["q"].flatMap { $0.isEmpty ? nil : $0 }
        return filter
    }

    /// One line of the reconnect operation.
    private struct Reconnection: Sendable {
        let device: DeviceRecord
        let status: String
        let error: String?
    }

    private static let reconnectLimit = Duration.seconds(60)

    @Sendable private func reconnectAll(_ call: Call) async throws -> Answer {
        let devices = try await dependencies.devices.overviews(DeviceFilter(limit: 100_000))
        if call.query.bool("async", default: false) {
            Task { await reconnect(devices, call) }
            return Self.answer(devices.map { Reconnection(device: $0.device, status: "queued", error: nil) })
        }
        return Self.answer(await reconnect(devices, call))
    }

    /// Ten at a time; what is not done after a minute is reported as queued and goes on in the background.
    private func reconnect(_ devices: [DeviceOverview], _ call: Call) async -> [Reconnection] {
        let deadline = ContinuousClock.now + Self.reconnectLimit
        return await withTaskGroup(of: Reconnection.self) { group in
            var results: [Reconnection] = []
            for (index, overview) in devices.enumerated() {
                if index >= 10, let done = await group.next() { results.append(done) }
                group.addTask { await reconnectOne(overview, until: deadline, call) }
            }
            for await done in group { results.append(done) }
            return results
        }
    }

    private func reconnectOne(
        _ overview: DeviceOverview, until deadline: ContinuousClock.Instant, _ call: Call
    ) async -> Reconnection {
        let device = overview.device
        func result(_ status: String, _ error: String? = nil) -> Reconnection {
            Reconnection(device: device, status: status, error: error)
        }
        let live = dependencies.gate.live(of: overview)
        if live.isConnected, live.isLoggedIn { return result("already_connected") }
        guard device.jid != nil, device.status != .loggedOut else { return result("skipped", "Device never logged in") }
        if device.wish == .held { return result("skipped", "Session was opened elsewhere") }
        if ContinuousClock.now >= deadline { return result("queued") }
        do {
            try await dependencies.gate.sessionToConnect(DeviceScope(tenantID: device.tenantID, did: device.did))
                .reconnect()
            return result("reconnected")
        } catch SessionDirectoryError.elsewhere(let owner) {
            let failure = await reconnect(device, at: owner, within: deadline - .now, call)
            return result(failure == nil ? "reconnected" : "failed", failure)
        } catch {
            return result("failed", APIError(any: error).message)
        }
    }

    /// Has the node that runs the device reconnect it. Returns what went wrong.
    private func reconnect(
        _ device: DeviceRecord, at owner: DeviceOwner, within limit: Duration, _ call: Call
    ) async -> String? {
        guard let cluster else { return APIError.leaseElsewhere(for: owner).message }
        let request = ClusterRequest(
            method: "POST", target: "\(server.basePath)/admin/devices/\(device.deviceID)/reconnect", body: [],
            contentType: "", accept: "", idempotencyKey: "")
        let identity = ClusterIdentity(
            caller: .admin, requestID: call.requestID, client: call.client, bodyDigest: [])
        switch try? await cluster.forwarder.send(request, identity: identity, to: owner, limit: limit) {
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

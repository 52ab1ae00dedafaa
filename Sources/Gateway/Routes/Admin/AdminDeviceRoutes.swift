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
                query: Self.deviceFilter, answer: .data("Devices retrieved successfully", .deviceList),
                statuses: [200, 400]
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.devices.overviews(try Self.filter(call.query, page))
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
                answer: .data("Device statuses retrieved successfully", .deviceStatusList), statuses: [200, 400]
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.devices.overviews(try Self.filter(call.query, page))
                let total = try await dependencies.tenants.statistics().devices
                let published = try await dependencies.devices.onlineCount()
                return page.answer("Device statuses retrieved successfully", found, at: \.position) { writer, devices in
                    let states = devices.map { ($0, dependencies.gate.live(of: $0)) }
                    // Of all rows what was published, of this page's what is known now.
                    let online = states.reduce(published) { online, state in
                        online + (state.1.isConnected && state.1.isLoggedIn ? 1 : 0)
                            - (state.0.liveState == .loggedIn ? 1 : 0)
                    }
                    writer.object { writer in
                        writer.key("devices")
                        writer.array { writer in
                            for (device, live) in states {
                                writer.deviceStatus(
                                    device, live: live, reason: dependencies.gate.reason(device.device, live),
                                    withCustomer: true)
                            }
                        }
                        writer.key("summary")
                        writer.object { writer in
                            writer.member("total", total)
                            writer.member("online", min(max(0, online), total))
                            writer.member("offline", total - min(max(0, online), total))
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
        .init("status", "Stored status", values: ["pending", "active", "disconnected", "logged_out"], strict: true),
        .apiKeyID, .init("q", "Part of name, number, customer or id"), .limit, .cursor,
    ]

    /// Throws 400 for a status or a tenant that cannot be one.
    private static func filter(_ query: Query, _ page: Page) throws(APIError) -> DeviceFilter {
        var filter = DeviceFilter(limit: page.limit + 1, before: page.before)
        if let text = query["status"], !text.isEmpty {
            guard let status = DeviceStatus(rawValue: text) else {
                throw .validation("status must be one of: pending, active, disconnected, logged_out", field: "status")
            }
            filter.status = status
        }
        filter.tenantID = try query.apiKeyID()
        filter.text = query["q"].flatMap { $0.isEmpty ? nil : $0 }
        return filter
    }
}

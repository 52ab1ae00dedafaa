import Messaging
import Storage
import Tenancy

extension RouteCatalogue {
    private static let limit = Route.Parameter(
        "limit", .integer, "Rows at most; 200 without it", range: 1...1000, example: 100)
    private static let entries = Route.Success.data("Timeline retrieved successfully", .list(of: .timelineEntry))

    /// What happened to a device's connection, newest first (15-peers-and-users, P18): for its owner and for the operator.
    var timelineRoutes: [Route] {
        [
            Route(
                .get, "/devices/me/timeline", .device, "Connection events of the calling device, newest first",
                query: [Self.limit], answer: Self.entries
            ) { call in
                try await timeline(of: call.device.scope, call)
            },
            Route(
                .get, "/admin/devices/{device_id}/timeline", .admin, "Connection events of a device, newest first",
                query: [Self.limit], answer: Self.entries, statuses: [200, 404]
            ) { call in
                let device = try await dependencies.devices.find(call.parameters["device_id"])
                return try await timeline(of: DeviceScope(tenantID: device.tenantID, did: device.did), call)
            },
        ]
    }

    private func timeline(of scope: DeviceScope, _ call: Call) async throws -> Answer {
        let entries = try await dependencies.timeline.entries(
            scope, limit: call.query.integer("limit", default: 200, in: 1...1000))
        return .ok("Timeline retrieved successfully") { writer in
            writer.array { writer in
                for entry in entries {
                    writer.object { writer in
                        writer.time("at", entry.at)
                        writer.member("event", entry.event)
                        writer.key("detail")
                        writer.raw(entry.detail.utf8)
                    }
                }
            }
        }
    }
}

import Foundation
import GatewayTestSupport
import NIOCore
import Testing

@testable import Gateway

/// A tenant with a linked device, and calls of any route with bodies made from its description.
struct InputWorld {
    let api: GatewayFixture
    let routes: [Route]
    private let tenant: NewTenantKey
    private let device: NewDevice
    private let webhook: Int
    private static let event = "evt_walked"

    static func run(_ body: (InputWorld) async throws -> Void) async throws {
        try await GatewayFixture.run { api in
            let tenant = try await api.tenant(maxDevices: 1000)
            let device = try await api.device(of: tenant)
            try await api.pair(device)
            let webhook = try await api.webhook(of: device)
            try await body(
                InputWorld(
                    api: api,
                    // The sandbox's route is there beside a sandbox only, and nobody reads an endless stream.
                    routes: RouteCatalogue.described(by: api).filter {
                        !$0.path.hasPrefix("/admin/sandbox") && $0.path != "/devices/me/login/stream"
                    }, tenant: tenant, device: device, webhook: webhook))
        }
    }

    /// Makes at least two rows of everything that a list shows.
    func fillLists() async throws {
        let second = try await api.device(of: tenant)
        _ = try await api.tenant(name: "Another Ltd")
        let another = try await api.webhook(of: device)
        try await api.store(
            [
                .init("evt_1", "message.received", "dead", minutesAgo: 5),
                .init("evt_2", "call.offer", "dead", minutesAgo: 4),
            ],
            of: device, webhook: webhook)
        try await api.script(
            """
            UPDATE sb.webhooks SET fail_since = now(), consecutive_failures = 7 WHERE id IN (\(webhook), \(another));
            INSERT INTO sb.webhook_hourly (webhook_id, tenant_id, hour, success, failed, dead) VALUES
              (\(webhook), \(device.tenantID), date_trunc('hour', now()), 30, 7, 5),
              (\(webhook), \(device.tenantID), date_trunc('hour', now()) - interval '1 hour', 10, 1, 0);
            INSERT INTO sb.device_timeline (did, at, event, detail) SELECT \(device.did), now() - n * interval '1 second', 'e' || n, '{}'
            FROM generate_series(1, 2) n;
            INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body)
            SELECT \(device.tenantID), \(device.did), '15550001111@s.whatsapp.net', 'M' || n, false, now(),
              '15550001111@s.whatsapp.net', 'text', 'text' FROM generate_series(1, 3) n;
            """)
        #expect(second.tenantID == device.tenantID)
    }

    // MARK: Calls

    /// The path with what is there, or `values` for some parameters.
    func path(_ route: Route, _ values: [String: String] = [:]) -> String {
        let known = [
            "id": "\(tenant.id)", "device_id": device.id, "webhook_id": "\(webhook)", "chat_jid": "15550001111",
            "phone": "15550001111", "message_id": "3EB0AAAAAAAAAAAAAAAA", "event_id": Self.event, "file": "none.js",
            "asset": "none.css",
        ].merging(values) { _, new in new }
        return route.pathParameters.reduce(route.path) { $0.replacing("{\($1)}", with: known[$1] ?? "1") }
    }

    func call(_ route: Route, path: String? = nil, body: [(key: String, value: JSONValue)]? = nil) async throws
        -> APIAnswer
    {
        var headers: [String: String] =
            switch route.tier {
            case .none: [:]
            case .admin: ["X-Admin-Secret": GatewayFixture.adminSecret]
            case .apiKey: ["X-API-Key": tenant.key]
            case .device: ["Authorization": "Bearer \(device.token)"]
            }
        var bytes: [UInt8] = []
        if let body, !route.body.fields.isEmpty {
            headers["Content-Type"] = "application/json"
            var writer = JSONWriter()
            writer.value(.object(body))
            bytes = Array(writer.buffer.readableBytesView)
        }
        // Limits per address are not what this is about.
        let client = "10.1.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"
        return APIAnswer(
            try await api.gateway.send(
                route.method.rawValue, path ?? self.path(route), headers: headers, body: bytes, client: client))
    }

    // MARK: Bodies

    /// What is required, and one member with this value.
    func body(_ route: Route, with field: Route.Field?, _ value: JSONValue) -> [(key: String, value: JSONValue)] {
        var members = required(route).filter { $0.key != field?.name }
        if let field { members.append((field.name, value)) }
        // The end of a time needs a beginning, what a replay is narrowed by something to narrow.
        if route.path.hasSuffix("/replay"), let name = field?.name, !["since", "event_ids"].contains(name) {
            members.append(("since", 0))
        }
        return members
    }

    func body(_ route: Route, without field: Route.Field) -> [(key: String, value: JSONValue)] {
        required(route).filter { $0.key != field.name }
    }

    private func required(_ route: Route) -> [(key: String, value: JSONValue)] {
        var members: [(key: String, value: JSONValue)] = route.body.fields.filter(\.isRequired).map {
            ($0.name, $0.schema.example)
        }
        // Of some platforms only.
        if route.path.hasSuffix("/push-notifications") { members.append(("token", "a-token")) }
        return members
    }
}

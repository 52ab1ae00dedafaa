import Foundation
import GatewayTestSupport
import Storage
import Tenancy
import Testing

@testable import Gateway

/// Every route there is, called by those who may not: with each wrong kind of credentials, and by another tenant who names
/// what is not its own. Routes are data, so a new one is walked without a line here, or fails the test when it takes
/// something this test knows nothing of.
@Suite("The wall between tenants")
struct TenantWallTests {
    /// Whether the answer to who may call does not end by itself: it would go on for as long as somebody listens.
    private static func isEndless(_ route: Route) -> Bool {
        route.answer.media.contains("text/event-stream")
    }

    /// Texts that stand in the victim's rows and in no answer to anybody else.
    private static let markers = ["victim-text", "Victim Ltd", "victim.example", "15550009999", "victim-name"]

    /// What a path parameter names.
    private enum Meaning {
        /// Something that belongs to one tenant or device; the value is the victim's.
        case owned(String)
        /// A name that means something to every device: a number, a chat, a message id.
        case shared(String)
    }

    private struct Wall: Sendable {
        let api: GatewayFixture
        let routes: [Route]
        let victim: NewDevice
        let victimKey: NewTenantKey
        let stranger: NewDevice
        let strangerKey: NewTenantKey
        let webhook: String
        let event: String

        func meaning(of parameter: String) -> Meaning? {
            switch parameter {
            case "device_id": .owned(victim.id)
            case "webhook_id": .owned(webhook)
            case "id": .owned("\(victimKey.id)")
            case "event_id": .owned(event)
            case "chat_jid", "user_jid", "phone": .shared("15550009999")
            case "message_id", "poll_id", "status_id": .shared("3EB0AAAAAAAAAAAAAAAA")
            case "group_jid", "community_jid", "parent_group_jid", "parent_jid", "child_jid":
                .shared("120363000000000001@g.us")
            case "jid": .shared("120363000000000002@newsletter")
            case "code", "invite_code": .shared("ABCDEFGH12345678")
            case "asset": .shared("swagger-ui.css")
            case "file": .shared("no-such-file.js")
            default: nil
            }
        }

        /// The path with the victim's ids; nil when a parameter is unknown.
        func path(_ route: Route) -> (text: String, isOwned: Bool)? {
            var isOwned = false
            var text = route.path
            for parameter in route.pathParameters {
                guard let meaning = meaning(of: parameter) else { return nil }
                switch meaning {
                case .owned(let value):
                    isOwned = true
                    text = text.replacing("{\(parameter)}", with: value)
                case .shared(let value): text = text.replacing("{\(parameter)}", with: value)
                }
            }
            return (text, isOwned)
        }

        /// A body that names the victim wherever a member could.
        func body(_ route: Route) -> [UInt8] {
            if case .none = route.body { return [] }
            var members: [String: Any] = [
                "device_id": victim.id, "webhook_id": webhook, "tenant_id": victimKey.id, "did": victim.did,
                "event_ids": [event],
            ]
            for field in route.body.fields where field.isRequired && members[field.name] == nil {
                members[field.name] = Self.value(field)
            }
            return (try? JSONSerialization.data(withJSONObject: members)).map { Array($0) } ?? []
        }

        private static func value(_ field: Route.Field) -> Any {
            switch field.kind {
            case .boolean: return false
            case .integer: return 1
            case .strings: return ["15550007777"]
            case .object: return [String: Any]()
            case .string: return field.name.contains("url") ? "http://127.0.0.1:9999/" : "15550007777"
            }
        }

        /// What is sent along for `tier`, of the victim or of the stranger.
        func credentials(_ tier: Route.Tier, ofVictim: Bool) -> [String: String] {
            switch tier {
            case .none: [:]
            case .admin: ["X-Admin-Secret": GatewayFixture.adminSecret]
            case .apiKey: ["X-API-Key": ofVictim ? victimKey.key : strangerKey.key]
            case .device: ["Authorization": "Bearer \(ofVictim ? victim.token : stranger.token)"]
            }
        }

        func call(_ route: Route, _ path: String, _ headers: [String: String], from client: Int) async throws
            -> APIAnswer
        {
            var headers = headers
            let body = body(route)
            if !body.isEmpty { headers["Content-Type"] = "application/json" }
            headers["X-Device-Id"] = victim.id
            return APIAnswer(
                try await api.gateway.send(
                    route.method.rawValue, path, headers: headers, body: body,
                    client: "10.0.\(client / 250).\(client % 250)"))
        }

        /// All rows of all tables in one text per table; those of `did` and `tenant` alone when given.
        func snapshot(ofVictim: Bool) async throws -> [String: String] {
            try await api.rowDigests(did: ofVictim ? victim.did : nil, tenant: ofVictim ? victim.tenantID : nil)
        }
    }

    private static func withWall(_ body: (Wall) async throws -> Void) async throws {
        try await GatewayFixture.run { api in try await body(try await wall(in: api)) }
    }

    /// Two tenants with a device each; the victim has something of every kind.
    private static func wall(in api: GatewayFixture, number: Int = 0) async throws -> Wall {
        let victimKey = try await api.tenant(name: "Victim Ltd")
        let strangerKey = try await api.tenant(name: "Stranger Ltd")
        let victim = try await api.device(of: victimKey, name: "victim-name")
        let stranger = try await api.device(of: strangerKey, name: "stranger")
        // A number is linked to one device.
        try await api.pair(victim, jid: "\(15_550_009_999 + 2 * number):3@s.whatsapp.net")
        try await api.pair(stranger, jid: "\(15_550_009_998 + 2 * number):4@s.whatsapp.net")
        let hook = try await api.device(
            victim, "POST", "/webhooks", json: #"{"url":"http://127.0.0.1:9999/victim.example"}"#)
        let webhook = try #require(hook["data", "webhook_id"] as? Int, "\(hook.text)")
        let event = "evt_victim\(number)"
        try await api.store([.init(event, "message.received", "dead", minutesAgo: 5)], of: victim, webhook: webhook)
        try await api.script(
            """
            INSERT INTO sb.messages (tenant_id, did, chat, message_id, from_me, ts, sender, type, body) VALUES
              (\(victim.tenantID), \(victim.did), '15550009999@s.whatsapp.net', '3EB0AAAAAAAAAAAAAAAA', false, now(),
               '15550009999@s.whatsapp.net', 'text', 'victim-text');
            INSERT INTO sb.chats (tenant_id, did, chat, kind, name) VALUES
              (\(victim.tenantID), \(victim.did), '15550009999@s.whatsapp.net', 'user', 'victim-text');
            INSERT INTO sb.contacts (tenant_id, did, jid, full_name) VALUES
              (\(victim.tenantID), \(victim.did), '15550009999@s.whatsapp.net', 'victim-text');
            """)
        return Wall(
            api: api, routes: RouteCatalogue.described(by: api), victim: victim, victimKey: victimKey,
            stranger: stranger, strangerKey: strangerKey, webhook: "\(webhook)", event: event)
    }

    @Test("wrong credentials of every kind are refused on every route, and change no row")
    func wrongTiers() async throws {
        try await Self.withWall { wall in
            var client = 0
            var before = try await wall.snapshot(ofVictim: false)
            for route in wall.routes where route.tier != .none {
                guard let (path, _) = wall.path(route) else {
                    Issue.record("\(route.name) has a path parameter that this test cannot fill")
                    continue
                }
                var attempts: [[String: String]] = [[:]]
                for tier in [Route.Tier.admin, .apiKey, .device] where tier != route.tier {
                    let genuine = wall.credentials(tier, ofVictim: true)
                    attempts.append(genuine)
                    // The right header with a secret of another kind.
                    let name = wall.credentials(route.tier, ofVictim: true).keys.first ?? ""
                    if let value = genuine.values.first {
                        let bare = value.replacing("Bearer ", with: "")
                        attempts.append([name: name == "Authorization" ? "Bearer \(bare)" : bare])
                    }
                }
                for headers in attempts {
                    client += 1
                    let answer = try await wall.call(route, path, headers, from: client)
                    #expect(
                        [401, 403, 404].contains(answer.status),
                        "\(route.name) with \(headers.keys.sorted()): \(answer.status) \(answer.text.prefix(200))")
                }
                let after = try await wall.snapshot(ofVictim: false)
                let changed = after.filter { before[$0.key] != $0.value }.keys.sorted()
                #expect(changed.isEmpty, "\(route.name) changed \(changed)")
                before = after
            }
            #expect(wall.routes.count > 40)
        }
    }

    @Test("another tenant's ids are 401, 403 or 404 on every route, and nothing of that tenant is shown or changed")
    func foreignIDs() async throws {
        try await Self.withWall { wall in
            var client = 0
            let before = try await wall.snapshot(ofVictim: true)
            for route in wall.routes where route.tier != .admin {
                guard let (path, isOwned) = wall.path(route) else {
                    Issue.record("\(route.name) has a path parameter that this test cannot fill")
                    continue
                }
                // What a stranger hears of its own device has no end to wait for; it names nothing of anybody else.
                if Self.isEndless(route) {
                    #expect(!isOwned, "\(route.name) names something and is not walked")
                    continue
                }
                client += 1
                let answer = try await wall.call(
                    route, path, wall.credentials(route.tier, ofVictim: false), from: client)
                if isOwned {
                    #expect(
                        [401, 403, 404].contains(answer.status),
                        "\(route.name): \(answer.status) \(answer.text.prefix(200))")
                }
                for marker in Self.markers where marker != "15550009999" || !path.contains(marker) {
                    // A request's own words may come back in its answer.
                    let isOwnWord = String(decoding: wall.body(route), as: UTF8.self).contains(marker)
                    #expect(isOwnWord || !answer.text.contains(marker), "\(route.name) shows \(marker)")
                }
                let after = try await wall.snapshot(ofVictim: true)
                let changed = after.filter { before[$0.key] != $0.value }.keys.sorted()
                #expect(changed.isEmpty, "\(route.name) changed the victim's \(changed)")
            }
        }
    }

    @Test("the same calls by whom the ids belong to are let through, so what refuses a stranger is the wall")
    func owners() async throws {
        try await GatewayFixture.run { api in
            var walked = 0
            for (number, route) in RouteCatalogue.described(by: api).enumerated() where route.tier != .none {
                guard !route.pathParameters.isEmpty else { continue }
                // Each call has a victim of its own, as it may be the end of it.
                let wall = try await Self.wall(in: api, number: number)
                guard let (path, isOwned) = wall.path(route), isOwned else { continue }
                walked += 1
                let answer = try await wall.call(
                    route, path, wall.credentials(route.tier, ofVictim: true), from: walked)
                let isRefused = [400, 401, 403, 404].contains(answer.status)
                #expect(!isRefused, "\(route.name): \(answer.status) \(answer.text.prefix(200))")
            }
            #expect(walked > 12)
        }
    }
}

import Foundation
import GatewayTestSupport
import Tenancy
import Testing

@testable import Gateway

/// What the description says of parameters and members is what the gateway does: every route is called with values that do
/// not fit, one at a time. Routes are data, so a new one is walked without a line here.
@Suite("Values that do not fit")
struct InputWalkTests {
    @Test("a member of a wrong type, or beyond its limits, is 400 and named in data.field")
    func members() async throws {
        try await InputWorld.run { world in
            var seen = 0
            for route in world.routes {
                for field in route.body.fields {
                    for value in Self.misfits(of: field, route) {
                        let answer = try await world.call(route, body: world.body(route, with: field, value))
                        #expect(answer.status == 400, "\(route.name), \(field.name) = \(value): \(answer.text)")
                        #expect(
                            answer["data", "field"] as? String == field.name,
                            "\(route.name), \(field.name) = \(value): \(answer.text)")
                        seen += 1
                    }
                }
            }
            #expect(seen > 100, "\(seen)")
        }
    }

    @Test("a member that is required and absent is 400 and named in data.field, the first of several")
    func requiredMembers() async throws {
        try await InputWorld.run { world in
            var seen = 0
            for route in world.routes {
                let required = route.body.fields.filter(\.isRequired)
                for field in required {
                    let answer = try await world.call(route, body: world.body(route, without: field))
                    #expect(answer.status == 400, "\(route.name) without \(field.name): \(answer.text)")
                    #expect(
                        field.kind == .object || answer["data", "field"] as? String == field.name,
                        "\(route.name) without \(field.name): \(answer.text)")
                    seen += 1
                }
                guard !required.isEmpty else { continue }
                let none = try await world.call(route, body: [])
                #expect(none.status == 400 && none["data", "field"] is String, "\(route.name), {}: \(none.text)")
            }
            #expect(seen > 12, "\(seen)")
        }
    }

    @Test("a part of the path that cannot be what it stands for is 400 and named in data.field, or nothing: 404")
    func paths() async throws {
        try await InputWorld.run { world in
            var seen: Set<String> = []
            for route in world.routes {
                for parameter in route.pathParameters {
                    let answer = try await world.call(
                        route, path: world.path(route, [parameter: "no%20such%20thing"]),
                        body: world.body(route, with: nil, .null))
                    #expect([400, 404].contains(answer.status), "\(route.name), \(parameter): \(answer.text)")
                    if answer.status == 400 {
                        seen.insert(parameter)
                        #expect(
                            answer["data", "field"] as? String == parameter,
                            "\(route.name), \(parameter): \(answer.text)")
                    }
                }
            }
            #expect(seen.isSuperset(of: ["id", "webhook_id", "chat_jid", "phone", "message_id"]), "\(seen)")
        }
    }

    @Test("a parameter of the query that does not fit is 400 or counts as absent, as the description says")
    func parameters() async throws {
        try await InputWorld.run { world in
            let document = OpenAPIDocument(routes: world.routes, server: world.api.configuration.server).value
            var seen = (strict: 0, lenient: 0)
            // What is no WebSocket is refused before its query is read.
            for route in world.routes where route.path != "/ws" {
                let described = document["paths"]?[route.path]?[route.method.rawValue.lowercased()]?["parameters"]
                for parameter in route.query {
                    let text = "\(described ?? .null)"
                    #expect(text.contains(parameter.isStrict ? "is 400" : parameter.name), "\(route.name): \(text)")
                    let isFree = parameter.kind == .string && parameter.values.isEmpty
                    if isFree, !parameter.isStrict { continue }
                    let path = world.path(route)
                    let body = world.body(route, with: nil, .null)
                    let answer = try await world.call(route, path: path + "?\(parameter.name)=~nope~", body: body)
                    if parameter.isStrict {
                        seen.strict += 1
                        #expect(
                            answer.status == 400 && answer["data", "field"] as? String == parameter.name,
                            "\(route.name), \(parameter.name): \(answer.text)")
                    } else {
                        seen.lenient += 1
                        let without = try await world.call(route, path: path, body: body)
                        #expect(answer.status == without.status, "\(route.name), \(parameter.name): \(answer.text)")
                    }
                }
            }
            #expect(seen.strict > 15 && seen.lenient > 15, "\(seen)")
            let broken = try await world.api.admin("GET", "/admin/devices?api_key_id=%zz")
            #expect(broken.status == 400 && broken.errorCode == "http_bad_request" && broken["data", "hint"] is String)
        }
    }

    @Test("a number outside of its range counts as the nearest inside, in every list; what is none counts as absent")
    func ranges() async throws {
        try await InputWorld.run { world in
            try await world.fillLists()
            var seen = 0
            for route in world.routes {
                for parameter in route.query {
                    guard let range = parameter.range else { continue }
                    seen += 1
                    /// Rows of the one list that the answer has.
                    func rows(_ value: String?) async throws -> Int {
                        let others = route.path == "/admin/audit" ? "&reads=false" : ""
                        let query = value.map { "?\(parameter.name)=\($0)\(others)" } ?? "?\(others.dropFirst())"
                        let answer = try await world.call(route, path: world.path(route) + query)
                        #expect(answer.status == 200, "\(route.name), \(query): \(answer.text)")
                        let object = answer["data"] as? [String: Any]
                        let list = answer["data"] as? [Any] ?? object?.values.compactMap { $0 as? [Any] }.first
                        return try #require(list, "\(route.name): no list in \(answer.text)").count
                    }
                    let (all, one) = (try await rows(nil), try await rows("\(range.lowerBound)"))
                    #expect(one == 1 && all > 1, "\(route.name): \(one) of \(all) rows")
                    for below in ["\(range.lowerBound - 1)", "-1", "-99999999999999999999"] {
                        #expect(try await rows(below) == one, "\(route.name), \(parameter.name)=\(below)")
                    }
                    for above in ["\(range.upperBound)", "\(range.upperBound + 1)", "99999999999999999999"] {
                        #expect(try await rows(above) == all, "\(route.name), \(parameter.name)=\(above)")
                    }
                    for none in ["abc", "", "1.5", "0x1"] {
                        #expect(try await rows(none) == all, "\(route.name), \(parameter.name)=\(none)")
                    }
                }
            }
            #expect(seen >= 13, "\(seen)")
        }
    }

    /// Values of other types, and values outside of what the description allows.
    private static func misfits(of field: Route.Field, _ route: Route) -> [JSONValue] {
        // A time may be text or a number.
        let isTime = ["since", "until"].contains(field.name)
        var values: [JSONValue] = [
            .array([.integer(1)]), .object([("x", .array([]))]), isTime ? "~nope~" : .bool(true),
        ]
        switch field.kind {
        case .string: if !isTime { values.append(5) }
        case .integer: values += ["x", 1.5]
        case .boolean: values = [.array([]), "yes", 1]
        case .strings, .object: values += ["x", 5]
        }
        if let range = field.schema.range {
            values.append(.integer(Int64(range.upperBound) + 1))
            // What a change of a tenant calls "unchanged" (10-rest-api, section 3.7).
            if route.method != .patch { values.append(.integer(Int64(range.lowerBound) - 1)) }
        }
        if field.kind == .string, let longest = field.schema.length?.upperBound {
            values.append(.string(String(repeating: "a", count: longest + 1)))
        }
        // Another form of the login page is the one that is shown without it.
        if !field.schema.values.isEmpty, field.name != "output" { values.append("~nope~") }
        return values
    }
}

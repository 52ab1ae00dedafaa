import Foundation
import GatewayTestSupport
import NIOCore
import Testing
import Webhooks
import Tenancy

@testable import Gateway

/// Every route is described, and what the description says holds together.
@Suite("Route descriptions")
struct RouteDescriptionTests {
    @Test("every route says what it does, what its parameters mean and what success looks like")
    func complete() async throws {
        try await GatewayFixture.run { fixture in
            let routes = RouteCatalogue.described(by: fixture)
            var names: Set<String> = []
            for route in routes {
                #expect(names.insert(OpenAPIDocument.operationID(route)).inserted, "\(route.name): operation id twice")
                #expect(route.summary.count >= 6, "\(route.name) has no summary")
                #expect(route.statuses.contains { $0 < 400 }, "\(route.name) has no status of success")
                for name in route.pathParameters {
                    #expect(PathParameter.named(name) != nil, "\(route.name): PathParameter does not know \(name)")
                }
                for parameter in route.query {
                    #expect(!parameter.summary.isEmpty, "\(route.name): query \(parameter.name) has no summary")
                }
                for field in route.body.fields {
                    #expect(!field.summary.isEmpty, "\(route.name): body \(field.name) has no summary")
                }
                for word in route.errors.flatMap(\.words) {
                    #expect(ErrorCatalogue.entry(word) != nil, "\(route.name): ErrorCatalogue does not know \(word)")
                }
            }
        }
    }

    @Test("every list and map that a body may have says how long it may be, and one more is refused")
    func limits() async throws {
        try await GatewayFixture.run { api in
            let device = try await api.device(of: try await api.tenant())
            try await api.pair(device)
            let webhook = try await api.webhook(of: device)
            /// A value of each list that the route takes.
            let elements = [
                "mentions": "15550001111", "message_ids": "3EB0AA", "events": "message.received", "event_ids": "evt_1",
            ]
            var seen: Set<String> = []
            for route in RouteCatalogue.described(by: api) {
                for field in route.body.fields where field.kind == .strings || field.kind == .object {
                    // The assertion of an authenticator: its members are named, and each is checked.
                    if field.name == "response" { continue }
                    let limit = try #require(field.schema.length?.upperBound, "\(route.name): \(field.name)")
                    let element = elements[field.name] ?? ""
                    func value(_ count: Int) -> JSONValue {
                        field.kind == .strings
                            ? .array((0..<count).map { _ in .string(element) })
                            : .object((0..<count).map { ("X-Own-\($0)", "7") })
                    }
                    let path = route.path.replacing("{chat_jid}", with: "492522798642")
                        .replacing("{message_id}", with: "3EB0AA").replacing("{webhook_id}", with: "\(webhook)")
                    func call(_ count: Int) async throws -> APIAnswer {
                        // What a PATCH leaves out stays; what a replay finds nothing of is no error.
                        var body: [(String, JSONValue)] = [
                            ("text", "hello"), ("chat_jid", "492522798642"), ("sender_jid", "492522798642"),
                            ("url", "http://127.0.0.1:9999/h"), ("since", 0), (field.name, value(count)),
                        ]
                        if field.name == "event_ids" { body.removeAll { $0.0 == "since" } }
                        var writer = JSONWriter()
                        writer.value(.object(body))
                        return try await api.device(
                            device, route.method.rawValue, path, json: String(buffer: writer.buffer))
                    }
                    let fitting = try await call(limit)
                    #expect(fitting.status == 200, "\(route.name), \(field.name): \(fitting.text)")
                    let more = try await call(limit + 1)
                    #expect(more.status == 400, "\(route.name), \(field.name): \(more.text)")
                    #expect(
                        more.message.contains("at most \(limit)") || field.name == "event_ids",
                        "\(route.name), \(field.name): \(more.text)")
                    seen.insert(field.name)
                }
            }
            #expect(seen == Set(elements.keys).union(["headers"]))
        }
    }

    @Test("every example fits its schema")
    func examples() async throws {
        try await GatewayFixture.run { fixture in
            for route in RouteCatalogue.described(by: fixture) {
                func check(_ schema: Schema, _ value: JSONValue, _ where_: String) {
                    for problem in SchemaCheck.problems(value, schema) {
                        Issue.record("\(route.name), \(where_): \(problem)")
                    }
                }
                if let data = route.answer.data { check(data, data.example, "answer") }
                check(route.body.schema, route.body.schema.example, "body")
                for parameter in route.query { check(parameter.schema, parameter.schema.example, parameter.name) }
            }
        }
    }

    @Test(
        "every example of the description as it is served fits the schema beside it, and every reference leads somewhere"
    )
    func servedExamples() async throws {
        try await GatewayFixture.run { fixture in
            let document = OpenAPIDocument(
                routes: RouteCatalogue.described(by: fixture), server: fixture.configuration.server
            ).value
            var check = DescriptionCheck(document)
            check.walk()
            for problem in check.problems.prefix(20) { Issue.record("\(problem)") }
            #expect(check.problems.isEmpty && check.examples > 200)
        }
        var check = DescriptionCheck([
            "paths": [
                "/{a}": [
                    "get": [
                        "parameters": [
                            [
                                "name": "b", "in": "path",
                                "schema": ["type": "string", "pattern": "^[0-9]+$", "examples": ["x"]],
                            ]
                        ], "responses": ["200": ["$ref": "#/nowhere"]],
                    ]
                ]
            ]
        ])
        check.walk()
        #expect(check.problems.count == 3, "\(check.problems)")
    }

    @Test("every header that code of ours adds to an answer is described")
    func headers() async throws {
        try await GatewayFixture.run { fixture in
            let document = OpenAPIDocument(
                routes: RouteCatalogue.described(by: fixture), server: fixture.configuration.server
            ).value
            // Known to every client, or of every answer.
            let known: Set<String> = [
                "Cache-Control", "Connection", "X-Accel-Buffering", "Content-Security-Policy", "ETag",
            ]
            let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "Sources/Gateway")
            var seen = 0
            for case let file as URL in FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
                ?? FileManager.DirectoryEnumerator()
            where file.pathExtension == "swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                for match in text.matches(of: /\.with\("([A-Z][A-Za-z-]+)",|headers\.append\(\("([A-Z][A-Za-z-]+)",/) {
                    let name = String(match.1 ?? match.2 ?? "")
                    seen += 1
                    let described = document["components"]?["headers"]?[name]
                    #expect(known.contains(name) || described != nil, "\(file.lastPathComponent): \(name)")
                }
            }
            #expect(seen > 8)
            // And what is described is of some answer.
            let text = "\(document["paths"] ?? .null)\(document["components"]?["responses"] ?? .null)"
            guard case .object(let described)? = document["components"]?["headers"] else { return }
            for (name, _) in described where name != "X-Cache" { #expect(text.contains("headers/\(name)"), "\(name)") }
        }
    }

    @Test("the check of examples finds what does not fit")
    func checkOfExamples() {
        let schema = Schema.object(
            .init("id", .integer(in: 1...9)), .init("kind", .one(of: "a", "b")), .init("at", .time.orNull),
            .init("names", .list(of: .text(upTo: 3)), optional: true))
        func problems(_ value: JSONValue) -> Int { SchemaCheck.problems(value, schema).count }
        #expect(problems(["id": 1, "kind": "a", "at": nil]) == 0)
        #expect(problems(["id": 1, "kind": "a", "at": "2026-01-02T03:04:05Z", "names": ["abc"]]) == 0)
        #expect(problems(["kind": "a", "at": nil]) == 1)
        #expect(problems(["id": 10, "kind": "c", "at": "yesterday", "names": ["abcd", 4]]) == 5)
        #expect(problems("text") == 1)
    }

    @Test("paths, methods, tiers and statuses of the description are those of the router")
    func document() async throws {
        try await GatewayFixture.run(settings: ["HTTP_BASE_URL": "/api"]) { fixture in
            let answer = try await fixture.gateway.send("GET", "/api/docs/swagger.json")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/json")
            let document = try JSONParser.parse(answer.body)
            #expect(document["openapi"] == "3.1.0")
            #expect(document["servers"] == [["url": "/api"]])
            var described: Set<String> = []
            guard case .object(let paths)? = document["paths"] else {
                Issue.record("no paths")
                return
            }
            for (path, item) in paths {
                guard case .object(let operations) = item else { continue }
                for (method, operation) in operations {
                    described.insert("\(method.uppercased()) \(path)")
                    #expect(operation["responses"]?["500"] != nil)
                }
            }
            #expect(described == Set(fixture.gateway.routeNames))
            guard case .object(let webhooks)? = document["webhooks"] else {
                Issue.record("no webhooks")
                return
            }
            #expect(webhooks.map(\.key) == WebhookEventCatalogue.all.filter(\.isEmitted).map(\.name))
            let body = document["webhooks"]?["message.failed"]?["post"]?["requestBody"]?["content"]
            let data = body?["application/json"]?["schema"]?["properties"]?["data"]
            #expect(data?["required"] == ["message_id", "chat", "error", "wa_code"])
            #expect(data?["properties"]?["wa_code"]?["type"] == ["integer", "null"])
            #expect(document["paths"]?["/admin/stats"]?["get"]?["security"] == [["admin": .array([])]])
            #expect(document["paths"]?["/admin/stats"]?["get"]?["responses"]?["401"] != nil)
        }
    }

    @Test("the YAML form has as many keys and every text of the JSON form")
    func yaml() async throws {
        try await GatewayFixture.run { fixture in
            let json = try JSONParser.parse(try await fixture.gateway.send("GET", "/docs/swagger.json").body)
            let answer = try await fixture.gateway.send("GET", "/docs/swagger.yaml")
            #expect(answer.headers["content-type"] == "application/yaml")
            #expect(BlockYAML.parse(String(decoding: answer.body, as: UTF8.self)) == json)
        }
    }

    @Test("the API browser is served with its own policy, or says what to install")
    func browser() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "swagger-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await GatewayFixture.run(settings: ["DOCS_ASSETS_DIR": folder.path]) { fixture in
            let page = try await fixture.gateway.send("GET", "/docs/index.html")
            #expect(String(decoding: page.body, as: UTF8.self).contains("scripts/bootstrap"))
            #expect(try await fixture.gateway.send("GET", "/docs/swagger-ui.css").status == 404)
            let redirect = try await fixture.gateway.send("GET", "/docs/")
            #expect(redirect.status == 302)
            #expect(redirect.headers["location"] == "/docs/index.html")
        }
        for name in ["swagger-ui.css", "swagger-ui-bundle.js"] {
            try Data("/* \(name) */".utf8).write(to: folder.appending(path: name))
        }
        try await GatewayFixture.run(settings: ["DOCS_ASSETS_DIR": folder.path]) { fixture in
            let page = try await fixture.gateway.send("GET", "/docs/index.html")
            #expect(page.headers["content-security-policy"]?.contains("script-src 'self'") == true)
            #expect(page.headers["content-security-policy"]?.contains("unsafe") == false)
            let style = try await fixture.gateway.send("GET", "/docs/swagger-ui.css")
            #expect(style.status == 200)
            #expect(style.headers["content-type"] == "text/css")
            #expect(try await fixture.gateway.send("GET", "/docs/start.js").status == 200)
            #expect(try await fixture.gateway.send("GET", "/docs/..%2F..%2Fetc%2Fpasswd").status == 404)
        }
    }

    @Test("pages, pictures and what operators ask run on other threads than the loops', what is frequent on the loops")
    func placement() async throws {
        try await GatewayFixture.run { fixture in
            let routes = RouteCatalogue.described(by: fixture)
            for route in routes where route.tier == .admin || route.query.contains(where: { $0.name == "limit" }) {
                #expect(route.isHeavy, "\(route.name)")
            }
            let frequent = ["GET /devices/me", "POST /devices/token", "POST /chats/{chat_jid}/messages"]
            let light = routes.filter { frequent.contains($0.name) }
            #expect(light.count == frequent.count)
            for route in light { #expect(!route.isHeavy, "\(route.name)") }
            let whole = ["GET /messages/{message_id}", "GET /webhook-events/{event_id}", "GET /webhook-events"]
            #expect(routes.filter { whole.contains($0.name) && $0.isHeavy }.count == whole.count)
        }
    }
}

extension RouteCatalogue {
    /// The routes as a gateway over this fixture serves them.
    static func described(by fixture: GatewayFixture) -> [Route] {
        var dependencies = fixture.dependencies
        // Its routes are there beside a sandbox only.
        dependencies.sandbox = SandboxRelay { _, _, _ in SandboxRelay.Reply(status: 200, body: []) }
        return RouteCatalogue(
            dependencies: dependencies, api: fixture.configuration.api, server: fixture.configuration.server,
            uptime: Uptime(), documentation: DocumentationAssets(folder: nil),
            metrics: MetricsPage(fixture.dependencies), readiness: { true }
        ).routes
    }
}

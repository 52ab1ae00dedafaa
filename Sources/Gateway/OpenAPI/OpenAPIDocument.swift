import Tenancy

/// The API description (OpenAPI 3.1), made from the routes that the router runs on.
struct OpenAPIDocument: Sendable {
    private let routes: [Route]
    private let server: ServerSettings

    /// - Parameter routes: Everything that is served.
    init(routes: [Route], server: ServerSettings) {
        self.routes = routes
        self.server = server
    }

    var value: JSONValue {
        [
            "openapi": "3.1.0",
            "info": info,
            "servers": [["url": .string(server.basePath.isEmpty ? "/" : server.basePath)]],
            "tags": tags,
            "paths": paths,
            "webhooks": Self.webhooks,
            "components": components,
        ]
    }

    private var info: JSONValue {
        [
            "title": "Switchboard",
            "version": .string(BuildVersion.text),
            "summary": "A WhatsApp gateway for many customers",
            "description": .string(Self.introduction(server)),
            "license": ["name": "MIT", "identifier": "MIT"],
        ]
    }

    private static func introduction(_ server: ServerSettings) -> String {
        """
        The operator's admin secret makes API keys, an API key makes devices, and a device's token does everything else: \
        link to WhatsApp, send, receive, webhooks.

        Every JSON answer is an envelope: `status`, `code`, `message`, `data`; failures add `error` and a stable word in \
        `data.error_code`. Every answer carries `X-Request-ID`; send one of your own (`[A-Za-z0-9._:-]`, at most 128) to find \
        it again in logs. Keys of request bodies match ignoring case, `_` and `-`; unknown ones are ignored. Bodies may be \
        JSON, forms or multipart. Of a parameter that is repeated the first counts; U+0000 in a text is stored as U+FFFD. Case \
        and a slash at the end make no difference in paths.

        Limits: bodies \(server.bodyLimit) bytes (multipart \(server.mediaBodyLimit)), request line and headers \
        \(HeaderLimit.bytes) bytes, requests per hour as set for the API key. GET routes answer HEAD; a known path with another \
        method answers 405 with `Allow` (the response `MethodNotAllowed`).

        Switchboard is not affiliated with WhatsApp or Meta.
        """
    }

    private var tags: JSONValue {
        var seen: Set<String> = []
        let names = routes.map(Self.tag).filter { seen.insert($0).inserted }
        return .array(names.map { ["name": .string($0)] })
    }

    private var paths: JSONValue {
        var order: [String] = []
        var items: [String: [(key: String, value: JSONValue)]] = [:]
        for route in routes {
            if items[route.path] == nil { order.append(route.path) }
            items[route.path, default: []].append((route.method.rawValue.lowercased(), operation(route)))
        }
        return .object(order.map { ($0, .object(items[$0] ?? [])) })
    }

    private var components: JSONValue {
        var named = SchemaComponents()
        for route in routes {
            if let data = route.answer.data { named.collect(data) }
            named.collect(route.body.schema)
        }
        return [
            "securitySchemes": Self.securitySchemes,
            "parameters": Self.requestHeaders,
            "headers": Self.headers,
            "responses": ["MethodNotAllowed": Self.methodNotAllowed],
            "schemas": .object(named.schemas + [("Failure", Self.failure)]),
        ]
    }

    /// Groups of operations, by what the path is about.
    static func tag(_ route: Route) -> String {
        let segments = route.path.split(separator: "/")
        guard let first = segments.first, !first.hasPrefix("{") else { return "System" }
        switch first {
        case "admin": return "Admin"
        case "devices": return segments.count > 1 && segments[1] == "me" ? "Own device" : "Devices"
        case "health", "ready", "metrics", "favicon.ico", "docs": return "System"
        default: return first.prefix(1).uppercased() + first.dropFirst()
        }
    }

    // MARK: Components

    private static let securitySchemes: JSONValue = [
        "admin": ["type": "apiKey", "in": "header", "name": "X-Admin-Secret"],
        "api-key": ["type": "apiKey", "in": "header", "name": "X-API-Key"],
        "jwt": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
    ]

    /// Headers of requests.
    private static let requestHeaders: JSONValue = [
        "X-Request-ID": parameter(
            "X-Request-ID", "Echoed, and in every line of the log; what does not fit is replaced",
            ["type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"]),
        "Idempotency-Key": parameter(
            "Idempotency-Key", "1 to 128 printable characters; the same key never sends twice",
            ["type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"]),
        "Last-Event-ID": parameter(
            "Last-Event-ID", "Id of the last event that was received; the stream goes on behind it",
            ["type": "string", "maxLength": 128]),
        "Cache-Control": parameter(
            "Cache-Control", "`no-cache` asks anew, `no-store` goes past the cache",
            ["type": "string", "enum": ["no-cache", "no-store"]]),
    ]

    private static func parameter(_ name: String, _ summary: String, _ schema: JSONValue) -> JSONValue {
        [
            "name": .string(name), "in": "header", "required": false, "description": .string(summary),
            "schema": schema,
        ]
    }

    /// Headers of answers.
    private static let headers: JSONValue = .object(
        [
            ("X-Request-ID", "Connects the answer with log lines"),
            ("Retry-After", "Seconds to wait before asking again"),
            ("X-RateLimit-Limit", "Requests in the window"), ("X-RateLimit-Remaining", "Requests left in it"),
            ("X-RateLimit-Reset", "Seconds until it ends"),
            ("X-Next-Cursor", "`cursor` of the next page, if there is one"),
            ("Link", "Query of the next page with `rel=\"next\"`, if there is one"),
            ("X-Cache", "`hit`: an answer of some seconds ago; `miss`: a fresh one"),
            ("Idempotent-Replayed", "`true`: the answer of an earlier request with this `Idempotency-Key`"),
            ("Location", "Where to go on"), ("X-QR-Timeout", "Seconds that the code is valid for"),
            ("WWW-Authenticate", "`Bearer`: the tier's credential"), ("Allow", "Methods of the path"),
            ("Upgrade", "`websocket`"), ("Sec-WebSocket-Accept", "As RFC 6455 says"),
            ("Sec-WebSocket-Protocol", "`switchboard.events`, when it was offered"),
        ].map { ($0.0, ["description": .string($0.1), "schema": ["type": "string"]]) })

    /// Of a known path with another method: belongs to no operation.
    private static let methodNotAllowed: JSONValue = [
        "description": "Failure: `http_method_not_allowed`",
        "headers": [
            "X-Request-ID": ["$ref": "#/components/headers/X-Request-ID"],
            "Allow": ["$ref": "#/components/headers/Allow"],
        ],
        "content": ["application/json": ["schema": ["$ref": "#/components/schemas/Failure"]]],
    ]

    /// The envelope of failures.
    private static let failure: JSONValue = [
        "type": "object",
        "required": ["status", "code", "message", "error"],
        "properties": [
            "status": ["const": false],
            "code": ["type": "integer", "minimum": 400, "maximum": 599],
            "message": ["type": "string"],
            "error": ["type": "string", "description": "As message"],
            "data": [
                "type": "object",
                "properties": [
                    "error_code": ["type": "string"], "retry_after": ["type": "integer"],
                    "field": [
                        "type": "string",
                        "description":
                            "The member, parameter, path part or header it is about; of every `validation_error`",
                    ],
                    "expected": ["type": "string", "description": "What type the field has to be"],
                    "hint": ["type": "string", "description": "What to do, for people"],
                    "wa_code": ["type": "integer", "description": "Number that WhatsApp gave"],
                ],
            ],
        ],
    ]
}

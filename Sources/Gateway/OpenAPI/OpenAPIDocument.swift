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
        JSON, forms or multipart.

        Limits: bodies \(server.bodyLimit) bytes (multipart \(server.mediaBodyLimit)), request line and headers \
        \(HeaderLimit.bytes) bytes, requests per hour as set for the API key. GET routes answer HEAD; a known path with another \
        method answers 405 with `Allow`.

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
            if let data = route.answer?.data { named.collect(data) }
            named.collect(route.body.schema)
        }
        return [
            "securitySchemes": Self.securitySchemes,
            "headers": Self.headers,
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

    private static let headers: JSONValue = [
        "X-Request-ID": [
            "description": "Connects the answer with log lines", "schema": ["type": "string"],
        ],
        "Retry-After": [
            "description": "Seconds to wait before asking again", "schema": ["type": "string"],
        ],
        "X-RateLimit-Limit": ["description": "Requests in the window", "schema": ["type": "string"]],
        "X-RateLimit-Remaining": ["description": "Requests left in it", "schema": ["type": "string"]],
        "X-RateLimit-Reset": ["description": "Seconds until it ends", "schema": ["type": "string"]],
        "X-Next-Cursor": ["description": "`cursor` of the next page, if there is one", "schema": ["type": "string"]],
        "Allow": ["description": "Methods of the path", "schema": ["type": "string"]],
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
                    "field": ["type": "string", "description": "The member or parameter it is about"],
                    "wa_code": ["type": "integer", "description": "Number that WhatsApp gave"],
                ],
            ],
        ],
    ]
}

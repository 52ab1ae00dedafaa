// One operation of the API description, from one route.

extension OpenAPIDocument {
    func operation(_ route: Route) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = [
            ("tags", [.string(Self.tag(route))]),
            ("summary", .string(route.summary)),
            ("description", .string(Self.description(route))),
            ("operationId", .string(Self.operationID(route))),
            ("security", Self.security(route.tier)),
        ]
        let parameters = Self.parameters(route)
        if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
        if !route.body.fields.isEmpty { members.append(("requestBody", Self.requestBody(route))) }
        members.append(("responses", .object(Self.responses(route))))
        if let number = route.number { members.append(("x-endpoint-number", .string(number))) }
        return .object(members)
    }

    /// `post_chats_chat_jid_messages`.
    static func operationID(_ route: Route) -> String {
        let words = route.path.split(whereSeparator: { !$0.isASCII || !($0.isLetter || $0.isNumber) })
        return ([route.method.rawValue.lowercased()] + words.map(String.init)).joined(separator: "_")
    }

    private static func description(_ route: Route) -> String {
        var sentences = [route.details.isEmpty ? route.summary + "." : route.details]
        switch route.tier {
        case .none: break
        case .admin: sentences.append("For the operator: `X-Admin-Secret`.")
        case .apiKey: sentences.append("For a customer: `X-API-Key`.")
        case .device: sentences.append("For a device: its token.")
        }
        if case .lenient = route.body {
            sentences.append("A body that cannot be read counts as empty; a member of a wrong type is 400.")
        }
        if route.isWaiting { sentences.append("Waits for WhatsApp, at most `HTTP_REQUEST_TIMEOUT`.") }
        if route.isIdempotent {
            sentences.append("A repeated `Idempotency-Key` gets the first answer again, for 24 hours.")
        }
        if route.isCacheable {
            sentences.append("Answers may be some seconds old; `Cache-Control: no-cache` asks anew.")
        }
        return sentences.joined(separator: " ")
    }

    private static func security(_ tier: Route.Tier) -> JSONValue {
        tier == .none ? .array([]) : .array([.object([(tier.rawValue, .array([]))])])
    }

    private static func parameters(_ route: Route) -> [JSONValue] {
        var parameters: [JSONValue] = route.pathParameters.map { name in
            let known = PathParameter.named(name)
            return [
                "name": .string(name), "in": "path", "required": true,
                "description": .string(known?.summary ?? name), "schema": (known?.schema ?? .string).openAPI,
            ]
        }
        parameters += route.query.map { parameter in
            [
                "name": .string(parameter.name), "in": "query", "required": false,
                "description": .string(parameter.description), "schema": parameter.schema.openAPI,
            ]
        }
        return parameters + requestHeaders(route).map { ["$ref": .string("#/components/parameters/\($0)")] }
    }

    /// Names of the components in `parameters`.
    private static func requestHeaders(_ route: Route) -> [String] {
        var names = ["X-Request-ID"]
        if route.isIdempotent { names.append("Idempotency-Key") }
        if route.isCacheable { names.append("Cache-Control") }
        if route.query.contains(where: { $0.name == "last_event_id" }) { names.append("Last-Event-ID") }
        return names
    }

    private static func requestBody(_ route: Route) -> JSONValue {
        let schema = route.body.schema
        let media: JSONValue = ["schema": schema.openAPI, "example": schema.example]
        return [
            "required": .bool(route.body.fields.contains { $0.isRequired }),
            "content": [
                "application/json": media, "application/x-www-form-urlencoded": ["schema": schema.openAPI],
                "multipart/form-data": ["schema": schema.openAPI],
            ],
        ]
    }

    // MARK: Responses

    /// Every status the route may answer.
    static func statuses(_ route: Route) -> [Int] {
        var statuses = Set(route.statuses).union([400, 431, 500])
        if route.tier != .none { statuses.formUnion([401, 429, 503]) }
        if !route.path.hasPrefix("/health"), route.path != "/" { statuses.insert(503) }
        switch route.body {
        case .none: break
        case .lenient: statuses.formUnion([408])
        case .fields: statuses.formUnion([408, 415])
        }
        statuses.insert(413)
        if route.isWaiting { statuses.insert(504) }
        if route.isIdempotent { statuses.insert(409) }
        for word in route.errors.flatMap(\.words) { statuses.formUnion(ErrorCatalogue.entry(word)?.statuses ?? []) }
        return statuses.sorted()
    }

    private static func responses(_ route: Route) -> [(key: String, value: JSONValue)] {
        statuses(route).map { status in
            ("\(status)", status < 400 ? success(route, status) : failure(route, status))
        }
    }

    private static func success(_ route: Route, _ status: Int) -> JSONValue {
        let answer = route.answer
        var content: [(key: String, value: JSONValue)] = []
        if let message = answer.message { content.append(("application/json", envelope(message, status, answer.data))) }
        for type in answer.media { content.append((type, Self.isDocument(type) ? [:] : mediaType)) }
        var members: [(key: String, value: JSONValue)] = [
            ("description", .string(answer.message ?? (content.isEmpty ? "No content" : "Success"))),
            ("headers", .object(successHeaders(route, status))),
        ]
        if !content.isEmpty { members.append(("content", .object(content))) }
        return .object(members)
    }

    /// Readers take these apart: their content is no text to them.
    private static func isDocument(_ type: String) -> Bool { type.hasSuffix("json") || type.hasSuffix("yaml") }

    private static let mediaType: JSONValue = ["schema": ["type": "string"]]

    private static func envelope(_ message: String, _ status: Int, _ data: Schema?) -> JSONValue {
        var properties: [(key: String, value: JSONValue)] = [
            ("status", ["const": true]), ("code", ["const": .integer(Int64(status))]), ("message", ["type": "string"]),
        ]
        var example: [(key: String, value: JSONValue)] = [
            ("status", true), ("code", .integer(Int64(status))), ("message", .string(message)),
        ]
        if let data {
            properties.append(("data", data.openAPI))
            example.append(("data", data.example))
        }
        return [
            "schema": [
                "type": "object", "required": ["status", "code", "message"], "properties": .object(properties),
            ],
            "example": .object(example),
        ]
    }

    private static func successHeaders(_ route: Route, _ status: Int) -> [(key: String, value: JSONValue)] {
        var names = ["X-Request-ID"]
        if route.query.contains(where: { $0.name == "cursor" }) { names += ["X-Next-Cursor", "Link"] }
        if RequestLimits.countsTokens(route) { names += rateLimit }
        if route.isCacheable { names.append("X-Cache") }
        if route.isIdempotent { names.append("Idempotent-Replayed") }
        if status == 101 { names += ["Upgrade", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"] }
        return (names + route.answer.headers).map(header)
    }

    private static let rateLimit = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]

    private static func failureHeaders(_ route: Route, _ status: Int) -> [(key: String, value: JSONValue)] {
        var names = ["X-Request-ID"]
        switch status {
        case 401: if route.tier == .device { names.append("WWW-Authenticate") }
        case 426: names.append("Upgrade")
        case 429, 503: names.append("Retry-After")
        default: break
        }
        let isLimited = status == 429 && (route.tier == .apiKey || route.tier == .device)
        if isLimited || RequestLimits.countsTokens(route) && [400, 401, 429].contains(status) { names += rateLimit }
        return names.map(header)
    }

    private static func header(_ name: String) -> (key: String, value: JSONValue) {
        (name, ["$ref": .string("#/components/headers/\(name)")])
    }

    /// Where a route names errors of this status, they are listed; else all of the catalogue that can be meant.
    private static func failure(_ route: Route, _ status: Int) -> JSONValue {
        let named = route.errors.flatMap(\.words).compactMap(ErrorCatalogue.entry)
            .filter { $0.statuses.contains(status) }
        let entries = named.isEmpty ? ErrorCatalogue.entries(status: status) : named + general(status)
        var media: [(key: String, value: JSONValue)] = [("schema", ["$ref": "#/components/schemas/Failure"])]
        if let first = entries.first {
            media.append(("example", example(first, status: status)))
        }
        let words = entries.map { "`\($0.word)`" }.joined(separator: ", ")
        var content: [(key: String, value: JSONValue)] = [("application/json", .object(media))]
        // Routes whose success is plain text fail in plain text too.
        if route.answer.message == nil {
            content += route.answer.media.filter { $0.hasPrefix("text/plain") }.map { ($0, mediaType) }
        }
        return [
            "description": .string(words.isEmpty ? "Failure" : "Failure: " + words),
            "headers": .object(failureHeaders(route, status)),
            "content": .object(content),
        ]
    }

    private static func general(_ status: Int) -> [ErrorCatalogue.Entry] {
        let words =
            switch status {
            case 400: ["validation_error", "http_bad_request"]
            case 404: ["not_found"]
            case 429: ["http_rate_limited"]
            case 503: ["http_unavailable", "database_unavailable"]
            default: [String]()
            }
        return words.compactMap(ErrorCatalogue.entry)
    }

    private static func example(_ entry: ErrorCatalogue.Entry, status: Int) -> JSONValue {
        [
            "status": false, "code": .integer(Int64(status)), "message": .string(entry.message),
            "data": ["error_code": .string(entry.word)], "error": .string(entry.message),
        ]
    }
}

/// One operation of the API: everything about it that is not its code stands here, and router, authentication, body
/// reading, `/docs/swagger.json` and the metrics' labels are made from it.
///
/// How to describe a route (`RouteDescriptionTests` fails without it):
///
///     Route(
///         .post, "/webhooks/{webhook_id}/replay", .device, "Deliver events again",
///         details: "Only when there is more to say than the summary does.",
///         query: [.init("since", .time, "Unix seconds or RFC 3339")],
///         body: .fields([.init("limit", .integer, "Events at most", example: 100, range: 1...1000)], parseError: "…"),
///         answer: .data("replay started", .object(.init("queued", .integer.example(12)))),
///         errors: [.session, "webhook_disabled"], statuses: [200, 404]) { call in … }
///
/// - `answer` is what success looks like: `.data("OK text", schema)`, `.message("OK text")` without data,
///   `.media("image/png")`, `.empty`; its status is the first 2xx of `statuses`. Schemas that several routes share are
///   statics of `Schema` with `.named("Device")`, beside the `JSONWriter` extension that writes them.
/// - `statuses` and `errors` are what else it may answer, beside what the tier, the parameters and the body bring with
///   them (400, 401, 413, 429, 500, 503 …). `errors` takes groups (`.session`, `.whatsApp`) and words of the catalogue.
/// - A new error word is a line in `ErrorCatalogue`; a new path parameter one in `PathParameter`.
struct Route: Sendable {
    enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    /// Who may call (10-rest-api, section 3.1).
    enum Tier: String, Sendable {
        case none
        case admin
        case apiKey = "api-key"
        case device = "jwt"
    }

    let method: Method
    /// `/chats/{chat_jid}/messages`, without the base path.
    let path: String
    let tier: Tier
    /// Number in the endpoint table, for instance `17`; nil for additions of our own.
    let number: String?
    let summary: String
    /// More than the summary says, or empty.
    let details: String
    let query: [Parameter]
    let body: Body
    /// What success looks like.
    let answer: Success
    /// Failures beside those that tier, parameters and body bring with them.
    let errors: [ErrorGroup]
    /// Statuses it may answer beside those of its tier.
    let statuses: [Int]
    /// Takes an `Idempotency-Key`.
    let isIdempotent: Bool
    /// GET answers may come from the response cache (10-rest-api, section 2.7).
    let isCacheable: Bool
    /// Waits for WhatsApp: runs under the request's deadline.
    let isWaiting: Bool
    /// Answers may be large though they are about one thing: they are made on other threads than the sockets'.
    let isLarge: Bool
    let handler: @Sendable (Call) async throws -> Answer

    init(
        _ method: Method, _ path: String, _ tier: Tier, number: String? = nil, _ summary: String, details: String = "",
        query: [Parameter] = [], body: Body = .none, answer: Success, errors: [ErrorGroup] = [],
        statuses: [Int] = [200], idempotent: Bool = false, cacheable: Bool = false, waits: Bool = false,
        large: Bool = false,
        handler: @escaping @Sendable (Call) async throws -> Answer
    ) {
        self.method = method
        self.path = path
        self.tier = tier
        self.number = number
        self.summary = summary
        self.details = details
        self.query = query
        self.body = body
        self.answer = answer
        self.errors = errors
        self.statuses = statuses
        isIdempotent = idempotent
        isCacheable = cacheable
        isWaiting = waits
        isLarge = large
        self.handler = handler
    }

    /// For logs and metrics: method and pattern, never the path itself.
    var name: String { "\(method.rawValue) \(path)" }

    /// Names of the parameters of the path, in order.
    var pathParameters: [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// The status of success.
    var successStatus: Int { statuses.first { (200..<300).contains($0) } ?? 200 }
}

/// One operation of the API: everything about it that is not its code stands here, and router, authentication, body
/// reading and documentation are made from it.
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

    /// A parameter of the query.
    struct Parameter: Sendable {
        enum Kind: String, Sendable { case string, integer, boolean, time }

        let name: String
        let kind: Kind
        let summary: String

        init(_ name: String, _ summary: String) { self.init(name, .string, summary) }

        init(_ name: String, _ kind: Kind, _ summary: String) {
            self.name = name
            self.kind = kind
            self.summary = summary
        }
    }

    /// A member of the body.
    struct Field: Sendable {
        enum Kind: String, Sendable {
            case string, integer, boolean, strings, object
        }

        let name: String
        let kind: Kind
        let isRequired: Bool
        let summary: String

        init(_ name: String, required: Bool = false, _ summary: String) {
            self.init(name, .string, required: required, summary)
        }

        init(_ name: String, _ kind: Kind, required: Bool = false, _ summary: String) {
            self.name = name
            self.kind = kind
            isRequired = required
            self.summary = summary
        }
    }

    /// What is done with the body.
    enum Body: Sendable {
        /// Not looked at.
        case none
        /// Read; a body that cannot be parsed counts as empty.
        case lenient([Field])
        /// Read; the words are the answer to a body that cannot be parsed (10-rest-api, section 5.2, `invalid_body`).
        case fields([Field], parseError: String)

        var fields: [Field] {
            switch self {
            case .none: []
            case .lenient(let fields), .fields(let fields, _): fields
            }
        }
    }

    /// Largest body that is read.
    enum BodyLimit: Sendable { case standard, media }

    let method: Method
    /// `/chats/{chat_jid}/messages`, without the base path.
    let path: String
    let tier: Tier
    /// Number in the endpoint table, for instance `17`; nil for additions of our own.
    let number: String?
    let summary: String
    let query: [Parameter]
    let body: Body
    /// Statuses it may answer beside those of its tier.
    let statuses: [Int]
    /// Waits for WhatsApp: runs under the request's deadline.
    let isWaiting: Bool
    let handler: @Sendable (Call) async throws -> Answer

    init(
        _ method: Method, _ path: String, _ tier: Tier, number: String? = nil, _ summary: String,
        query: [Parameter] = [], body: Body = .none, statuses: [Int] = [200], waits: Bool = false,
        handler: @escaping @Sendable (Call) async throws -> Answer
    ) {
        self.method = method
        self.path = path
        self.tier = tier
        self.number = number
        self.summary = summary
        self.query = query
        self.body = body
        self.statuses = statuses
        isWaiting = waits
        self.handler = handler
    }

    /// For logs and metrics: method and pattern, never the path itself.
    var name: String { "\(method.rawValue) \(path)" }
}

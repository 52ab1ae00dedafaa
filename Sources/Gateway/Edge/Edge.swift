import AdminAuth
import Cryptography
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Tenancy

/// The outer shell of the API: request id, routing, authentication, limits, body, handler, envelope
/// (10-rest-api, section 2.4, order of the middleware).
struct Edge: HTTPResponder {
    typealias Context = EdgeContext

    let tree: RouteTree
    private let authenticator: Authenticator
    private let limits: RequestLimits
    private let clients: ClientAddress
    private let cors: CORSPolicy
    private let gzip: Gzip
    private let bodyLimit: Int
    private let mediaBodyLimit: Int
    private let deadline: Duration
    private let statusMode: APISettings.ErrorStatusMode
    private let drain: DrainState
    private let connections: OpenConnections?
    let accessLog: Logger
    private let audit: AuditLog
    let metrics: RequestMetrics
    private let cache: ResponseCache
    private let now: @Sendable () -> Int64
    /// Nil where there are no other nodes to forward to.
    let cluster: EdgeCluster?
    let forwardLimit: Duration

    /// - Parameters:
    ///   - drain: Refuses new requests while the process shuts down.
    ///   - connections: Hear which of them showed a valid credential.
    ///   - now: Unix seconds.
    init(
        routes: [Route], authenticator: Authenticator, limits: RequestLimits, server: ServerSettings, api: APISettings,
        drain: DrainState, audit: AuditLog, metrics: MetricsRegistry, logger: Logger, cluster: EdgeCluster? = nil,
        connections: OpenConnections? = nil, now: @escaping @Sendable () -> Int64
    ) {
        tree = RouteTree(routes, basePath: server.basePath)
        self.authenticator = authenticator
        self.limits = limits
        clients = ClientAddress(trusted: server.trustedProxies)
        cors = CORSPolicy(origins: server.corsOrigins)
        gzip = Gzip(level: server.gzipLevel)
        bodyLimit = server.bodyLimit
        mediaBodyLimit = server.mediaBodyLimit
        deadline = server.requestTimeout
        statusMode = api.errorStatusMode
        self.drain = drain
        self.connections = connections
        accessLog = logger
        self.audit = audit
        self.metrics = RequestMetrics(metrics)
        cache = ResponseCache(seconds: server.cacheSeconds)
        self.cluster = cluster
        forwardLimit = server.requestTimeout
        self.now = now
    }

    /// Answers a request.
    ///
    /// - Parameter executor: Where it runs; nil: on the pool's threads.
    func answer(
        _ request: Request, _ match: RouteTree.Match, _ context: EdgeContext, on executor: LoopExecutor?
    ) async throws -> Response {
        let started = ContinuousClock.now
        var requestID = RequestID.choose(request.headers[.requestID])
        var fields = EdgeHeaders.base
        fields[.requestID] = requestID
        let target = request.head.path ?? ""
        let queryStart = target.firstIndex(of: "?") ?? target.endIndex
        let path = target[..<queryStart]
        let query = queryStart < target.endIndex ? target[target.index(after: queryStart)...] : nil
        let method = request.method.rawValue
        var client = clients.resolve(remote: context.remoteAddress, request.headers)
        if drain.isDraining || !target.hasPrefix("/") { fields[.connection] = "close" }

        if method == "OPTIONS", target.hasPrefix("/"), CORSPolicy.isPreflight(request.headers) {
            cors.applyPreflight(to: &fields, origin: request.headers[.origin])
            fields[.contentType] = nil
            let response = Response(status: .noContent, headers: fields)
            metrics.began()
            finish("OPTIONS preflight", response, method, nil, client: client, requestID: requestID, since: started)
            return response
        }
        cors.apply(to: &fields, origin: request.headers[.origin])

        var routeName = "-"
        var identity: Call.Identity?
        var answer: Answer
        metrics.began()
        do {
            let (route, parameters) = try find(match, method, path, target: target, headers: request.headers)
            routeName = route.name
            let forwarded = try forwardedIdentity(of: request)
            if let forwarded {
                (requestID, client) = (forwarded.requestID, forwarded.client)
                fields[.requestID] = requestID
            }
            let arrival = Arrival(
                request: request, query: query, client: client, requestID: requestID, executor: executor,
                channel: context.channel, forwarded: forwarded)
            answer = try await handle(route, parameters, arrival, fields: &fields, identity: &identity)
            if case .webSocket(let serve) = answer.content, let channel = context.channel {
                guard await WebSocketUpgrader.expect(serve, on: channel) else { throw APIError.upgradeRequired }
            }
        } catch {
            answer = failure(error, requestID: requestID, route: routeName)
        }
        let response = render(answer, fields: fields, request: request, path: path)
        if let identity, routeName.isAudited(identity) {
            record(
                routeName, identity, status: answer.status, AuditOrigin(client: client, requestID: requestID))
        }
        finish(routeName, response, method, identity, client: client, requestID: requestID, since: started)
        return response
    }

    // MARK: Steps

    private func find(
        _ match: RouteTree.Match, _ method: String, _ path: Substring, target: String, headers: HTTPFields
    ) throws -> (Route, PathParameters) {
        // What stands before the first slash would be lost in routing and become part of an address when forwarded.
        guard target.hasPrefix("/") else {
            throw RequestFraming.Refusal(rawValue: target)?.failure ?? APIError.badRequest
        }
        // Request line and headers together: 10-rest-api, section 2.8.
        let length = headers.reduce(target.utf8.count + 16) {
            $0 + $1.name.rawName.utf8.count + $1.value.utf8.count + 4
        }
        if length > HeaderLimit.bytes { throw APIError.headersTooLarge }
        switch match {
        case .route(let route, let parameters): return (route, parameters)
        case .malformedPath: throw APIError.badRequest
        case .unknownPath: throw APIError.notFound("Cannot \(method) \(PercentCoding.escapedHTML(path))")
        case .wrongMethod(let allowed):
            var error = APIError.methodNotAllowed
            error.headers.append(("Allow", allowed.joined(separator: ", ")))
            throw error
        }
    }

    /// A request and where it comes from.
    private struct Arrival {
        let request: Request
        let query: Substring?
        /// Address of the caller.
        let client: String
        let requestID: String
        /// Where it runs; nil: on the pool's threads.
        let executor: LoopExecutor?
        /// The connection; nil for requests of the process itself.
        let channel: (any Channel)?
        /// Set when another node took it.
        let forwarded: ClusterIdentity?
    }

    private func handle(
        _ route: Route, _ parameters: PathParameters, _ arrival: Arrival, fields: inout HTTPFields,
        identity known: inout Call.Identity?
    ) async throws -> Answer {
        let (request, client, forwarded) = (arrival.request, arrival.client, arrival.forwarded)
        if drain.isRefusing, !route.path.hasPrefix("/health"), route.path != "/" {
            throw forwarded == nil ? APIError.shuttingDown : APIError.shuttingDown.missed
        }
        let time = now()
        let limit = bodyLimit(of: request)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw APIError.bodyTooLarge
        }
        let identity: Call.Identity
        if let forwarded {
            // Limits and the audit line of the operator are the business of the node that took the request.
            identity = try forwarded.identity(for: route.tier)
        } else {
            let network = AddressBlock.network(of: client)
            if let standing = limits.checkBeforeAuthentication(route, client: network, now: time) {
                Self.apply(standing, to: &fields)
                if standing.isExceeded { throw APIError.tooManyTokenRequests(standing) }
            }
            identity = try authenticate(route, request.headers, client: network, now: time)
            known = identity
            if let standing = limits.checkTenant(identity, now: time), standing.isExceeded {
                Self.apply(standing, to: &fields)
                throw APIError.tooManyRequests("Rate limit exceeded", retryAfter: standing.resetAfter)
            }
        }
        if forwarded != nil || identity.isProven, let channel = arrival.channel { connections?.prove(channel) }
        let (body, bytes) = try await readBody(route, request, limit: limit, on: arrival.executor)
        if let forwarded { try forwarded.check(body: bytes, of: route) }
        let key = try idempotencyKey(request.headers)
        let call = Call(
            route: route, parameters: parameters, query: try Query(arrival.query, declared: route.query),
            body: body.declaring(route.body.fields), identity: identity,
            requestID: arrival.requestID, client: client, accept: request.headers[.accept] ?? "", idempotencyKey: key,
            fingerprint: key == nil ? [] : fingerprint(request, bytes), lastEventID: request.headers[.lastEventID],
            webSocket: try WebSocketHandshake(request.headers),
            logger: RequestLog.logger(accessLog, requestID: arrival.requestID, identity))
        return try await cached(call, ResponseCache.wish(request.headers)) {
            try await Deadline.run(deadline, on: arrival.executor) {
                try await self.run(call, request, bytes, forwarded: forwarded)
            }
        }
    }

    /// The handler's answer, or one of some seconds ago where the route allows that.
    private func cached(
        _ call: Call, _ wish: ResponseCache.Wish, _ run: () async throws -> Answer
    ) async throws -> Answer {
        guard case .device(let device, _) = call.identity else { return try await run() }
        guard call.route.isCacheable, cache.isOn, wish != .unstored else {
            // Also when it fails: it may have changed something before.
            defer { if call.route.method != .get { cache.drop(did: device.did) } }
            return try await run()
        }
        let key = ResponseCache.Key(
            did: device.did, route: call.route.name, parameters: call.parameters.values, query: call.query.normalized)
        if wish == .cached, let known = cache.answer(for: key) { return known }
        return cache.keep(try await run(), for: key)
    }

    private func authenticate(
        _ route: Route, _ headers: HTTPFields, client: String, now: Int64
    ) throws -> Call.Identity {
        do {
            switch route.tier {
            case .none: return .anonymous
            case .admin:
                try authenticator.authenticateAdmin(headers[.adminSecret], client: client, now: now)
                return .admin
            case .apiKey:
                return .tenant(try authenticator.authenticateTenant(headers[.apiKey], client: client, now: now))
            case .device:
                let header = headers[.authorization] ?? WebSocketHandshake.authorization(in: headers)
                let caller = try authenticator.authenticateDevice(header, client: client, now: now)
                return .device(caller.device, caller.tenant)
            }
        } catch {
            throw APIError(error, tier: route.tier)
        }
    }

    private func readBody(
        _ route: Route, _ request: Request, limit: Int, on executor: LoopExecutor?
    ) async throws -> (BodyFields, [UInt8]) {
        let type = request.headers[.contentType]
        switch route.body {
        case .none:
            return (.empty(parseError: .badRequest), [])
        case .lenient:
            let bytes = try await BodyReader.read(request, limit: limit, on: executor)
            let error = APIError(400, "invalid_body", "Invalid request body")
            return (
                (try? BodyParser.parse(bytes, contentType: type, parseError: error)) ?? .empty(parseError: error), bytes
            )
        case .fields(_, let message):
            let bytes = try await BodyReader.read(request, limit: limit, on: executor)
            let error = APIError(400, "invalid_body", message)
            return (try BodyParser.parse(bytes, contentType: type, parseError: error), bytes)
        }
    }

    private func bodyLimit(of request: Request) -> Int {
        request.headers[.contentType]?.lowercased().hasPrefix("multipart/") == true ? mediaBodyLimit : bodyLimit
    }

    private func idempotencyKey(_ headers: HTTPFields) throws -> String? {
        guard let key = headers[.idempotencyKey] else { return nil }
        guard (1...128).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw APIError.validation("Idempotency-Key must be 1 to 128 printable characters", field: "Idempotency-Key")
        }
        return key
    }

    private func fingerprint(_ request: Request, _ body: [UInt8]) -> [UInt8] {
        SHA256Digest.hash(Bytes("\(request.method.rawValue) \(request.head.path ?? "")\n".utf8) + body)
    }

    private static func apply(_ standing: AttemptLimiter.Standing, to fields: inout HTTPFields) {
        fields[.rateLimitLimit] = String(standing.limit)
        fields[.rateLimitRemaining] = String(standing.remaining)
        fields[.rateLimitReset] = String(standing.resetAfter)
    }

    // MARK: Answers

    private func failure(_ error: any Error, requestID: String, route: String) -> Answer {
        let failure = APIError(any: error)
        if failure.status == 500 {
            accessLog.error(
                "request failed", metadata: ["request_id": "\(requestID)", "route": "\(route)", "error": "\(error)"])
        }
        let status = statusMode == .reference && failure.isServerErrorInReference ? 500 : failure.status
        var answer = Answer(
            status: status,
            content: .body(Envelope.failure(failure, status: status), contentType: "application/json"))
        if let seconds = failure.retryAfter { answer.headers.append(("Retry-After", String(seconds))) }
        answer.headers += failure.headers
        return answer
    }

    private func render(_ answer: Answer, fields: HTTPFields, request: Request, path: Substring) -> Response {
        var fields = fields
        for (name, value) in answer.headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        let status = HTTPResponse.Status(code: answer.status)
        var body: ByteBuffer
        switch answer.content {
        case .envelope(let message, let data):
            body = Envelope.success(status: answer.status, message: message, data: data)
        case .body(let buffer, let contentType):
            body = buffer
            if contentType != "application/json" { fields[.contentType] = contentType }
            if contentType.hasPrefix("text/html"), fields[.contentSecurityPolicy] == nil {
                fields[.contentSecurityPolicy] = ContentSecurity.page
            }
        case .stream(let contentType, let produce):
            fields[.contentType] = contentType
            if request.method == .head { return Response(status: status, headers: fields) }
            return Response(status: status, headers: fields, body: .pieces(produce))
        case .none, .webSocket:
            fields[.contentType] = nil
            return Response(status: status, headers: fields)
        }
        if gzip.applies(
            length: body.readableBytes, contentType: fields[.contentType],
            acceptEncoding: request.headers[.acceptEncoding], path: path), let compressed = gzip.compress(body)
        {
            body = compressed
            fields[.contentEncoding] = "gzip"
            fields[.vary] = fields[.vary].map { $0 + ", Accept-Encoding" } ?? "Accept-Encoding"
        }
        if request.method == .head {
            fields[.contentLength] = String(body.readableBytes)
            return Response(status: status, headers: fields)
        }
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: body))
    }

    /// Calls that change something, and every call of the operator, leave a line (10-rest-api, section 3.2); the answer
    /// does not wait for it.
    private func record(_ route: String, _ identity: Call.Identity, status: Int, _ origin: AuditOrigin) {
        let audit = self.audit
        Task {
            switch identity {
            case .anonymous: break
            case .admin:
                await audit.record("admin.request", by: "admin", from: origin, target: route, result: "\(status)")
            case .tenant(let tenant):
                await audit.record(
                    "tenant.request", by: "api_key:\(tenant.id)", from: origin, tenantID: tenant.id, target: route,
                    result: "\(status)")
            case .device(let device, _):
                await audit.record(
                    "device.request", by: "device", from: origin, tenantID: device.tenantID, deviceID: device.deviceID,
                    target: route, result: "\(status)")
            }
        }
    }
}

enum HeaderLimit {
    static let bytes = 8192
}

extension String {
    /// Whether calls of the route with this name are recorded: all of the operator, and what customers change in keys,
    /// devices, links and webhooks. Messages are not: they have rows of their own.
    fileprivate func isAudited(_ identity: Call.Identity) -> Bool {
        switch identity {
        case .anonymous: false
        case .admin: true
        case .tenant: !hasPrefix("GET ")
        case .device: !hasPrefix("GET ") && (contains(" /devices/me") || contains(" /webhooks"))
        }
    }
}

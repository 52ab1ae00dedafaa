import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Tenancy

/// The API without a listener: requests go through the same shell and routes. For tests, and for parts of the process that
/// call the API themselves.
package struct InProcessGateway: Sendable {
    package struct Answer: Sendable {
        package let status: Int
        /// Header names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]
    }

    private let edge: Edge
    private let logger: Logger

    /// Method and path pattern of every route, `GET /devices/me`.
    package let routeNames: [String]

    /// - Parameter now: Unix seconds.
    package init(
        _ dependencies: GatewayDependencies, configuration: SwitchboardConfiguration,
        isReady: @escaping @Sendable () async -> Bool = { true }, now: @escaping @Sendable () -> Int64
    ) {
        let catalogue = RouteCatalogue(
            dependencies: dependencies, api: configuration.api, server: configuration.server, uptime: Uptime(),
            documentation: DocumentationAssets(folder: configuration.api.documentationFolder),
            metrics: MetricsPage(dependencies), readiness: isReady)
        let routes = catalogue.routes
        routeNames = routes.map(\.name)
        edge = Edge(
            routes: routes, authenticator: dependencies.authenticator,
            limits: RequestLimits(tenants: dependencies.tenantUsage), server: configuration.server,
            api: configuration.api, drain: DrainState(), audit: dependencies.audit, metrics: dependencies.metrics,
            logger: dependencies.logger,
            now: now)
        logger = dependencies.logger
    }

    /// - Parameters:
    ///   - target: Path and query as they stand in the request line.
    ///   - client: Text of the address that the request comes from.
    package func send(
        _ method: String, _ target: String, headers: [String: String] = [:], body: [UInt8] = [],
        client: String = "127.0.0.1"
    ) async throws -> Answer {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        let head = HTTPRequest(
            method: HTTPRequest.Method(method) ?? .get, scheme: "http", authority: "localhost", path: target,
            headerFields: fields)
        let request = Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let response = try await edge.respond(to: request, context: EdgeContext(remoteAddress: client, logger: logger))
        let collector = Collector()
        try await response.body.write(collector)
        return Answer(
            status: response.status.code,
            headers: Dictionary(response.headers.map { ($0.name.canonicalName, $0.value) }) { $0 + ", " + $1 },
            body: collector.bytes)
    }
}

/// Gathers the pieces of a body.
private final class Collector: ResponseBodyWriter {
    private(set) var bytes: [UInt8] = []

    func write(_ buffer: ByteBuffer) async throws { bytes.append(contentsOf: buffer.readableBytesView) }
    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

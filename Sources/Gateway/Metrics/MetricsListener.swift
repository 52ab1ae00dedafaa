import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Tenancy

/// `/metrics` on a listener of its own, without credentials: for networks where only the monitoring can reach it
/// (`METRICS_ADDRESS`; 13-configuration, section 13).
struct MetricsListener: HTTPResponder {
    typealias Context = EdgeContext

    let page: MetricsPage
    let readiness: @Sendable () async -> Bool

    func respond(to request: Request, context: EdgeContext) async throws -> Response {
        guard request.method == .get || request.method == .head, request.uri.path == "/metrics" else {
            return Response(status: .notFound, headers: [.contentType: "text/plain"])
        }
        let body = await page.render(isReady: await readiness())
        return Response(
            status: .ok, headers: [.contentType: RouteCatalogue.metricsContentType],
            body: request.method == .head ? ResponseBody() : ResponseBody(byteBuffer: body))
    }

    /// Serves until the task is cancelled.
    ///
    /// - Parameters:
    ///   - address: `host:port`; port 0 takes any free one.
    ///   - isBound: Called with the port once it is open.
    func run(
        at address: String, eventLoops: any EventLoopGroup, logger: Logger,
        isBound: @escaping @Sendable (Int) async -> Void = { _ in }
    ) async {
        guard let (host, port) = ListenerText.parse(address) else { return }
        let application = Application(
            responder: self, server: .http1(),
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("listening for metrics", metadata: ["address": "\(host)", "port": "\(port)"])
                await isBound(port)
            },
            eventLoopGroupProvider: .shared(eventLoops), logger: logger)
        // Ended gracefully: a listener that is cancelled while it holds a connection that nobody took yet ends the process.
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: application, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: logger))
        do {
            try await withTaskCancellationHandler {
                try await Task { try await services.run() }.value
            } onCancel: {
                Task { await services.triggerGracefulShutdown() }
            }
        } catch {
            logger.error("no metrics: cannot listen", metadata: ["address": "\(address)", "error": "\(error)"])
        }
    }
}

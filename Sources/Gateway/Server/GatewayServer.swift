import AdminAuth
import Database
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Storage
import Tenancy
import Webhooks

/// The HTTP side of a node: listener, routes and the authentication feed.
///
/// Usage: `start()` once, then `run()` until cancelled, or `start()` and later `stop()`.
package actor GatewayServer {
    package enum StartError: Error, Sendable, CustomStringConvertible {
        /// The address cannot be bound.
        case listener(String)
        case certificate(String)

        package var description: String {
            switch self {
            case .listener(let reason):
                "cannot listen: \(reason). The port is SERVER_PORT (of `switchboard dev` --port), the address SERVER_ADDRESS"
            case .certificate(let reason): "cannot use the TLS certificate: \(reason)"
            }
        }
    }

    private let dependencies: GatewayDependencies
    private let configuration: SwitchboardConfiguration
    private let eventLoops: any EventLoopGroup
    private let edge: Edge
    private let metrics: MetricsListener
    private let drain = DrainState()
    private let feed: AuthFeed
    private let logger: Logger
    private let forwarder: ClusterForwarder
    private let connections: OpenConnections
    private let headLimit: Duration
    private var services: ServiceGroup?
    private var server: Task<Void, any Error>?
    private var feedTask: Task<Void, Never>?
    private var usageTask: Task<Void, Never>?
    private var settingsTask: Task<Void, Never>?
    private var metricsTask: Task<Void, Never>?
    /// Where the metrics' own listener is; nil until it is open.
    package private(set) var metricsPort: Int?

    /// - Parameters:
    ///   - eventLoops: Where connections are served.
    ///   - isReady: Further conditions of `/health/ready`, such as an outbox that runs.
    ///   - headLimit: How long a client may take for the head of a request.
    ///   - now: Unix seconds.
    package init(
        _ dependencies: GatewayDependencies, configuration: SwitchboardConfiguration,
        eventLoops: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        isReady: @escaping @Sendable () async -> Bool = { true }, headLimit: Duration = .seconds(10),
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
    ) {
        self.dependencies = dependencies
        self.configuration = configuration
        self.eventLoops = eventLoops
        self.headLimit = headLimit
        logger = dependencies.logger
        let freshness = dependencies.freshness
        let drain = self.drain
        let probe = ReadinessProbe { [database = dependencies.database] in try await database.probe() }
        let readiness: @Sendable () async -> Bool = {
            guard !drain.isDraining, !freshness.isStale, await isReady() else { return false }
            return await probe.isReachable()
        }
        let page = MetricsPage(dependencies)
        metrics = MetricsListener(page: page, readiness: readiness)
        let signature = ClusterSignature(
            secret: configuration.node.clusterSecret, nodeID: dependencies.node.id)
        forwarder = ClusterForwarder(
            signature: signature, sessions: dependencies.sessions, eventLoops: eventLoops, logger: dependencies.logger)
        let cluster = EdgeCluster(signature: signature, forwarder: forwarder, sessions: dependencies.sessions)
        let catalogue = RouteCatalogue(
            dependencies: dependencies, api: configuration.api, server: configuration.server, uptime: Uptime(),
            documentation: DocumentationAssets(folder: configuration.api.documentationFolder), metrics: page,
            readiness: readiness, cluster: cluster)
        connections = OpenConnections(
            limit: configuration.server.maximumConnectionsPerAddress, trusted: configuration.server.trustedProxies,
            logger: dependencies.logger)
        edge = Edge(
            routes: catalogue.routes, authenticator: dependencies.authenticator,
            limits: RequestLimits(tenants: dependencies.tenantUsage), server: configuration.server,
            api: configuration.api,
            drain: drain, audit: dependencies.audit, metrics: dependencies.metrics, logger: dependencies.logger,
            cluster: cluster, connections: connections, now: now)
        feed = AuthFeed(
            source: StoredAuthSource(dependencies.database), directory: dependencies.directory, freshness: freshness,
            logger: dependencies.logger)
    }

    /// Loads the authentication table, follows its feed and opens the listener. Returns the bound port.
    ///
    /// - Throws: `DatabaseError`, `StartError`.
    @discardableResult
    package func start() async throws -> Int {
        let position = try await feed.load()
        feedTask = Task { [feed] in await feed.run(from: position) }
        let usage = TenantUsageExchange(dependencies.tenantUsage, database: dependencies.database)
        usageTask = Task { await usage.run() }
        let versions = dependencies.versions
        let changes = dependencies.database.system.listen([SettingsRepository.channel])
        settingsTask = Task {
            for await _ in changes { await versions.changed() }
        }
        if configuration.api.isMetricsEnabled, let address = configuration.api.metricsAddress {
            let logger = FrameworkLog.logger(logger)
            metricsTask = Task { [metrics, eventLoops] in
                await metrics.run(at: address, eventLoops: eventLoops, logger: logger) { [weak self] port in
                    await self?.take(metricsPort: port)
                }
            }
        }
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: edge, server: try makeServer(),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.server.address, port: configuration.server.port), serverName: nil,
                backlog: 1024,
                availableConnectionsDelegate: .maximum(configuration.server.maximumConnections, logger: logger)),
            onServerRunning: { channel in
                bound.yield(channel.localAddress?.port ?? 0)
                bound.finish()
            },
            eventLoopGroupProvider: .shared(eventLoops), logger: FrameworkLog.logger(logger))
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: application, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: FrameworkLog.logger(logger)))
        self.services = services
        server = Task {
            defer { bound.finish() }
            try await services.run()
        }
        for await port in ports {
            logger.info("listening", metadata: ["address": "\(configuration.server.address)", "port": "\(port)"])
            return port
        }
        var reason = "the listener ended"
        do { try await server?.value } catch { reason = "\(error)" }
        cancelTasks()
        await forwarder.shutdown()
        throw StartError.listener("\(configuration.server.address):\(configuration.server.port): \(reason)")
    }

    private func take(metricsPort port: Int) { metricsPort = port }

    /// Serves until the listener ends or the task is cancelled.
    package func run() async throws {
        if server == nil { try await start() }
        try await withTaskCancellationHandler {
            try await server?.value
        } onCancel: {
            Task { await self.stop() }
        }
    }

    /// From now on readiness fails and every answer closes its connection, for load balancers and clients to notice.
    package func beginDraining() { drain.begin() }

    /// Ends the streams and closes the listener; requests at work end first, for at most `patience`. What does not end then
    /// is left behind: this returns some seconds later in any case.
    package func stop(patience: Duration = .seconds(10)) async {
        drain.begin()
        dependencies.webhooks.streams.close()
        await services?.triggerGracefulShutdown()
        // A task of its own: a cancelled one could not wait.
        await Task { await finish(patience) }.value
    }

    private func finish(_ patience: Duration) async {
        if let server {
            // Connections go before the listener: one that is accepted and not yet handed over when the listener is
            // cancelled ends the process.
            let hasEnded = { @Sendable (limit: Duration) in
                await Self.ends(within: limit) { _ = await server.result }
            }
            if await !hasEnded(patience) {
                drain.refuse()
                connections.closeAll()
                if await !hasEnded(Self.closingPatience) {
                    server.cancel()
                    if await !hasEnded(Self.cancelPatience) {
                        logger.warning("requests outlive the listener: they do not hear that they are cancelled")
                    }
                }
            }
        }
        cancelTasks()
        let rest = [feedTask, settingsTask, usageTask, metricsTask]
        let isClean = await Self.ends(within: Self.cancelPatience) { [forwarder] in
            await forwarder.shutdown()
            for task in rest { await task?.value }
        }
        if !isClean { logger.warning("tasks outlive the listener: they do not hear that they are cancelled") }
    }

    private static let closingPatience = Duration.seconds(1)
    private static let cancelPatience = Duration.seconds(3)

    private static func ends(within limit: Duration, _ work: @escaping @Sendable () async -> Void) async -> Bool {
        (try? await Race.run(within: limit, work)) != nil
    }

    private func cancelTasks() {
        feedTask?.cancel()
        settingsTask?.cancel()
        usageTask?.cancel()
        metricsTask?.cancel()
    }

    private func makeServer() throws -> HTTPServerBuilder {
        let connections = self.connections
        let headLimit = TimeAmount(self.headLimit)
        let configured = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                connections.handler(), WebSocketUpgrader(), RequestFraming(), RequestHeadTimer(limit: headLimit),
                ParserErrorResponder(),
            ], idleTimeout: .seconds(75),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 200))
        let http = HTTPServerBuilder { responder in
            LoopChannel(HTTP1Channel(responder: responder, configuration: configured))
        }
        guard let certificate = configuration.server.certificateFile, let key = configuration.server.privateKeyFile
        else {
            return http
        }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
            let tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            return try .tls(http, tlsConfiguration: tls)
        } catch {
            throw StartError.certificate("\(error)")
        }
    }
}

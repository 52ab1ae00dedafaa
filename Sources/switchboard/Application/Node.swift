import Cryptography
import Database
import Foundation
import Gateway
import Logging
import Messaging
import NIOCore
import NIOPosix
import NIOSSL
import Storage
import Tenancy
import Transport
import Webhooks

/// A gateway node, assembled from its parts (13-configuration, sections 8.2 and 11).
struct Node {
    private let configuration: SwitchboardConfiguration
    private let database: StorageDatabase
    private let supervisor: SessionSupervisor
    private let factory: DeviceSessionFactory
    private let dispatcher: WebhookDispatcher
    private let announcer: OutboxAnnouncer
    private let streams: EventStreams
    private let webhookClient: WebhookHTTPClient
    private let gateway: GatewayServer
    private let rotation: KeyRotation
    private let versions: WhatsAppVersionService
    private let history: StoreHistory
    private let logger: Logger
    /// How long requests are still answered after the signal to stop.
    private let drainNotice: Duration

    /// Opens the database, migrates it as configured, and puts the node together. Nothing runs yet.
    ///
    /// - Parameters:
    ///   - nodeID: the same over restarts where the caller can tell that no other process has it: then leases of the life
    ///     before need not run out.
    ///   - sandbox: the way to a sandbox that runs beside the node, for the dashboard.
    ///   - drainNotice: how long requests are still answered after the signal to stop.
    static func assemble(
        _ configuration: SwitchboardConfiguration, nodeID: UUID = UUID(), sandbox: SandboxRelay? = nil,
        drainNotice: Duration = .seconds(2), logger: Logger
    ) async throws -> Node {
        let group = MultiThreadedEventLoopGroup.singleton
        let history = StoreHistory(logger: logger)
        let database = try await StorageDatabase.open(
            databaseConfiguration(configuration), migrations: .init(configuration.database.migration), history: history,
            logger: logger)
        let envelope = try SecretEnvelope(
            key: configuration.authentication.secretsKey, previous: configuration.authentication.previousSecretsKeys,
            sealsSessionData: configuration.authentication.sealsSessionData)
        do {
            try await checkKeys(KeyRotation(pool: database.system, envelope: envelope), logger)
        } catch {
            await database.shutdown()
            throw error
        }

        let egress = try egressGuard(configuration.webhooks)
        let repository = WebhookRepository(database, sealing: envelope)
        let webhookClient = try WebhookHTTPClient(group: group, egress: egress)
        let outbox = OutboxRepository(pool: database.outbox, sealing: envelope)
        let delivery = WebhookDispatcher.Configuration(configuration.webhooks, version: Application.version)
        let dispatcher = WebhookDispatcher(
            repository: outbox, client: webhookClient, configuration: delivery, nodeID: nodeID, logger: logger)
        let announcer = OutboxAnnouncer(repository: outbox, logger: logger)
        let streams = EventStreams(repository)

        let versions = WhatsAppVersionService(
            database: database, pages: HTTPPageFetcher(), settings: configuration.whatsApp, logger: logger)
        let host = NodeSessionHost(versions: versions)
        let options = CommitOptions(
            storesMessages: configuration.messages.isStoreEnabled,
            storesContent: configuration.messages.content == .full, optInEvents: WebhookEventCatalogue.optIn,
            storesEvents: configuration.webhooks.isEnabled)
        let supervision = SessionSupervisor.Configuration(configuration, nodeID: nodeID)
        let validity = LeaseValidity(limit: supervision.selfFence)
        let load = CommitBacklog()
        let factory = DeviceSessionFactory(
            database: database, sealing: envelope,
            store: PostgresDeviceStore(database, envelope: envelope, history: history),
            connector: AdmittingConnector(
                NoiseSessionConnector(
                    configuration: try connection(configuration.whatsApp),
                    proxyAddresses: configuration.api.allowsPrivateProxies ? nil : proxyAddresses(egress))),
            version: { await host.current() }, host: host, group: group,
            deviceName: configuration.whatsApp.deviceName,
            comparesPasskeyCodes: configuration.whatsApp.comparesPasskeyCodes,
            productVersion: Self.productVersion(configuration.whatsApp),
            storesContent: configuration.messages.content == .full,
            keepAliveSilence: configuration.whatsApp.keepAliveMaximumSilence.components.seconds,
            maximumQueuedSends: configuration.sendQueue.maximum, validity: validity, logger: logger
        ) { loop in
            GroupCommit(
                eventLoop: loop, database: database, nodeID: nodeID, envelope: envelope, options: options,
                load: load, logger: logger,
                onEvents: { events in
                    dispatcher.stored(events)
                    streams.stored(events)
                    announcer.stored(events)
                })
        }
        let supervisor = SessionSupervisor(
            leases: LeaseRepository(pool: database.leases), factory: factory,
            configuration: supervision, validity: validity, version: { await versions.current() }, logger: logger)
        history.onLoss { [weak supervisor] in supervisor?.storeLostCommits() }
        let webhooks = WebhookService(
            repository: repository, dispatcher: dispatcher,
            sender: WebhookSender(client: webhookClient, timeout: delivery.timeout, version: delivery.version),
            streams: streams, egress: egress, maximumPerDevice: configuration.webhooks.maximumPerDevice, nodeID: nodeID)
        let gateway = GatewayServer(
            GatewayDependencies(
                configuration: configuration, database: database, sealing: envelope, sessions: supervisor,
                webhooks: webhooks, egress: egress, versions: versions,
                node: NodeIdentity(
                    id: nodeID, sessionTally: { supervisor.tally }, sessionCount: { supervisor.count }),
                sandbox: sandbox, logger: logger,
                now: { Int64(Date().timeIntervalSince1970) }),
            configuration: configuration, eventLoops: group)
        return Node(
            configuration: configuration, database: database, supervisor: supervisor, factory: factory,
            dispatcher: dispatcher, announcer: announcer, streams: streams, webhookClient: webhookClient,
            gateway: gateway,
            rotation: KeyRotation(pool: database.system, envelope: envelope), versions: versions, history: history,
            logger: logger, drainNotice: drainNotice)
    }

    /// Why a node does not start.
    enum StartError: Error, CustomStringConvertible {
        /// What the database holds was sealed with another `SECRETS_KEY`.
        case foreignKey

        /// The problem and its cure, for `SECRETS_KEY`.
        static let cure = """
            opens nothing that is stored in this database: set the key that sealed it, or name that one in \
            SECRETS_KEY_PREVIOUS (without SECRETS_KEY it comes from JWT_SECRET_KEY)
            """

        var description: String { "config: SECRETS_KEY: \(Self.cure)" }
    }

    /// A node with a stranger's key would take every device for unlinked or broken: it does not start.
    private static func checkKeys(_ rotation: KeyRotation, _ logger: Logger) async throws {
        switch try await rotation.fit() {
        case .fits: break
        case .partly(let columns):
            logger.error(
                "some stored values open with none of SECRETS_KEY and SECRETS_KEY_PREVIOUS",
                metadata: ["columns": "\(columns.joined(separator: ", "))"])
        case .nothing: throw StartError.foreignKey
        }
    }

    /// Runs until `stop` returns: first the port, then sessions, deliveries and jobs; at the end in the order of
    /// 13-configuration, section 11, so that nothing accepted is lost.
    ///
    /// - Parameter ready: called with the bound port once requests are taken.
    func run(until stop: () async -> Void, ready: (Int) async throws -> Void) async throws {
        let port: Int
        do {
            port = try await gateway.start()
        } catch {
            await database.shutdown()
            throw error
        }
        let advertiseURL = Self.advertiseURL(configuration, port: port)
        let sessions = Task { try await supervisor.run(advertiseURL: advertiseURL) }
        let hints = Task { [supervisor, dispatcher, streams] in
            for await event in database.system.listen([LeaseRepository.channel, OutboxAnnouncer.channel]) {
                switch event {
                case .notification(let hint) where hint.channel == LeaseRepository.channel:
                    supervisor.hint(hint.payload)
                case .notification(let notification):
                    let hint = OutboxHint(payload: notification.payload)
                    dispatcher.stored(hint)
                    streams.stored(hint)
                case .listening: supervisor.hint()
                case .disconnected: break
                }
            }
        }
        let neighbours = Task { try await warnOfLoopback() }
        let looks = Task { await lookAtStore() }
        let announcements = Task { await announcer.run() }
        let deliveries = Task { if configuration.webhooks.isEnabled { await dispatcher.run() } }
        let retention = RetentionSettings(
            messageDays: configuration.messages.retentionDays,
            deliveryDays: configuration.webhooks.deliveryRetentionDays,
            deliveredBodies: configuration.webhooks.bodyRetention)
        let housekeeping = Task {
            await Housekeeping(
                database: database, retention: retention, rotation: rotation, versions: versions, logger: logger
            ).run()
        }
        do {
            try await ready(port)
            await stop()
        } catch {
            logger.error("start failed", metadata: ["error": "\(error)"])
        }
        logger.info("stopping")
        let watchdog = watchdog()
        defer { watchdog.cancel() }
        await gateway.beginDraining()
        await supervisor.beginDraining()
        // Load balancers and clients notice in this time; their requests are still answered.
        try? await Task.sleep(for: drainNotice)
        housekeeping.cancel()
        looks.cancel()
        neighbours.cancel()
        // Sessions and deliveries have to stop within the same limit.
        await gateway.stop(patience: min(.seconds(10), configuration.node.shutdownTimeout * 2 / 5))
        hints.cancel()
        sessions.cancel()
        _ = await sessions.result
        await factory.shutdown()
        announcements.cancel()
        deliveries.cancel()
        await deliveries.value
        await webhookClient.shutdown()
        await database.shutdown()
        logger.info("stopped")
    }

    /// Connections through a pooler outlive a fail-over of the database behind it.
    private func lookAtStore() async {
        while (try? await Task.sleep(for: .seconds(10))) != nil {
            do { try await history.check(database) } catch {
                logger.debug("the database was not looked at", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Looks once at the nodes there are: each says of itself and of those before it what makes it unreachable.
    private func warnOfLoopback() async throws {
        // By then this node is registered too.
        try await Task.sleep(for: .seconds(5))
        let nodes = try await NodeRepository(database).live()
        for node in nodes where nodes.count > 1 && AdvertisedAddress.isLoopback(node.advertiseURL) {
            logger.error(
                "\(AdvertisedAddress.loopbackWarning)",
                metadata: ["node": "\(node.name)", "address": "\(node.advertiseURL)"])
        }
    }

    /// Ends the process with status 1 when stopping takes longer than `SHUTDOWN_TIMEOUT`.
    private func watchdog() -> Task<Void, any Error> {
        Task { [logger, limit = configuration.node.shutdownTimeout] in
            try await Task.sleep(for: limit)
            logger.critical("stopping took too long")
            exit(1)
        }
    }
}

// MARK: Settings into parts

extension Node {
    static func databaseConfiguration(_ configuration: SwitchboardConfiguration) -> DatabaseConfiguration {
        let settings = configuration.database
        return DatabaseConfiguration(
            uri: settings.uri ?? "", applicationName: "switchboard/\(configuration.node.name)",
            poolSize: settings.poolSize, poolMinimum: settings.poolMinimum,
            statementTimeout: settings.statementTimeout, lockTimeout: settings.lockTimeout,
            preparedStatements: settings.usesPreparedStatements)
    }

    /// Where other nodes reach this one: as configured, else the address that is listened on, else the first of this
    /// machine that is not loopback.
    static func advertiseURL(_ configuration: SwitchboardConfiguration, port: Int) -> String {
        if let url = configuration.node.advertiseURL { return url.hasSuffix("/") ? String(url.dropLast()) : url }
        let scheme = configuration.server.certificateFile == nil ? "http" : "https"
        var host = configuration.server.address
        if ["0.0.0.0", "::", ""].contains(host) {
            let addresses = (try? System.enumerateDevices())?.compactMap(\.address) ?? []
            host =
                addresses.first { $0.protocol == .inet && $0.ipAddress?.hasPrefix("127.") == false }?.ipAddress
                ?? "127.0.0.1"
        }
        return "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }

    static func egressGuard(_ settings: WebhookSettings) throws -> EgressGuard {
        EgressGuard(
            allowHTTP: settings.allowsHTTP, allowed: settings.allowedAddressBlocks,
            denied: settings.deniedAddressBlocks)
    }

    /// What the list of linked devices on the phone is told; parts may be pinned (13-configuration, section 4.8).
    static func productVersion(_ settings: WhatsAppSettings) -> ClientVersion {
        let own = ClientVersion(Application.version) ?? ClientVersion(0, 1, 0)
        return ClientVersion(
            settings.versionMajor.map { UInt32(clamping: $0) } ?? own.primary,
            settings.versionMinor.map { UInt32(clamping: $0) } ?? own.secondary,
            settings.versionPatch.map { UInt32(clamping: $0) } ?? own.tertiary)
    }

    /// What says where devices' own proxies are dialed.
    static func proxyAddresses(_ egress: EgressGuard) -> NoiseSessionConnector.ProxyAddresses {
        let proxies = ProxyEgress(egress)
        return { host, port in try await proxies.addresses(ofHost: host, port: port) }
    }

    static func connection(_ settings: WhatsAppSettings) throws -> ConnectionConfiguration {
        var connection = ConnectionConfiguration()
        if !settings.webSocketURL.isEmpty { connection.url = settings.webSocketURL }
        if !settings.webOrigin.isEmpty { connection.origin = settings.webOrigin }
        if let key = settings.noiseRootKey { connection.trust = NoiseTrust(rootPublicKey: key) }
        if let text = settings.proxyURL { connection.proxy = try ProxyConfiguration(url: text) }
        if let file = settings.certificateAuthorityFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.additionalTrustRoots = [.file(file)]
            connection.tlsContext = try NIOSSLContext(configuration: tls)
        }
        return connection
    }
}

extension StorageDatabase.MigrationMode {
    fileprivate init(_ setting: DatabaseSettings.Migration) {
        self =
            switch setting {
            case .auto: .auto
            case .check: .check
            case .off: .off
            }
    }
}

extension SessionSupervisor.Configuration {
    fileprivate init(_ configuration: SwitchboardConfiguration, nodeID: UUID) {
        let node = configuration.node
        self.init(
            nodeID: nodeID, nodeName: node.name, version: Application.version, maxDevices: node.maximumDevices,
            concurrency: configuration.startup.concurrency,
            jitter: configuration.startup.maximumJitter.seconds, leaseTTL: node.leaseLifetime.seconds,
            renewInterval: node.leaseRenewal.seconds, selfFence: node.leaseLifetime.seconds * 2 / 3)
    }
}

extension Duration {
    fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

import AdminAuth
import Logging
import Storage
import Tenancy
import Webhooks

/// Everything the routes call into. Made once by whoever assembles the process.
package struct GatewayDependencies: Sendable {
    package var database: StorageDatabase
    package var authenticator: Authenticator
    package var directory: AuthDirectory
    package var freshness: AuthFreshness
    package var tenantUsage: SlidingHour
    package var tenants: TenantService
    package var devices: DeviceService
    package var gate: DeviceGate
    package var settings: DeviceSettings
    package var sessions: any SessionDirectory
    package var webhooks: WebhookService
    package var versions: WhatsAppVersionService
    package var messages: MessageArchive
    package var sendLimits: SendLimiter
    package var simulation: SimulationSettings
    package var sendQueue: SendQueueSettings
    /// Devices that the operator's reconnect of all works on at once.
    package var reconnectConcurrency: Int
    package var audit: AuditLog
    package var egress: EgressGuard
    package var node: NodeIdentity
    /// The sandbox beside this gateway, in `switchboard dev` only.
    package var sandbox: SandboxRelay?
    package var timeline: TimelineRepository
    package var logger: Logger
    package var metrics: MetricsRegistry

    /// All services over one database.
    ///
    /// - Parameters:
    ///   - sealing: Seals and opens what must be recoverable.
    ///   - metrics: What `/metrics` shows.
    ///   - now: Unix seconds.
    package init(
        configuration: SwitchboardConfiguration, database: StorageDatabase, sealing: any SecretSealing,
        sessions: any SessionDirectory, webhooks: WebhookService, egress: EgressGuard, versions: WhatsAppVersionService,
        node: NodeIdentity, sandbox: SandboxRelay? = nil, logger: Logger, metrics: MetricsRegistry = .process,
        now: @escaping @Sendable () -> Int64
    ) {
        let authentication = configuration.authentication
        let directory = AuthDirectory()
        let freshness = AuthFreshness(limit: authentication.staleLimit)
        let hasher = CredentialHasher(pepper: authentication.apiKeyPepper)
        let signer = TokenSigner(key: authentication.tokenKey, previous: authentication.previousTokenKey)
        let audit = AuditLog(database)
        let details = DeviceDetails(database: database, sessions: sessions)
        self.database = database
        self.directory = directory
        self.freshness = freshness
        authenticator = Authenticator(
            admin: AdminSecretVerifier(
                current: authentication.adminSecret, previous: authentication.previousAdminSecret),
            hasher: hasher, signer: signer, directory: directory, freshness: freshness)
        tenantUsage = SlidingHour()
        tenants = TenantService(
            database: database, directory: directory, hasher: hasher, sessions: sessions, audit: audit)
        devices = DeviceService(
            database: database, directory: directory, hasher: hasher, signer: signer, sessions: sessions, audit: audit,
            details: details, sealing: sealing, now: now)
        gate = DeviceGate(database: database, sessions: sessions, details: details)
        settings = DeviceSettings(database: database, sealing: sealing, sessions: sessions, details: details)
        self.sessions = sessions
        self.webhooks = webhooks
        self.versions = versions
        messages = MessageArchive(database)
        sendLimits = SendLimiter(configuration.sendLimit)
        simulation = configuration.simulation
        sendQueue = configuration.sendQueue
        reconnectConcurrency = configuration.startup.concurrency
        self.audit = audit
        self.egress = egress
        self.node = node
        self.sandbox = sandbox
        timeline = TimelineRepository(database)
        self.logger = logger
        self.metrics = metrics
    }
}

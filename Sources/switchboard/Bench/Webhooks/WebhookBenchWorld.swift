import Cryptography
import Database
import Foundation
import Logging
import Messaging
import NIOCore
import NIOPosix
import Storage
import Tenancy
import Webhooks

/// A database with tenants, devices whose leases this process holds, their webhooks, and the group commit that stores
/// their events: the gateway's own parts, without WhatsApp.
struct WebhookBenchWorld: Sendable {
    struct Device: Sendable {
        let did: Int64
        let epoch: Int64
        var webhooks: [WebhookRecord] = []
    }

    let database: StorageDatabase
    let envelope: SecretEnvelope
    let commits: [GroupCommit]
    let nodeID: UUID
    private(set) var devices: [Device] = []

    /// - Parameter onEvents: hears of stored events, as the node's dispatcher does.
    static func open(
        _ uri: String, loops: Int = 1, onEvents: @escaping @Sendable (StoredEvents) -> Void = { _ in }
    ) async throws -> WebhookBenchWorld {
        let database = try await StorageDatabase.open(
            DatabaseConfiguration(uri: uri, applicationName: "switchboard/bench", statementTimeout: .seconds(600)),
            logger: quiet)
        let nodeID = UUID()
        try await LeaseRepository(pool: database.system).register(
            node: nodeID, name: "bench", url: "http://127.0.0.1", version: Application.version, maxDevices: 10_000)
        return try make(database, nodeID: nodeID, loops: loops, onEvents: onEvents)
    }

    /// As the node that made the world's devices, in another process.
    static func reopen(_ uri: String, nodeID: UUID) async throws -> WebhookBenchWorld {
        let database = try await StorageDatabase.open(
            DatabaseConfiguration(uri: uri, applicationName: "switchboard/bench-producer"), migrations: .off,
            logger: quiet)
        return try make(database, nodeID: nodeID, loops: 1) { _ in }
    }

    private static func make(
        _ database: StorageDatabase, nodeID: UUID, loops: Int, onEvents: @escaping @Sendable (StoredEvents) -> Void
    ) throws -> WebhookBenchWorld {
        let envelope = try benchEnvelope()
        let commits = (0..<loops).map { _ in
            GroupCommit(
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: database, nodeID: nodeID,
                envelope: envelope, options: CommitOptions(optInEvents: WebhookEventCatalogue.optIn), logger: quiet,
                onEvents: onEvents)
        }
        return WebhookBenchWorld(
            database: database, envelope: envelope, commits: commits, nodeID: nodeID)
    }

    /// The same world with these devices.
    func with(_ devices: [(did: Int64, epoch: Int64)]) -> WebhookBenchWorld {
        var world = self
        world.devices = devices.map { Device(did: $0.did, epoch: $0.epoch) }
        return world
    }

    /// The same in every process of one measurement; its database is thrown away.
    static func benchEnvelope() throws -> SecretEnvelope {
        try SecretEnvelope(key: SecretBytes(Array(repeating: 7, count: 32)))
    }

    static var quiet: Logger {
        var logger = Logger(label: "bench")
        logger.logLevel = .error
        return logger
    }

    static func egress() -> EgressGuard {
        EgressGuard(allowHTTP: true, allowed: [AddressBlock("127.0.0.0/8")].compactMap { $0 })
    }

    static func dispatcher(
        _ database: StorageDatabase, _ configuration: WebhookDispatcher.Configuration, nodeID: UUID = UUID()
    ) throws -> WebhookDispatcher {
        WebhookDispatcher(
            repository: OutboxRepository(pool: database.outbox, sealing: try benchEnvelope()),
            client: try WebhookHTTPClient(group: MultiThreadedEventLoopGroup.singleton, egress: egress()),
            configuration: configuration, nodeID: nodeID, logger: quiet)
    }

    /// Makes `count` devices of as many tenants as `perTenant` says, each with one webhook for each of `urls`.
    mutating func addDevices(
        _ count: Int, perTenant: Int = 4, urls: (Int) -> [(url: String, ordering: WebhookRecord.Ordering)]
    ) async throws {
        let webhooks = WebhookRepository(database, sealing: envelope)
        var tenantID: Int64 = 0
        for index in 0..<count {
            if index % perTenant == 0 {
                tenantID = try await TenantRepository(database).create(
                    NewTenant(customerName: "bench", maxDevices: perTenant),
                    key: APIKeyDigest(hash: SystemRandom().bytes(32), prefix: "bench", suffix: "0000")
                ).id
            }
            let made = try await DeviceRepository(database).create(
                TenantScope(tenantID: tenantID), deviceID: UUID(), name: "bench", secretHash: SystemRandom().bytes(32))
            guard
                let lease = try await LeaseRepository(pool: database.system).claim(
                    node: nodeID, did: made.did, ttl: 86_400)
            else { throw DeliveryBenchFailure("a device could not be claimed") }
            var device = Device(did: lease.did, epoch: lease.epoch)
            for (url, ordering) in urls(index) {
                let change = WebhookChange(url: url, events: [], ordering: ordering)
                let webhook = try await webhooks.insert(
                    change, secret: WebhookSignature.Secret.generate(), tenant: tenantID, did: made.did, limit: 20)
                if let webhook { device.webhooks.append(webhook) }
            }
            devices.append(device)
        }
    }

    /// Stores one event of a device; returns when it is durable.
    func store(_ number: Int64, device index: Int) async throws {
        let device = devices[index]
        var changes = ChangeSet(did: device.did, epoch: device.epoch)
        changes.events = [Self.event(number)]
        let sent = changes
        let commit = commits[index % commits.count]
        try await commit.eventLoop.flatSubmit { commit.submit(sent) }.get()
    }

    private static func event(_ number: Int64) -> DeviceEvent {
        var data = JSONObject()
        data.set("message_id", "3EB0A1B2C3D4E5F60718")
        data.set("from", "15550001111@s.whatsapp.net")
        data.set("from_lid", "222333444555666@lid")
        data.set("chat", "15550001111@s.whatsapp.net")
        data.set("timestamp", 1_767_323_045)
        data.set("is_from_me", false)
        data.set("type", "text")
        data.set("text", "Do you have the blue one in size 42, and when could it be here?")
        data.set("n", number)
        return DeviceEvent(
            type: "message.received", dedupeKey: "bench \(number)", data: data.bytes,
            at: Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000)))
    }

    func shutdown() async {
        for commit in commits { try? await commit.shutdown(timeout: .seconds(5)) }
        await database.shutdown()
    }
}

struct DeliveryBenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

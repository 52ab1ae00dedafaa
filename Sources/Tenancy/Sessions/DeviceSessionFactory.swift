import Foundation
import Logging
import Messaging
import NIOCore
import NIOPosix
import Storage
import Synchronization
import Transport

/// Makes device sessions on the event loops of this node, each loop with a commit queue of its own.
package final class DeviceSessionFactory: SessionFactory {
    private let devices: DeviceRepository
    private let sealing: any SecretSealing
    private let store: any DeviceStore
    private let connector: any SessionConnector
    private let version: @Sendable () async -> ClientVersion
    private let host: any SessionHost
    private let queues: [GroupCommit]
    private let next = Atomic<Int>(0)
    private let deviceName: String
    private let comparesPasskeyCodes: Bool
    private let productVersion: ClientVersion
    private let storesContent: Bool
    private let keepAliveSilence: Int64
    private let maximumQueuedSends: Int
    private let validity: LeaseValidity
    private let defaultLogger: Logger

    /// - Parameters:
    ///   - group: the loops that sessions live on.
    ///   - makeQueue: the commit queue of a loop.
    ///   - version: the client version new sessions name.
    ///   - host: who sessions report to.
    ///   - validity: whether the node's leases count.
    ///   - maximumQueuedSends: `SEND_QUEUE_MAX`.
    ///   - deviceName: `WHATSAPP_DEVICE_OS_NAME`, shown on the phone.
    ///   - comparesPasskeyCodes: `WHATSAPP_PASSKEY_COMPARE`.
    ///   - productVersion: our own version, or that which the settings pin.
    package init(
        database: StorageDatabase, sealing: any SecretSealing, store: any DeviceStore, connector: any SessionConnector,
        version: @escaping @Sendable () async -> ClientVersion, host: any SessionHost, group: any EventLoopGroup,
        deviceName: String, comparesPasskeyCodes: Bool = false, productVersion: ClientVersion, storesContent: Bool,
        keepAliveSilence: Int64, maximumQueuedSends: Int = 1000, validity: LeaseValidity, logger: Logger,
        makeQueue: (any EventLoop) -> GroupCommit
    ) {
        devices = DeviceRepository(database)
        self.sealing = sealing
        self.store = store
        self.connector = connector
        self.version = version
        self.host = host
        self.deviceName = deviceName
        self.comparesPasskeyCodes = comparesPasskeyCodes
        self.productVersion = productVersion
        self.storesContent = storesContent
        self.keepAliveSilence = keepAliveSilence
        self.maximumQueuedSends = maximumQueuedSends
        self.validity = validity
        defaultLogger = logger
        queues = group.makeIterator().map { makeQueue($0) }
    }

    package func makeSession(_ lease: DeviceLease) async throws -> any DeviceClient {
        let scope = DeviceScope(tenantID: lease.tenantID, did: lease.did)
        guard let device = try await devices.device(scope) else { throw SessionDirectoryError.unknownDevice }
        var configuration = DeviceSessionConfiguration(
            did: lease.did, epoch: lease.epoch, deviceID: lease.deviceID.uuidString.lowercased(),
            clientVersion: await version(),
            companion: CompanionProperties(name: deviceName, version: productVersion),
            logger: defaultLogger)
        configuration.pushName = device.pushName
        configuration.platform = device.platform
        configuration.businessName = device.businessName
        if device.wish == .held { configuration.earlierEnd = device.end }
        configuration.isPassive = device.isPassive
        configuration.forcesActiveReceipts = device.forcesActiveReceipts
        configuration.appearsOnline = device.presenceWish == "available"
        configuration.storesContent = storesContent
        configuration.comparesPasskeyCodes = comparesPasskeyCodes
        configuration.holdsLease = { [validity] in validity.isValid }
        configuration.maximumQueuedSends = maximumQueuedSends
        configuration.timeouts.keepAliveSilence = keepAliveSilence
        if let sealed = try await devices.sealedProxy(scope) {
            let opened = try sealing.open(sealed, context: SealingContext.proxy(did: lease.did))
            configuration.proxyURL = String(decoding: opened, as: UTF8.self)
        }
        let queue = queues[next.wrappingAdd(1, ordering: .relaxed).oldValue % queues.count]
        return DeviceSession(
            configuration: configuration, store: store, commits: queue, connector: connector, host: host,
            eventLoop: queue.eventLoop)
    }

    /// Waits until what sessions submitted is durable, at most `timeout`, and closes the queues.
    package func shutdown(timeout: Duration = .seconds(10)) async {
        await withTaskGroup(of: Void.self) { group in
            for queue in queues { group.addTask { try? await queue.shutdown(timeout: timeout) } }
        }
    }
}

import Foundation
import Logging
import Messaging
import Storage
import Synchronization

/// Makes the session of a device that this node holds.
package protocol SessionFactory: Sendable {
    /// A session that was not started. `lease.epoch` fences everything it writes.
    func makeSession(_ lease: DeviceLease) async throws -> any DeviceClient
}

/// Runs the sessions of the devices this node holds: claims leases, renews them, starts and stops sessions, and closes
/// everything when the leases can no longer be trusted (14-storage, section 7; 13-configuration, section 8.2).
package final class SessionSupervisor: SessionDirectory {
    package struct Configuration: Sendable {
        package var nodeID: UUID
        package var nodeName: String
        /// Where other nodes reach this one.
        package var advertiseURL: String
        package var version: String
        /// `NODE_MAX_DEVICES`.
        package var maxDevices: Int
        /// Sessions that connect at once during a restore.
        package var concurrency: Int
        /// Restores are spread over at least this many seconds, or 50 ms a device.
        package var jitter: Double
        /// Seconds a lease lasts, how often it is renewed, and after how long without a renewal everything closes.
        package var leaseTTL: Double
        package var renewInterval: Double
        package var selfFence: Double

        package init(
            nodeID: UUID, nodeName: String, advertiseURL: String, version: String = "1", maxDevices: Int = 10_000,
            concurrency: Int = 16, jitter: Double = 0, leaseTTL: Double = 15, renewInterval: Double = 5,
            selfFence: Double = 10
        ) {
            self.nodeID = nodeID
            self.nodeName = nodeName
            self.advertiseURL = advertiseURL
            self.version = version
            self.maxDevices = maxDevices
            self.concurrency = max(1, concurrency)
            self.jitter = jitter
            self.leaseTTL = leaseTTL
            self.renewInterval = renewInterval
            self.selfFence = selfFence
        }
    }

    private let leases: LeaseRepository
    private let factory: any SessionFactory
    private let configuration: Configuration
    private let logger: Logger
    private let state = Mutex(State())
    private let hints: AsyncStream<Void>
    private let hinter: AsyncStream<Void>.Continuation

    private struct State {
        var entries: [Int64: Entry] = [:]
        var restore = RestoreProgress()
        var lastRenewal = ContinuousClock.now
        var isStopping = false
    }

    private enum Entry {
        case starting(Task<any DeviceClient, any Error>)
        case running(any DeviceClient)
    }

    package init(
        leases: LeaseRepository, factory: any SessionFactory, configuration: Configuration, logger: Logger
    ) {
        self.leases = leases
        self.factory = factory
        self.configuration = configuration
        self.logger = logger
        (hints, hinter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: Directory

    package var restore: RestoreProgress { state.withLock { $0.restore } }

    /// Devices whose session runs or starts here.
    package var count: Int { state.withLock { $0.entries.count } }

    /// Those sessions by how far they are.
    package var tally: SessionTally {
        state.withLock { state in
            var tally = SessionTally()
            for entry in state.entries.values {
                if case .running(let session) = entry { tally.count(session.state) } else { tally.count(nil) }
            }
            return tally
        }
    }

    package func running(did: Int64) -> (any DeviceClient)? {
        state.withLock { state in
            if case .running(let session)? = state.entries[did] { session } else { nil }
        }
    }

    package func session(did: Int64) async throws -> any DeviceClient {
        if let session = running(did: did) { return session }
        if let task = try state.withLock({ state throws -> Task<any DeviceClient, any Error>? in
            if state.isStopping { throw SessionDirectoryError.stopping }
            if case .starting(let task)? = state.entries[did] { return task }
            return nil
        }) {
            return try await task.value
        }
        if let lease = try await leases.claim(node: configuration.nodeID, did: did, ttl: configuration.leaseTTL) {
            return try await start(lease).value
        }
        switch try await leases.owner(did: did) {
        case .node(let node, let url) where node != configuration.nodeID:
            throw SessionDirectoryError.elsewhere(url: url)
        case .node, .nobody: throw SessionDirectoryError.unavailable(retryAfter: 5)
        case .unknownDevice: throw SessionDirectoryError.unknownDevice
        }
    }

    package func stop(did: Int64) async {
        guard let entry = state.withLock({ $0.entries.removeValue(forKey: did) }) else { return }
        await Self.stop(entry)
        try? await leases.release(node: configuration.nodeID, devices: [did])
    }

    /// Says that a lease may be free or a device new: after a NOTIFY on `sb_lease`.
    package func hint() { hinter.yield() }

    // MARK: Life

    /// Registers the node and runs until the task is cancelled; then stops every session and gives its lease up.
    package func run() async throws {
        try await leases.register(
            node: configuration.nodeID, name: configuration.nodeName, url: configuration.advertiseURL,
            version: configuration.version, maxDevices: configuration.maxDevices)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.renewLoop() }
            group.addTask { await self.claimLoop() }
            await group.waitForAll()
        }
        // A task of its own: the one that was cancelled may not wait for anything any more.
        await Task { await self.shutdown() }.value
    }

    private func renewLoop() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(configuration.renewInterval))
            if Task.isCancelled { break }
            await renew()
            hint()
        }
        hinter.finish()
    }

    /// Renews all leases once. Lost ones end their session at once; when none could be renewed for too long, all end.
    private func renew() async {
        let held = state.withLock { Array($0.entries.keys) }
        let asked = ContinuousClock.now
        do {
            try await leases.heartbeat(node: configuration.nodeID)
            let kept =
                held.isEmpty
                ? [] : try await leases.renew(node: configuration.nodeID, devices: held, ttl: configuration.leaseTTL)
            state.withLock { $0.lastRenewal = asked }
            await drop(held.filter { !kept.contains($0) }, because: "its lease was lost")
        } catch is CancellationError {
            // The node is stopping; its leases are given up next.
        } catch {
            let silence = asked - state.withLock { $0.lastRenewal }
            logger.warning("leases could not be renewed", metadata: ["error": "\(error)"])
            if silence > .seconds(configuration.selfFence) {
                await drop(held, because: "its lease could not be renewed")
            }
        }
    }

    private func drop(_ devices: [Int64], because reason: String) async {
        let entries = state.withLock { state in
            devices.compactMap { did in state.entries.removeValue(forKey: did).map { (did, $0) } }
        }
        for (did, entry) in entries {
            logger.warning("session closed: \(reason)", metadata: ["did": "\(did)"])
            await Self.stop(entry)
        }
    }

    private func claimLoop() async {
        hint()
        for await _ in hints {
            while !Task.isCancelled {
                do {
                    let room = try await leases.room(node: configuration.nodeID, maximum: configuration.maxDevices)
                    guard room > 0 else { break }
                    let claimed = try await leases.claim(
                        node: configuration.nodeID, limit: min(room, 256), ttl: configuration.leaseTTL)
                    guard !claimed.isEmpty else { break }
                    await restore(claimed)
                } catch {
                    logger.debug("leases could not be claimed", metadata: ["error": "\(error)"])
                    break
                }
            }
        }
    }

    /// Starts claimed devices, `concurrency` at a time; a slot is held until login, failure or 30 s.
    private func restore(_ claimed: [DeviceLease]) async {
        state.withLock { $0.restore.total += claimed.count }
        let spread = min(configuration.jitter, Double(claimed.count) * 0.05)
        await withTaskGroup(of: Void.self) { group in
            for (index, lease) in claimed.enumerated() {
                if index >= configuration.concurrency { await group.next() }
                let delay = spread > 0 ? Double.random(in: 0..<spread) : 0
                group.addTask {
                    try? await Task.sleep(for: .seconds(delay))
                    await self.restoreOne(lease)
                }
            }
        }
    }

    private func restoreOne(_ lease: DeviceLease) async {
        var hasFailed = false
        do {
            let session = try await start(lease).value
            let deadline = ContinuousClock.now + .seconds(30)
            while !Task.isCancelled, ContinuousClock.now < deadline, !session.state.phase.isSettled {
                try await Task.sleep(for: .milliseconds(50))
            }
            hasFailed = session.state.phase != .ready
        } catch {
            hasFailed = true
            logger.error("session could not be restored", metadata: ["did": "\(lease.did)", "error": "\(error)"])
        }
        state.withLock { state in
            if hasFailed { state.restore.failed += 1 } else { state.restore.done += 1 }
        }
    }

    /// The start of a claimed device, shared by all who ask for it meanwhile.
    private func start(_ lease: DeviceLease) -> Task<any DeviceClient, any Error> {
        state.withLock { state in
            switch state.entries[lease.did] {
            case .starting(let task): return task
            case .running(let session): return Task { session }
            case nil: break
            }
            let task = Task { () async throws -> any DeviceClient in
                do {
                    let session = try await factory.makeSession(lease)
                    try await session.start()
                    self.started(lease.did, session)
                    return session
                } catch {
                    self.state.withLock { _ = $0.entries.removeValue(forKey: lease.did) }
                    try? await self.leases.release(node: self.configuration.nodeID, devices: [lease.did])
                    throw error
                }
            }
            state.entries[lease.did] = .starting(task)
            return task
        }
    }

    private func started(_ did: Int64, _ session: any DeviceClient) {
        let isWanted = state.withLock { state -> Bool in
            guard !state.isStopping, state.entries[did] != nil else { return false }
            state.entries[did] = .running(session)
            return true
        }
        if !isWanted { Task { await session.stop() } }
    }

    private static func stop(_ entry: Entry) async {
        switch entry {
        case .running(let session): await session.stop()
        case .starting(let task): try? await task.value.stop()
        }
    }

    /// Stops every session, 20 at a time, and gives all leases up.
    private func shutdown() async {
        let entries = state.withLock { state in
            state.isStopping = true
            defer { state.entries = [:] }
            return Array(state.entries.values)
        }
        try? await leases.drain(node: configuration.nodeID)
        await withTaskGroup(of: Void.self) { group in
            for (index, entry) in entries.enumerated() {
                if index >= 20 { await group.next() }
                group.addTask { await Self.stop(entry) }
            }
        }
        try? await leases.unregister(node: configuration.nodeID)
    }
}

extension ConnectionState.Phase {
    /// Whether a start has come to its end, good or bad.
    fileprivate var isSettled: Bool {
        switch self {
        case .ready, .waiting, .stopped, .idle: true
        case .connecting, .registering, .authenticating, .settling: false
        }
    }
}

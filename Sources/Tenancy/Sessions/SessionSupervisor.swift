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
        /// How often the leases of other nodes are looked at, seconds, and how often devices are handed over.
        package var watchInterval = 1.0
        package var balanceInterval = 30.0
        /// How long a request waits for a session that logs in for the first time, seconds.
        package var loginPatience = 5.0
        /// How long a session without a linked device is kept after its last login attempt, seconds.
        package var unpairedLife = 600.0
        /// Spreads restores: numbers in 0..<2, one on average.
        package var random: @Sendable () -> Double = { .random(in: 0..<2) }

        package init(
            nodeID: UUID, nodeName: String, version: String = "1", maxDevices: Int = 10_000, concurrency: Int = 16,
            jitter: Double = 0, leaseTTL: Double = 15, renewInterval: Double = 5, selfFence: Double = 10
        ) {
            self.nodeID = nodeID
            self.nodeName = nodeName
            self.version = version
            self.maxDevices = maxDevices
            self.concurrency = max(1, concurrency)
            self.jitter = jitter
            self.leaseTTL = leaseTTL
            self.renewInterval = renewInterval
            self.selfFence = selfFence
        }
    }

    let leases: LeaseRepository
    let factory: any SessionFactory
    let configuration: Configuration
    let validity: LeaseValidity
    let version: @Sendable () async -> WhatsAppVersion
    let logger: Logger
    let state = Mutex(State())
    let hints: AsyncStream<Void>
    let hinter: AsyncStream<Void>.Continuation

    struct State {
        var table = SessionTable()
        /// Devices of other nodes that were asked for, for two seconds.
        var owners: [Int64: (owner: DeviceOwner, until: ContinuousClock.Instant)] = [:]
        var restore = RestoreProgress()
        var restoring = 0
        /// Closed because the node could not be sure of its leases; to be released when the database answers again.
        var dropped: Set<HeldLease> = []
        /// Deleted devices whose session is being unlinked.
        var farewells: Set<Int64> = []
        /// Devices whose rows the store refused: how often in a row, and when to try again.
        var setbacks: [Int64: (count: Int, until: ContinuousClock.Instant)] = [:]
        /// Since when a session has had no device and no login.
        var unpairedSince: [Int64: ContinuousClock.Instant] = [:]
        /// What a former life of the node held was given up; nothing is claimed before.
        var isRegistered = false
        /// Leases lost and devices taken over, since the start.
        var losses: [SessionTally.LeaseLoss: Int] = [:]
        var takeovers: [LeaseTakeover: Int] = [:]
        var isDraining = false
        var isStopping = false
    }

    /// - Parameters:
    ///   - validity: Shared with the sessions, which write to no socket once it has ended.
    ///   - version: What connections announce: devices that were refused for an older one are tried again.
    package init(
        leases: LeaseRepository, factory: any SessionFactory, configuration: Configuration, validity: LeaseValidity,
        version: @escaping @Sendable () async -> WhatsAppVersion = { .builtIn }, logger: Logger
    ) {
        self.leases = leases
        self.factory = factory
        self.configuration = configuration
        self.validity = validity
        self.version = version
        self.logger = logger
        (hints, hinter) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: SessionDirectory

    package var restore: RestoreProgress { state.withLock { $0.restore } }

    /// Devices whose session runs or starts here.
    package var count: Int { state.withLock { $0.table.count } }

    /// Those sessions by how far they are, and their leases.
    package var tally: SessionTally {
        state.withLock { state in
            var tally = SessionTally()
            tally.leases = state.table.held.count
            tally.losses = state.losses
            tally.takeovers = state.takeovers
            for entry in state.table.entries.values {
                switch entry {
                case .running(let session, _): tally.count(session.state)
                case .starting: tally.count(nil)
                case .ending: break
                }
            }
            return tally
        }
    }

    package func running(did: Int64) -> (any DeviceClient)? {
        state.withLock { $0.table.usable(did) }
    }

    package func session(did: Int64) async throws -> any DeviceClient {
        if let session = running(did: did) { return try await settled(session) }
        let task = try state.withLock { state throws -> Task<any DeviceClient, any Error> in
            if state.isStopping { throw SessionDirectoryError.stopping }
            if case .starting(let task, _)? = state.table.entries[did] { return task }
            if state.table.entries[did] == nil, let owner = Self.known(did, &state) {
                throw SessionDirectoryError.elsewhere(owner)
            }
            // In the table before anything is awaited: whoever asks meanwhile waits for the same claim.
            return launch(did, lease: nil, in: &state)
        }
        return try await settled(try await task.value)
    }

    package func located(did: Int64) async throws -> (any DeviceClient)? {
        if let session = running(did: did) { return session }
        let starting = state.withLock { state -> Task<any DeviceClient, any Error>? in
            if case .starting(let task, _)? = state.table.entries[did] { task } else { nil }
        }
        if let starting { return try await starting.value }
        if let owner = try await owner(did: did) { throw SessionDirectoryError.elsewhere(owner) }
        return nil
    }

    package func owner(did: Int64) async throws -> DeviceOwner? {
        if let owner = state.withLock({ Self.known(did, &$0) }) { return owner }
        return try await lookUp(did).owner
    }

    /// Asks the database who runs a device, and remembers another node for a moment.
    func lookUp(_ did: Int64) async throws -> (owner: DeviceOwner?, exists: Bool) {
        let found = try await leases.owner(did: did)
        guard case .node(let node, let url, let expiresIn) = found, node != configuration.nodeID else {
            return (nil, found != .unknownDevice)
        }
        let owner = DeviceOwner(did: did, nodeID: node, url: url, expiresIn: expiresIn)
        let life = min(Self.ownerLife, expiresIn)
        state.withLock { state in
            if state.owners.count >= Self.maximumOwners { state.owners.removeAll(keepingCapacity: true) }
            state.owners[did] = (owner, .now + .seconds(life))
        }
        return (owner, true)
    }

    package func forgetOwner(did: Int64) { state.withLock { _ = $0.owners.removeValue(forKey: did) } }

    private static let ownerLife = 2.0
    private static let maximumOwners = 4096

    private static func known(_ did: Int64, _ state: inout State) -> DeviceOwner? {
        guard let known = state.owners[did] else { return nil }
        if known.until > .now { return known.owner }
        state.owners[did] = nil
        return nil
    }

    /// A session that logs in for the first time since it was made gets a moment for it: a request that comes during a
    /// restore or a take-over need not fail.
    private func settled(_ session: any DeviceClient) async throws -> any DeviceClient {
        let deadline = ContinuousClock.now + .seconds(configuration.loginPatience)
        while session.state.readySince == nil, !session.state.phase.isSettled, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        return session
    }

    package func stop(did: Int64) async {
        let entry = state.withLock { $0.table.entries[did] }
        switch entry {
        case .running(_, let epoch): await end(HeldLease(did: did, epoch: epoch), with: stopAndRelease)?.value
        case .starting(let task, let start):
            guard (try? await task.value) != nil, let epoch = start.epoch ?? state.withLock({ $0.table.epoch(did) })
            else { return }
            await end(HeldLease(did: did, epoch: epoch), with: stopAndRelease)?.value
        case .ending(let task, _): await task.value
        case nil: break
        }
    }

    package func announceEnd(did: Int64) async { try? await leases.announceEnd(did: did) }

    /// Says that a lease may be free or a device new: after a NOTIFY on `sb_lease`.
    ///
    /// - Parameter payload: Of the notification; one that names a deleted device ends its session here.
    package func hint(_ payload: String = "") {
        if let notice = try? JSONDecoder().decode(EndNotice.self, from: Data(payload.utf8)) {
            sayFarewell(notice.end)
        } else {
            hinter.yield()
        }
    }

    private struct EndNotice: Decodable { let end: Int64 }

    /// Has every session write what it holds in memory again, because the store may have lost it.
    package func storeLostCommits() {
        for entry in state.withLock({ $0.table.entries }).values {
            switch entry {
            case .running(let session, _): Task { await session.storeLostCommits() }
            case .starting(let task, _): Task { try? await task.value.storeLostCommits() }
            case .ending: break
            }
        }
    }

    /// Unlinks a device that was deleted, once.
    func sayFarewell(_ did: Int64) {
        let isFirst = state.withLock { $0.table.usable(did) != nil && $0.farewells.insert(did).inserted }
        if isFirst { DeviceFarewell.begin(did: did, self, isAnnounced: true) }
    }

    // MARK: Life

    /// Registers the node and runs until the task is cancelled; then stops every session and gives its lease up.
    ///
    /// - Parameter advertiseURL: Where other nodes reach this one.
    package func run(advertiseURL: String) async throws {
        try await register(advertiseURL)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.renewLoop(advertiseURL) }
            group.addTask { await self.upkeepLoop() }
            group.addTask { await self.fenceLoop() }
            group.addTask { await self.watchLoop() }
            group.addTask { await self.claimLoop() }
            await group.waitForAll()
        }
        // A task of its own: the one that was cancelled may not wait for anything any more.
        await Task { await self.shutdown() }.value
    }

    /// Claims nothing more in the background, and tells the others.
    package func beginDraining() async {
        state.withLock { $0.isDraining = true }
        try? await leases.drain(node: configuration.nodeID)
    }

    /// Stops every session, 20 at a time, and gives their leases up as they end, so that others go on at once.
    private func shutdown() async {
        let entries = state.withLock { state in
            state.isStopping = true
            return state.table.entries
        }
        try? await leases.drain(node: configuration.nodeID)
        var running: [HeldLease] = []
        var others: [Task<Void, Never>] = []
        for (did, entry) in entries {
            switch entry {
            case .running(_, let epoch): running.append(HeldLease(did: did, epoch: epoch))
            case .starting(let task, _): others.append(Task { _ = await task.result })
            case .ending(let task, _): others.append(task)
            }
        }
        var rest = running[...]
        while !rest.isEmpty {
            let block = Array(rest.prefix(20))
            rest = rest.dropFirst(20)
            for task in block.compactMap({ end($0) { session, _ in await session.stop() } }) { await task.value }
            try? await leases.release(node: configuration.nodeID, block)
        }
        for task in others { await task.value }
        try? await leases.unregister(node: configuration.nodeID)
    }
}

extension ConnectionState.Phase {
    /// Whether a start has come to its end, good or bad.
    var isSettled: Bool {
        switch self {
        case .ready, .waiting, .stopped, .idle, .registering: true
        case .connecting, .authenticating, .settling: false
        }
    }
}

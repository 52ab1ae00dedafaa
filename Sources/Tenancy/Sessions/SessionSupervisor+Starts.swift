import Messaging
import Storage
import Synchronization

extension SessionSupervisor {
    /// The start of a device that the claim loop claimed, shared by all who ask for it meanwhile. A lease older than the one
    /// in use changes nothing.
    func adopt(_ lease: DeviceLease) throws -> Task<any DeviceClient, any Error> {
        try state.withLock { state in
            if state.isStopping { throw SessionDirectoryError.stopping }
            switch state.table.entries[lease.did] {
            // A request's own claim is under way, which takes the lease over from the claim loop.
            case .starting(let task, let start) where start.epoch.map({ $0 >= lease.epoch }) ?? true: return task
            case .running(let session, let epoch) where epoch >= lease.epoch: return Task { session }
            case .starting, .running, .ending, nil: return launch(lease.did, lease: lease, in: &state)
            }
        }
    }

    /// Starts the session of `did` under `lease`, or under one that is claimed first. What was there is closed before.
    func launch(_ did: Int64, lease: DeviceLease?, in state: inout State) -> Task<any DeviceClient, any Error> {
        let former = state.table.entries[did]
        return state.table.begin(
            did,
            { number in
                Task {
                    switch former {
                    case .running(let session, _): await session.abandon()
                    case .ending(let task, _): await task.value
                    case .starting, nil: break
                    }
                    return try await start(did, lease: lease, number: number)
                }
            }, epoch: lease?.epoch)
    }

    private func start(_ did: Int64, lease: DeviceLease?, number: UInt64) async throws -> any DeviceClient {
        var held: HeldLease?
        do {
            let lease = if let lease { lease } else { try await claim(did) }
            let its = HeldLease(did: did, epoch: lease.epoch)
            held = its
            guard state.withLock({ $0.table.claimed(did, epoch: its.epoch, number: number) }) else {
                throw SessionDirectoryError.unavailable(retryAfter: 1)
            }
            let session = try await factory.makeSession(lease)
            do { try await session.start() } catch {
                await session.abandon()
                throw error
            }
            try await admit(session, its, number: number)
            return session
        } catch {
            state.withLock { $0.table.finished(did, number: number) }
            if let held { try? await leases.release(node: configuration.nodeID, [held]) }
            throw error
        }
    }

    /// Takes a started session into use, unless its lease was lost or the node began to stop meanwhile.
    private func admit(_ session: any DeviceClient, _ held: HeldLease, number: UInt64) async throws {
        let (isWanted, isStopping) = state.withLock { state in
            (
                !state.isStopping
                    && state.table.started(held.did, session, epoch: held.epoch, number: number), state.isStopping
            )
        }
        if isWanted { return }
        if isStopping {
            await session.stop()
            throw SessionDirectoryError.stopping
        }
        await session.abandon()
        throw SessionDirectoryError.unavailable(retryAfter: 1)
    }

    private func claim(_ did: Int64) async throws -> DeviceLease {
        // The port is open before the node is registered, which would give up what was claimed so early.
        let deadline = ContinuousClock.now + .seconds(configuration.loginPatience)
        while !state.withLock({ $0.isRegistered }), ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(20))
        }
        guard validity.isValid, state.withLock({ $0.isRegistered }) else {
            throw SessionDirectoryError.unavailable(retryAfter: 2)
        }
        // A device that nobody holds cannot be had only as long as a commit of its last owner, or another's claim, is open.
        for attempt in 0..<20 {
            if attempt > 0 { try await Task.sleep(for: .milliseconds(50)) }
            if let lease = try await leases.claim(node: configuration.nodeID, did: did, ttl: configuration.leaseTTL) {
                noteTakeovers([lease])
                return lease
            }
            let (owner, exists) = try await lookUp(did)
            if let owner { throw SessionDirectoryError.elsewhere(owner) }
            if !exists { throw SessionDirectoryError.unknownDevice }
        }
        throw SessionDirectoryError.unavailable(retryAfter: 5)
    }

    /// Takes a running session out and ends it with `work`; the next start of its device waits for that. Nil when it does
    /// not run under that epoch any more.
    @discardableResult
    func end(
        _ held: HeldLease, with work: @escaping @Sendable (any DeviceClient, HeldLease) async -> Void
    ) -> Task<Void, Never>? {
        state.withLock { state in
            state.table.end(held) { session, number in
                Task {
                    await work(session, held)
                    self.state.withLock { $0.table.finished(held.did, number: number) }
                }
            }
        }
    }

    @Sendable func stopAndRelease(_ session: any DeviceClient, _ held: HeldLease) async {
        await session.stop()
        try? await leases.release(node: configuration.nodeID, [held])
    }

    @Sendable func abandonAndRelease(_ session: any DeviceClient, _ held: HeldLease) async {
        await session.abandon()
        try? await leases.release(node: configuration.nodeID, [held])
    }
}

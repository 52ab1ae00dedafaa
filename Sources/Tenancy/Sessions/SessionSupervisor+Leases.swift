import Foundation
import Logging
import Messaging
import Storage
import Synchronization

extension SessionSupervisor {
    /// Announces the node, however long the database takes to answer; what a former life of it held is given up.
    func register(_ advertiseURL: String) async throws {
        var pause = 0.25
        while true {
            do {
                let asked = ContinuousClock.now
                try await leases.register(
                    node: configuration.nodeID, name: configuration.nodeName, url: advertiseURL,
                    version: configuration.version, maxDevices: configuration.maxDevices)
                validity.renewed(at: asked)
                return state.withLock { $0.isRegistered = true }
            } catch {
                if Task.isCancelled { throw CancellationError() }
                logger.warning("the node could not be registered", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .seconds(pause))
                pause = min(5, pause * 2)
            }
        }
    }

    /// Renews the leases in time, whatever else takes its time: nothing here waits for a session.
    func renewLoop(_ advertiseURL: String) async {
        await Recurring.run(pausing: .seconds(configuration.renewInterval), startsNow: false) {
            await renew(advertiseURL)
            reviveDead()
            hint()
        }
        hinter.finish()
    }

    func upkeepLoop() async {
        var balancedAt = ContinuousClock.now
        await Recurring.run(pausing: .seconds(configuration.renewInterval), startsNow: false) {
            await liftHolds()
            if ContinuousClock.now - balancedAt > .seconds(configuration.balanceInterval) {
                balancedAt = .now
                await stopUnpaired()
                await balance()
            }
        }
    }

    /// Closes every socket within a second after the leases ran out. Asks nobody: the database may be what is frozen, or
    /// this process was.
    func fenceLoop() async {
        await Recurring.run(pausing: .seconds(configuration.watchInterval), startsNow: false) {
            if !validity.isValid { await dropAll(because: "its lease could not be renewed in time") }
        }
    }

    /// Notices within a second that another node's devices became free.
    func watchLoop() async {
        await Recurring.run(pausing: .seconds(configuration.watchInterval), startsNow: false) {
            if (try? await leases.hasRunOut()) == true { hint() }
        }
    }

    /// Renews all leases once. Lost ones end their session at once; when none could be renewed for too long, all end.
    private func renew(_ advertiseURL: String) async {
        let held = state.withLock { $0.table.held }
        let asked = ContinuousClock.now
        do {
            if try await !leases.heartbeat(node: configuration.nodeID) {
                // Silent for so long that the others forgot this node.
                try await leases.register(
                    node: configuration.nodeID, name: configuration.nodeName, url: advertiseURL,
                    version: configuration.version, maxDevices: configuration.maxDevices)
            }
            let kept =
                held.isEmpty
                ? [] : try await leases.renew(node: configuration.nodeID, held, ttl: configuration.leaseTTL)
            try await lost(held.filter { !kept.contains($0.did) })
            let orphans = state.withLock { state in
                defer { state.dropped = [] }
                return Array(state.dropped)
            }
            if !orphans.isEmpty { try await leases.release(node: configuration.nodeID, orphans) }
            validity.renewed(at: asked)
        } catch is CancellationError {
            // The node is stopping; its leases are given up next.
        } catch {
            logger.warning("leases could not be renewed", metadata: ["error": "\(error)"])
        }
    }

    /// Closes sessions whose lease is gone. That of a deleted device is unlinked first, should the notification have been
    /// lost.
    private func lost(_ leases: [HeldLease]) async throws {
        if leases.isEmpty { return }
        let deleted = try await self.leases.deleted(among: leases.map(\.did))
        let parting = state.withLock { state in
            state.farewells.formIntersection(state.table.held.map(\.did))
            return state.farewells
        }
        for did in deleted where !parting.contains(did) { sayFarewell(did) }
        await drop(leases.filter { !deleted.contains($0.did) }, .taken, because: "its lease was lost")
    }

    private func dropAll(because reason: String) async {
        let held = state.withLock { state in
            let held = state.table.held
            state.dropped.formUnion(held)
            return held
        }
        await drop(held, .unrenewed, because: reason)
    }

    /// Closes sessions without a further write: their devices are, or may be, another node's.
    private func drop(_ held: [HeldLease], _ loss: SessionTally.LeaseLoss, because reason: String) async {
        if held.isEmpty { return }
        logger.warning("sessions closed: \(reason)", metadata: ["devices": "\(held.count)"])
        state.withLock { state in
            for lease in held where state.table.epoch(lease.did) == lease.epoch {
                if state.table.supersede(lease.did) { state.losses[loss, default: 0] += 1 }
            }
        }
        let ends = held.compactMap { end($0) { session, _ in await session.abandon() } }
        noteLosses(ends.count, loss)
        for task in ends { await task.value }
    }

    /// Gives sessions that ended by themselves back to be started anew: those that lost their lease at once, those whose
    /// rows were refused after pauses that grow from 10 s to 5 min.
    private func reviveDead() {
        let due = state.withLock { state -> [HeldLease] in
            let now = ContinuousClock.now
            state.setbacks = state.setbacks.filter { now - $0.value.until < .seconds(600) }
            return state.table.entries.compactMap { did, entry in
                guard case .running(let session, let epoch) = entry, session.state.hasDied else { return nil }
                if case .storage? = session.state.end {
                    guard let setback = state.setbacks[did] else {
                        state.setbacks[did] = (1, now + .seconds(10))
                        return nil
                    }
                    guard setback.until <= now else { return nil }
                    state.setbacks[did] = (setback.count + 1, now + .seconds(min(300, 10 << min(setback.count, 5))))
                }
                return HeldLease(did: did, epoch: epoch)
            }
        }
        for lease in due {
            // What died otherwise is still of use to those who ask for its state.
            let isLost = running(did: lease.did) == nil
            if end(lease, with: abandonAndRelease) != nil, isLost { noteLosses(1, .taken) }
        }
    }

    private func noteLosses(_ count: Int, _ loss: SessionTally.LeaseLoss) {
        if count > 0 { state.withLock { $0.losses[loss, default: 0] += count } }
    }

    /// Counts what came from other nodes.
    func noteTakeovers(_ claimed: [DeviceLease]) {
        let takeovers = claimed.compactMap(\.takeover)
        if takeovers.isEmpty { return }
        state.withLock { state in
            for takeover in takeovers { state.takeovers[takeover, default: 0] += 1 }
        }
    }

    /// Brings back devices whose ban is over, or that were refused for a version older than the one known now.
    private func liftHolds() async {
        do {
            let version = await version().parts.map(Int64.init)
            for did in try await leases.liftHolds(node: configuration.nodeID, version: version) {
                logger.info("a hold is over", metadata: ["did": "\(did)"])
                switch state.withLock({ $0.table.entries[did] }) {
                case .running(let session, _): Task { await session.resume() }
                // It may have been made of the row as it was before.
                case .starting(let task, _): Task { try? await task.value.resume() }
                case .ending, nil: break
                }
            }
        } catch {
            logger.debug("holds could not be lifted", metadata: ["error": "\(error)"])
        }
    }

    /// Ends sessions that were made for a login that never came.
    private func stopUnpaired() async {
        let due = state.withLock { state -> [HeldLease] in
            let now = ContinuousClock.now
            var since: [Int64: ContinuousClock.Instant] = [:]
            var due: [HeldLease] = []
            for (did, entry) in state.table.entries {
                guard case .running(let session, let epoch) = entry, session.state.phase == .idle,
                    !session.state.isPaired
                else { continue }
                let first = state.unpairedSince[did] ?? now
                since[did] = first
                if now - first > .seconds(configuration.unpairedLife) { due.append(HeldLease(did: did, epoch: epoch)) }
            }
            state.unpairedSince = since
            return due
        }
        for lease in due { await end(lease, with: stopAndRelease)?.value }
    }

    /// Gives up to five devices above this node's share to others (14-storage, section 7.2).
    private func balance() async {
        do {
            let surplus = try await leases.surplus(
                node: configuration.nodeID, limit: 5, ttl: configuration.leaseTTL)
            guard surplus > 0 else { return }
            let running = state.withLock { state in
                state.table.entries.compactMap { did, entry -> (held: HeldLease, session: any DeviceClient)? in
                    if case .running(let session, let epoch) = entry, session.state.phase == .ready {
                        (HeldLease(did: did, epoch: epoch), session)
                    } else {
                        nil
                    }
                }
            }
            var moved = 0
            for (held, session) in running where moved < surplus {
                guard await session.isIdle() else { continue }
                let handedOver = end(held) { [leases, node = configuration.nodeID] session, held in
                    await session.stop()
                    try? await leases.handOver(node: node, [held])
                }
                guard let handedOver else { continue }
                await handedOver.value
                moved += 1
            }
            if moved > 0 { logger.info("devices handed over", metadata: ["devices": "\(moved)"]) }
        } catch {
            logger.debug("devices could not be handed over", metadata: ["error": "\(error)"])
        }
    }
}

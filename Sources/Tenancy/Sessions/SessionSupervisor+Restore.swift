import Foundation
import Logging
import Messaging
import Storage
import Synchronization

extension SessionSupervisor {
    /// Claims free devices and starts their sessions, as many at once as there are slots: a device is claimed when it is
    /// about to connect (16-performance-durability, section 7.5).
    func claimLoop() async {
        hint()
        var isFirst = true
        await withDiscardingTaskGroup { group in
            for await _ in hints {
                while !Task.isCancelled {
                    do {
                        guard validity.isValid, !state.withLock({ $0.isDraining }) else { break }
                        if isFirst {
                            let waiting = try await leases.waiting()
                            state.withLock { $0.restore.total = waiting }
                            isFirst = false
                        }
                        let slots = configuration.concurrency - state.withLock { $0.restoring }
                        guard slots > 0 else { break }
                        let room = try await leases.room(
                            node: configuration.nodeID, maximum: configuration.maxDevices, ttl: configuration.leaseTTL)
                        guard room > 0 else { break }
                        let claimed = try await leases.claim(
                            node: configuration.nodeID, limit: min(room, slots, 64), ttl: configuration.leaseTTL)
                        guard !claimed.isEmpty else { break }
                        noteTakeovers(claimed)
                        begin(claimed)
                        for lease in claimed { group.addTask { await self.restoreOne(lease) } }
                        try await Task.sleep(for: .seconds(pause(after: claimed.count)))
                    } catch {
                        logger.debug("leases could not be claimed", metadata: ["error": "\(error)"])
                        break
                    }
                }
            }
        }
    }

    private func pause(after count: Int) -> Double {
        let total = state.withLock { $0.restore.total }
        return RestorePace(jitter: configuration.jitter, concurrency: configuration.concurrency)
            .pause(after: count, of: total, random: configuration.random)
    }

    private func begin(_ claimed: [DeviceLease]) {
        state.withLock { state in
            state.restoring += claimed.count
            let seen = state.restore.done + state.restore.failed + state.restoring
            state.restore.total = max(state.restore.total, seen)
        }
    }

    /// Starts one claimed device. Its slot is held until login, failure or 30 s.
    private func restoreOne(_ lease: DeviceLease) async {
        var hasFailed = false
        do {
            let session = try await adopt(lease).value
            let deadline = ContinuousClock.now + .seconds(30)
            while !Task.isCancelled, ContinuousClock.now < deadline, !session.state.phase.isSettled {
                try await Task.sleep(for: .milliseconds(20))
            }
            hasFailed = session.state.phase != .ready
        } catch {
            hasFailed = true
            logger.error("session could not be restored", metadata: ["did": "\(lease.did)", "error": "\(error)"])
        }
        let summary = state.withLock { state -> RestoreProgress? in
            state.restoring -= 1
            if hasFailed { state.restore.failed += 1 } else { state.restore.done += 1 }
            return state.restore.done + state.restore.failed == state.restore.total ? state.restore : nil
        }
        if let summary {
            logger.info(
                "restore pass done",
                metadata: [
                    "total": "\(summary.total)", "restored": "\(summary.done)", "failed": "\(summary.failed)",
                    "concurrency": "\(configuration.concurrency)",
                ])
        }
        hinter.yield()
    }
}

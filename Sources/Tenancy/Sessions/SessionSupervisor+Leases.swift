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
                return validity.renewed(at: asked)
            } catch {
                if Task.isCancelled { throw CancellationError() }
                logger.warning("the node could not be registered", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .seconds(pause))
                pause = min(5, pause * 2)
            }
        }
    }

    func renewLoop(_ advertiseURL: String) async {
        var balancedAt = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(configuration.renewInterval))
            if Task.isCancelled { break }
            // A node that was frozen closes its sockets before it asks anybody anything.
            if !validity.isValid { await dropAll(because: "its lease could not be renewed in time") }
            await renew(advertiseURL)
            hint()
            if ContinuousClock.now - balancedAt > .seconds(configuration.balanceInterval) {
                balancedAt = .now
                await balance()
            }
        }
        hinter.finish()
    }

    /// Notices within a second that another node's devices became free, and within a second that this one's leases ran out.
    func watchLoop() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(configuration.watchInterval))
            if Task.isCancelled { break }
            if !validity.isValid { await dropAll(because: "its lease could not be renewed in time") }
            if (try? await leases.hasRunOut()) == true { hint() }
        }
    }

    /// Renews all leases once. Lost ones end their session at once; when none could be renewed for too long, all end.
    private func renew(_ advertiseURL: String) async {
        let held = state.withLock { Array($0.entries.keys) }
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
                ? [] : try await leases.renew(node: configuration.nodeID, devices: held, ttl: configuration.leaseTTL)
            await drop(held.filter { !kept.contains($0) }, because: "its lease was lost")
            let orphans = state.withLock { state in
                defer { state.dropped = [] }
                return state.dropped.filter { state.entries[$0] == nil }
            }
            if !orphans.isEmpty { try await leases.release(node: configuration.nodeID, devices: Array(orphans)) }
            validity.renewed(at: asked)
        } catch is CancellationError {
            // The node is stopping; its leases are given up next.
        } catch {
            logger.warning("leases could not be renewed", metadata: ["error": "\(error)"])
        }
    }

    private func dropAll(because reason: String) async {
        let held = state.withLock { Array($0.entries.keys) }
        state.withLock { $0.dropped.formUnion(held) }
        await drop(held, because: reason)
    }

    /// Closes sessions without a further write: their devices are, or may be, another node's.
    private func drop(_ devices: [Int64], because reason: String) async {
        let entries = state.withLock { state in
            devices.compactMap { did in state.entries.removeValue(forKey: did).map { (did, $0) } }
        }
        if entries.isEmpty { return }
        logger.warning("sessions closed: \(reason)", metadata: ["devices": "\(entries.count)"])
        await withTaskGroup(of: Void.self) { group in
            for (_, entry) in entries { group.addTask { await Self.abandon(entry) } }
        }
    }

    /// Gives up to five devices above this node's share to others (14-storage, section 7.2).
    private func balance() async {
        do {
            let surplus = try await leases.surplus(
                node: configuration.nodeID, limit: 5, ttl: configuration.leaseTTL)
            guard surplus > 0 else { return }
            let running = state.withLock { state in
                state.entries.compactMap { did, entry -> (did: Int64, session: any DeviceClient)? in
                    if case .running(let session, _) = entry, session.state.phase == .ready {
                        (did, session)
                    } else {
                        nil
                    }
                }
            }
            var moved: [Int64] = []
            for (did, session) in running where moved.count < surplus {
                guard await session.isIdle() else { continue }
                state.withLock { _ = $0.entries.removeValue(forKey: did) }
                await session.stop()
                moved.append(did)
            }
            if !moved.isEmpty {
                try await leases.handOver(node: configuration.nodeID, devices: moved)
                logger.info("devices handed over", metadata: ["devices": "\(moved.count)"])
            }
        } catch {
            logger.debug("devices could not be handed over", metadata: ["error": "\(error)"])
        }
    }
}

import Database
import Foundation

/// A device this node may run, and the epoch that fences its writes.
package struct DeviceLease: Sendable, Equatable {
    package let did: Int64
    package let epoch: Int64
    package let deviceID: UUID
    package let tenantID: Int64
    /// Set when another node was the last to run it.
    package var takeover: LeaseTakeover?
}

/// How a device came to this node from another.
package enum LeaseTakeover: String, Sendable, CaseIterable {
    /// The other had more than its share.
    case handedOver = "handed_over"
    /// The other gave it up: it stopped, or the session there ended.
    case released
    /// The other did not renew it in time: it died, froze or lost the database.
    case expired
}

/// A lease by what fences it.
package struct HeldLease: Sendable, Hashable {
    package let did: Int64
    package let epoch: Int64

    package init(did: Int64, epoch: Int64) {
        self.did = did
        self.epoch = epoch
    }
}

/// Who runs a device.
package enum LeaseOwner: Sendable, Equatable {
    /// Held by a node that takes requests at `url`, for `expiresIn` more seconds if it is not renewed.
    case node(UUID, url: String, expiresIn: Double)
    case nobody
    case unknownDevice
}

/// Which node runs which device (14-storage, section 7). `node` is the caller's id in every call.
package struct LeaseRepository: Sendable {
    /// Channel on which releases and ends of devices are announced.
    package static let channel = "sb_lease"

    private let pool: ConnectionPool

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Announces the node and gives up what a former life of it held.
    package func register(node: UUID, name: String, url: String, version: String, maxDevices: Int) async throws {
        _ = try await pool.pipeline([
            LeaseStatements.registerNode(
                .uuid(node), SQLValue(name), SQLValue(url), SQLValue(version), SQLValue(maxDevices)),
            LeaseStatements.releaseAll(.uuid(node)),
        ])
    }

    /// - Returns: false when the others have forgotten the node: it must register again.
    package func heartbeat(node: UUID) async throws -> Bool {
        try await pool.execute(LeaseStatements.heartbeat, [.uuid(node)]) > 0
    }

    /// Says that the node claims nothing more.
    package func drain(node: UUID) async throws {
        _ = try await pool.execute(LeaseStatements.drain, [.uuid(node)])
    }

    /// Releases everything and forgets the node.
    package func unregister(node: UUID) async throws {
        _ = try await pool.pipeline([
            LeaseStatements.releaseAll(.uuid(node)), LeaseStatements.removeNode(.uuid(node)),
            LeaseStatements.notify("{}"),
        ])
    }

    /// Forgets nodes that were silent for an hour and hold nothing.
    package func reapNodes() async throws {
        _ = try await pool.execute(LeaseStatements.reapNodes)
    }

    /// How many further devices the node may claim: its share of those that should run and a tenth more, within `maximum`.
    ///
    /// - Parameter ttl: Seconds of silence after which a node counts no more, as its leases do not.
    package func room(node: UUID, maximum: Int, ttl: Double = 15) async throws -> Int {
        guard let row = try await pool.query(LeaseStatements.share, [.uuid(node), .double(ttl)]).first else { return 0 }
        let runnable: Int = try row[0]
        let nodes: Int = max(1, try row[1])
        let held: Int = try row[2]
        let share = (runnable + nodes - 1) / nodes
        return max(0, min(maximum, share + max(1, share / 10)) - held)
    }

    /// Takes up to `limit` devices that should run and that nobody holds, for `ttl` seconds.
    package func claim(node: UUID, limit: Int, ttl: Double) async throws -> [DeviceLease] {
        try await pool.query(LeaseStatements.claim, [.uuid(node), SQLValue(limit), .double(ttl)]).map(lease)
    }

    /// Takes one device on demand; nil when another node holds it or it does not exist.
    package func claim(node: UUID, did: Int64, ttl: Double) async throws -> DeviceLease? {
        try await pool.query(LeaseStatements.claimOne, [.uuid(node), .int(did), .double(ttl)]).first.map(lease)
    }

    /// - Returns: those of the devices that are still held under their epoch; the others are lost and must not be written
    ///   to.
    package func renew(node: UUID, _ held: [HeldLease], ttl: Double) async throws -> Set<Int64> {
        let rows = try await pool.query(
            LeaseStatements.renew,
            [.uuid(node), .double(ttl), .ints(held.map(\.did)), .ints(held.map(\.epoch))])
        return Set(try rows.map { try $0[0] as Int64 })
    }

    /// Gives leases up; one that was claimed anew since, also by this node, stays.
    package func release(node: UUID, _ held: [HeldLease]) async throws {
        _ = try await pool.pipeline([
            LeaseStatements.release(.uuid(node), .ints(held.map(\.did)), .ints(held.map(\.epoch))),
            LeaseStatements.notify("{}"),
        ])
    }

    /// Which of `devices` no longer exist.
    package func deleted(among devices: [Int64]) async throws -> Set<Int64> {
        Set(try await pool.query(LeaseStatements.deleted, [.ints(devices)]).map { try $0[0] as Int64 })
    }

    package func owner(did: Int64) async throws -> LeaseOwner {
        guard let row = try await pool.query(LeaseStatements.owner, [.int(did)]).first else { return .unknownDevice }
        let node: UUID? = try row[0]
        let url: String? = try row[1]
        guard let node, let url else { return .nobody }
        return .node(node, url: url, expiresIn: try row[2])
    }

    /// Ends the holds that time or a newer client version ends, of devices that this node holds or nobody.
    ///
    /// - Parameter version: The parts of the version that connections announce now.
    /// - Returns: the devices, which should run now.
    package func liftHolds(node: UUID, version: [Int64]) async throws -> [Int64] {
        try await pool.query(LeaseStatements.liftHolds, [.uuid(node), .ints(version)]).map { try $0[0] as Int64 }
    }

    /// Whether a device waits for a version that WhatsApp takes.
    package func hasOutdated() async throws -> Bool {
        try await !pool.query(LeaseStatements.outdated).isEmpty
    }

    /// How many devices should run and are held by nobody.
    package func waiting() async throws -> Int {
        try await pool.query(LeaseStatements.waiting).first?[0] ?? 0
    }

    /// Whether a device became free in the last minute: worth a look at the whole. Cheap.
    package func hasRunOut() async throws -> Bool {
        try await !pool.query(LeaseStatements.runOut).isEmpty
    }

    /// Devices of `node` above its share and a tenth, at most `limit`: for another node to take.
    package func surplus(node: UUID, limit: Int, ttl: Double = 15) async throws -> Int {
        guard let row = try await pool.query(LeaseStatements.share, [.uuid(node), .double(ttl)]).first else { return 0 }
        let (runnable, nodes, held): (Int, Int, Int) = (try row[0], try row[1], try row[2])
        guard nodes > 1 else { return 0 }
        let share = (runnable + nodes - 1) / nodes
        return max(0, min(limit, held - share - max(1, share / 10)))
    }

    /// Releases leases for the node that holds fewest.
    package func handOver(node: UUID, _ held: [HeldLease]) async throws {
        _ = try await pool.pipeline([
            LeaseStatements.handOver(.uuid(node), .ints(held.map(\.did)), .ints(held.map(\.epoch))),
            LeaseStatements.notify("{}"),
        ])
    }

    /// Tells the other nodes that a device is gone, so that whoever runs it can unlink it.
    package func announceEnd(did: Int64) async throws {
        _ = try await pool.pipeline([LeaseStatements.notify(.text(#"{"end":\#(did)}"#))])
    }

    private func lease(_ row: Row) throws -> DeviceLease {
        DeviceLease(
            did: try row["did"], epoch: try row["epoch"], deviceID: try row["device_id"],
            tenantID: try row["tenant_id"], takeover: (try row["takeover"] as String?).flatMap(LeaseTakeover.init))
    }
}

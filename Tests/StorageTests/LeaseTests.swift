import Database
import Foundation
import Messaging
import TestSupport
import Testing

@testable import Storage

@Suite("Leases among nodes")
struct LeaseTests {
    private func paired(_ fixture: StorageFixture, _ count: Int) async throws -> [Int64] {
        let tenant = try await fixture.tenant(maxDevices: count)
        var dids: [Int64] = []
        for _ in 0..<count { dids.append(try await fixture.device(of: tenant).did) }
        try await fixture.script("UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net', status = 'active'")
        return dids
    }

    @Test("six nodes claim forty devices at the same time: every device once")
    func claims() async throws {
        try await StorageFixture.run { fixture in
            let dids = try await paired(fixture, 40)
            let leases = LeaseRepository(pool: fixture.database.system)
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        let node = UUID()
                        var mine: [Int64] = []
                        while true {
                            let block = try await leases.claim(node: node, limit: 3, ttl: 60)
                            if block.isEmpty { return mine }
                            mine += block.map(\.did)
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.sorted() == dids.sorted())
        }
    }

    @Test("a claim says how the device came from another node, on demand and in the background")
    func takeovers() async throws {
        try await StorageFixture.run { fixture in
            let dids = try await paired(fixture, 4)
            let leases = LeaseRepository(pool: fixture.database.system)
            let (first, second) = (UUID(), UUID())
            for node in [first, second] {
                try await leases.register(node: node, name: "n", url: "http://n", version: "1", maxDevices: 9)
            }
            let held = try await leases.claim(node: first, limit: 9, ttl: 60)
            #expect(held.count == 4 && held.allSatisfy { $0.takeover == nil })
            // What a node has is no news to it.
            #expect(try #require(try await leases.claim(node: first, did: dids[0], ttl: 60)).takeover == nil)
            func lease(_ did: Int64) async throws -> HeldLease {
                let row = try #require(try await leases.claim(node: first, did: did, ttl: 60))
                return HeldLease(did: did, epoch: row.epoch)
            }
            try await leases.release(node: first, [try await lease(dids[0]), try await lease(dids[1])])
            try await leases.handOver(node: first, [try await lease(dids[2])])
            try await fixture.script(
                "UPDATE sb.device_leases SET expires_at = now() - interval '1 second' WHERE did = \(dids[3])")
            // Its own, given up and taken again, came from nobody else.
            let own = try #require(try await leases.claim(node: first, did: dids[1], ttl: 60))
            #expect(own.takeover == nil)
            try await leases.release(node: first, [HeldLease(did: dids[1], epoch: own.epoch)])
            let onDemand = try #require(try await leases.claim(node: second, did: dids[0], ttl: 60))
            #expect(onDemand.takeover == .released)
            let taken = try await leases.claim(node: second, limit: 9, ttl: 60)
            let how = Dictionary(uniqueKeysWithValues: taken.map { ($0.did, $0.takeover) })
            #expect(how == [dids[1]: .released, dids[2]: .handedOver, dids[3]: .expired])
        }
    }

    @Test("a transaction that holds the fence lets renewals through and keeps take-overs out until it ends")
    func fence() async throws {
        try await StorageFixture.run { fixture in
            let did = try await paired(fixture, 1)[0]
            let leases = LeaseRepository(pool: fixture.database.system)
            let (owner, rival) = (UUID(), UUID())
            let lease = try #require(try await leases.claim(node: owner, did: did, ttl: 60))
            let fence = CommitStatements.fence(.ints([did]), .ints([lease.epoch]), .uuid(owner), 1)
            try await fixture.database.system.withTransaction { transaction in
                _ = try await transaction.pipeline([fence])
                #expect(
                    try await leases.renew(node: owner, [HeldLease(did: did, epoch: lease.epoch)], ttl: 0.2) == [did])
                // The lease runs out while the transaction is still open.
                try await Task.sleep(for: .milliseconds(300))
                #expect(try await leases.claim(node: rival, limit: 10, ttl: 60).isEmpty)
                #expect(try await leases.claim(node: rival, did: did, ttl: 60) == nil)
            }
            let taken = try await leases.claim(node: rival, limit: 10, ttl: 60)
            #expect(taken.map(\.did) == [did])
            let late = await #expect(throws: DatabaseError.self) { try await fixture.database.system.pipeline([fence]) }
            #expect(late?.sqlState == .divisionByZero)
        }
    }

    @Test(
        "renewals and live states lock the rows of many devices in one order, so that they cannot wait for each other")
    func lockOrder() async throws {
        try await StorageFixture.run { fixture in
            let dids = try await paired(fixture, 2).sorted()
            let (low, high) = (dids[0], dids[1])
            let leases = LeaseRepository(pool: fixture.database.system)
            let node = UUID()
            let epochs = Dictionary(
                uniqueKeysWithValues: try await leases.claim(node: node, limit: 2, ttl: 60).map { ($0.did, $0.epoch) })
            let held = try [high, low].map { HeldLease(did: $0, epoch: try #require(epochs[$0])) }
            let states = CommitStatements.updateLiveStates(
                .ints(held.map(\.did)), .ints(held.map(\.epoch)), .texts(["loading", "loading"]), .texts(["", ""]))
            let changes: [@Sendable () async throws -> Void] = [
                { _ = try await leases.renew(node: node, held, ttl: 60) },
                { _ = try await fixture.database.system.pipeline([states]) },
            ]
            for change in changes {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    try await fixture.database.system.withTransaction { transaction in
                        _ = try await transaction.pipeline([lock(low, "FOR UPDATE")])
                        group.addTask { try await change() }
                        _ = try await eventually("a wait for the row that is locked") {
                            try await fixture.scalar(
                                "SELECT 1::bigint FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                    + "AND datname = current_database()", as: Int64.self)
                        }
                        // It has not locked the other row meanwhile.
                        _ = try await fixture.database.system.pipeline([lock(high, "FOR UPDATE NOWAIT")])
                    }
                    try await group.waitForAll()
                }
            }
        }
    }

    private func lock(_ did: Int64, _ strength: String) -> BoundStatement {
        Statement("test.lock", "SELECT 1 FROM sb.device_leases WHERE did = $1 \(strength)")(.int(did))
    }
}

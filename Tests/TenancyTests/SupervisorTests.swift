import Database
import Foundation
import GatewayTestSupport
import Logging
import Messaging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Storage
@testable import Tenancy

@Suite("Sessions and their leases", .timeLimit(.minutes(3)))
struct SupervisorTests {
    private struct Bench: Sendable {
        let fixture: GatewayFixture
        let factory: FakeFactory
        let supervisor: SessionSupervisor
        let nodeID: UUID
        let leases: LeaseRepository

        /// First column of the first row, as superuser.
        func scalar<Value: SQLDecodable>(_ sql: String) async throws -> Value? {
            let connection = try await DedicatedConnection.open(fixture.test.configuration())
            let row = try await connection.query(Statement("test.scalar", sql)).first
            await connection.close()
            return try row.flatMap { try $0[0] as Value? }
        }
    }

    /// A node over a database of its own with `count` paired devices.
    private func run(
        devices count: Int, concurrency: Int = 16, selfFence: Double = 30, isLoggedIn: Bool = true,
        adjust: (inout SessionSupervisor.Configuration) -> Void = { _ in },
        _ body: (Bench, [Int64]) async throws -> Void
    ) async throws {
        try await GatewayFixture.run { fixture in
            let tenant = try await fixture.tenant(maxDevices: max(1, count))
            var dids: [Int64] = []
            for _ in 0..<count { dids.append(try await fixture.device(of: tenant).did) }
            try await fixture.script("UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net', status = 'active'")
            let nodeID = UUID()
            let factory = FakeFactory(isLoggedIn: isLoggedIn)
            let leases = LeaseRepository(pool: fixture.database.system)
            var configuration = SessionSupervisor.Configuration(
                nodeID: nodeID, nodeName: "test", concurrency: concurrency, leaseTTL: 60, renewInterval: 0.2,
                selfFence: selfFence)
            configuration.watchInterval = 0.1
            configuration.loginPatience = 60
            adjust(&configuration)
            let supervisor = SessionSupervisor(
                leases: leases, factory: factory, configuration: configuration,
                validity: LeaseValidity(limit: selfFence),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
            let running = Task { try await supervisor.run(advertiseURL: "http://here") }
            do {
                try await body(
                    Bench(
                        fixture: fixture, factory: factory, supervisor: supervisor, nodeID: nodeID, leases: leases),
                    dids)
            } catch {
                running.cancel()
                _ = await running.result
                throw error
            }
            running.cancel()
            _ = await running.result
        }
    }

    @Test("free devices are claimed and started, and given up with a clean stop")
    func life() async throws {
        let factory = NIOLockedValueBox<FakeFactory?>(nil)
        try await run(devices: 3) { bench, dids in
            factory.withLockedValue { $0 = bench.factory }
            _ = try await eventually("three sessions", within: .seconds(60)) {
                bench.supervisor.restore.done == 3 ? true : nil
            }
            #expect(bench.supervisor.restore == RestoreProgress(total: 3, done: 3, failed: 0))
            #expect(dids.allSatisfy { bench.supervisor.running(did: $0) != nil })
            let held: Int? = try await bench.scalar(
                "SELECT count(*) FROM sb.device_leases WHERE node_id = '\(bench.nodeID)' AND expires_at > now()")
            #expect(held == 3)
            #expect(bench.factory.sessions.values.allSatisfy { $0.now.stops == 0 })
            let tally = bench.supervisor.tally
            #expect(tally.leases == 3 && tally.loggedIn == 3 && tally.losses.isEmpty && tally.takeovers.isEmpty)
            // What the server said of the prekeys of two of them.
            bench.factory.sessions[dids[0]]?.change { $0.state.preKeysLeft = 812 }
            bench.factory.sessions[dids[1]]?.change { $0.state.preKeysLeft = 4 }
            #expect(bench.supervisor.tally.preKeysLeft == 816 && bench.supervisor.tally.fewPreKeys == 1)
        }
        let sessions = try #require(factory.withLockedValue { $0 }).sessions
        #expect(sessions.count == 3 && sessions.values.allSatisfy { $0.now.stops == 1 && $0.now.abandons == 0 })
    }

    @Test("a session whose device another node took is closed without a write, and requests are sent there")
    func taken() async throws {
        try await run(devices: 1) { bench, dids in
            let did = dids[0]
            _ = try await eventually("the session", within: .seconds(60)) { bench.supervisor.running(did: did) }
            let session = try #require(bench.factory.sessions[did])
            let other = UUID()
            try await bench.leases.register(
                node: other, name: "other", url: "http://there", version: "1", maxDevices: 10)
            try await bench.fixture.script(
                """
                UPDATE sb.device_leases SET node_id = '\(other)', epoch = epoch + 1, expires_at = now() + interval '1 hour'
                WHERE did = \(did)
                """)
            _ = try await eventually("the close", within: .seconds(60)) { session.now.abandons > 0 ? true : nil }
            #expect(session.now.stops == 0 && bench.supervisor.running(did: did) == nil)
            _ = try await eventually("the loss") { bench.supervisor.tally.losses == [.taken: 1] ? true : nil }
            #expect(bench.supervisor.tally.leases == 0)
            do {
                _ = try await bench.supervisor.session(did: did)
                Issue.record("the device is still here")
            } catch SessionDirectoryError.elsewhere(let owner) {
                #expect(owner.nodeID == other && owner.url == "http://there" && owner.expiresIn > 3000)
            }
        }
    }

    @Test("a node whose leases were not renewed in time closes everything first, and goes on under new epochs")
    func frozen() async throws {
        try await run(devices: 2, selfFence: 30) { bench, dids in
            _ = try await eventually("two sessions", within: .seconds(60)) { bench.supervisor.count == 2 ? true : nil }
            let before = bench.factory.epochs
            // As after a thaw: the last renewal is long ago. One that is under way may still come in.
            _ = try await eventually("the close", within: .seconds(60)) {
                if bench.factory.abandoned == 0 { bench.supervisor.validity.renewed(at: .now - .seconds(60)) }
                return bench.factory.abandoned > 0 ? true : nil
            }
            _ = try await eventually("new sessions under new epochs", within: .seconds(60)) {
                let now = bench.factory.epochs
                return dids.allSatisfy { now[$0] ?? 0 > before[$0] ?? 0 } ? true : nil
            }
            #expect(bench.factory.abandoned >= 2 && bench.factory.stopped == 0)
            _ = try await eventually("both losses") {
                bench.supervisor.tally.losses[.unrenewed] ?? 0 >= 2 ? true : nil
            }
            #expect(bench.supervisor.tally.losses[.taken] == nil)
            // This node had them before.
            #expect(bench.supervisor.tally.takeovers.isEmpty)
        }
    }

    @Test("a restore connects so many devices at once, spread by chance, and a request waits for its device to log in")
    func concurrency() async throws {
        let draws = NIOLockedValueBox(0)
        let random = { @Sendable in draws.withLockedValue { $0 += 1 } == () ? 1.0 : 0 }
        try await run(
            devices: 9, concurrency: 3, isLoggedIn: false, adjust: { ($0.jitter, $0.random) = (0.09, random) }
        ) { bench, dids in
            _ = try await eventually("three starts", within: .seconds(60)) {
                bench.factory.sessions.count == 3 ? true : nil
            }
            #expect(bench.supervisor.restore.total == 9)
            let asked = try #require(bench.factory.sessions.keys.first)
            async let waited = bench.supervisor.session(did: asked)
            for _ in 0..<9 {
                #expect(bench.factory.connecting <= 3)
                _ = try await eventually("a login", within: .seconds(60)) { bench.factory.logInOne() ? true : nil }
            }
            #expect(try await waited.state.phase == .ready)
            _ = try await eventually("the end of the pass", within: .seconds(60)) {
                bench.supervisor.restore.done == 9 ? true : nil
            }
            #expect(Set(bench.factory.sessions.keys) == Set(dids) && draws.withLockedValue { $0 } >= 3)
        }
    }

    @Test("requests that come at once for a device nobody runs share one claim and one session")
    func parallelRequests() async throws {
        try await run(devices: 0) { bench, _ in
            let did = try await bench.fixture.device(of: try await bench.fixture.tenant()).did
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try await bench.supervisor.session(did: did) } }
                try await group.waitForAll()
            }
            #expect(bench.factory.made == 1)
            let epoch: Int64? = try await bench.scalar("SELECT epoch FROM sb.device_leases WHERE did = \(did)")
            #expect(epoch == bench.factory.epochs[did])
        }
    }

    @Test("a lease that was claimed before the one in use starts nothing, and its release takes nothing away")
    func staleLease() async throws {
        try await run(devices: 1) { bench, dids in
            let session = try await bench.supervisor.session(did: dids[0])
            let epoch = try #require(bench.factory.epochs[dids[0]])
            let stale = DeviceLease(did: dids[0], epoch: epoch - 1, deviceID: UUID(), tenantID: 1)
            #expect(try await bench.supervisor.adopt(stale).value === session)
            try await bench.leases.release(
                node: bench.nodeID, [HeldLease(did: dids[0], epoch: epoch - 1)])
            try await bench.leases.handOver(
                node: bench.nodeID, [HeldLease(did: dids[0], epoch: epoch - 1)])
            let isHeld: Bool? = try await bench.scalar(
                "SELECT expires_at > now() FROM sb.device_leases WHERE did = \(dids[0])")
            #expect(isHeld == true && bench.supervisor.running(did: dids[0]) === session)
        }
    }

    @Test("a session that lost its lease by itself is started anew without a request")
    func revived() async throws {
        try await run(devices: 1) { bench, dids in
            _ = try await eventually("the session") { bench.supervisor.running(did: dids[0]) }
            let first = try #require(bench.factory.sessions[dids[0]])
            first.change {
                $0.state.phase = .stopped
                $0.state.end = .leaseLost
            }
            _ = try await eventually("another session") {
                bench.supervisor.running(did: dids[0]).flatMap { $0 === first ? nil : $0 }
            }
            #expect(first.now.abandons == 1)
            _ = try await eventually("the loss") { bench.supervisor.tally.losses == [.taken: 1] ? true : nil }
        }
    }

    @Test("devices of a node that died and of one that stopped are counted as taken over, each as it came")
    func takeovers() async throws {
        try await run(devices: 0) { bench, _ in
            let tenant = try await bench.fixture.tenant(maxDevices: 3)
            var dids: [Int64] = []
            for _ in 0..<3 { dids.append(try await bench.fixture.device(of: tenant).did) }
            let other = UUID()
            try await bench.leases.register(
                node: other, name: "other", url: "http://there", version: "1", maxDevices: 10)
            for did in dids { _ = try await bench.leases.claim(node: other, did: did, ttl: 60) }
            let list = dids.map(String.init).joined(separator: ", ")
            try await bench.fixture.script(
                """
                UPDATE sb.device_leases SET expires_at = CASE WHEN did = \(dids[0]) THEN '-infinity'
                  ELSE now() - interval '2 seconds' END WHERE did IN (\(list));
                UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net', status = 'active'
                WHERE did IN (\(dids[0]), \(dids[1]));
                """)
            _ = try await eventually("two take-overs in the background", within: .seconds(60)) {
                bench.supervisor.tally.takeovers == [.released: 1, .expired: 1] ? true : nil
            }
            _ = try await bench.supervisor.session(did: dids[2])
            #expect(bench.supervisor.tally.takeovers == [.released: 1, .expired: 2])
            #expect(bench.supervisor.tally.leases == 3)
        }
    }

    @Test("a ban that is over and a version that is newer than the refused one bring devices back; other holds stay")
    func holdsLifted() async throws {
        try await run(devices: 4) { bench, dids in
            _ = try await eventually("four sessions", within: .seconds(60)) {
                bench.supervisor.restore.done == 4 ? true : nil
            }
            let builtIn = WhatsAppVersion.builtIn
            let holds = [
                "held_reason = 'temporarily_banned', held_until = now() + interval '1 hour'",
                "held_reason = 'client_outdated', end_text = '\(builtIn.major).\(builtIn.minor).\(builtIn.revision - 1)'",
                "held_reason = 'client_outdated', end_text = '\(builtIn.text)'", "held_reason = 'stream_replaced'",
            ]
            for (did, hold) in zip(dids, holds) {
                try await bench.fixture.script("UPDATE sb.devices SET desired = 'held', \(hold) WHERE did = \(did)")
            }
            // The first two of them run here; the others do not run at all.
            for did in dids.suffix(2) { await bench.supervisor.stop(did: did) }
            let outdated = try #require(bench.factory.sessions[dids[1]])
            _ = try await eventually("the outdated device") { outdated.now.resumes == 1 ? true : nil }
            let banned = try #require(bench.factory.sessions[dids[0]])
            #expect(banned.now.resumes == 0)
            try await bench.fixture.script(
                "UPDATE sb.devices SET held_until = now() - interval '1 second' WHERE did = \(dids[0])")
            _ = try await eventually("the banned device") { banned.now.resumes == 1 ? true : nil }
            let held: Int? = try await bench.scalar(
                "SELECT count(*) FROM sb.devices WHERE desired = 'held' AND held_reason IS NOT NULL")
            #expect(held == 2 && bench.supervisor.running(did: dids[2]) == nil)
            // Nobody runs it: it is claimed as any other that should run.
            try await bench.fixture.script("UPDATE sb.devices SET end_text = '2.3000.1' WHERE did = \(dids[2])")
            _ = try await eventually("the other outdated device") { bench.supervisor.running(did: dids[2]) }
            #expect(bench.supervisor.running(did: dids[3]) == nil)
        }
    }

    @Test("a hold that is lifted while the session of its device starts is told to that session")
    func liftedWhileStarting() async throws {
        try await run(devices: 1) { bench, dids in
            _ = try await eventually("the session", within: .seconds(60)) { bench.supervisor.running(did: dids[0]) }
            await bench.supervisor.stop(did: dids[0])
            let (gate, opener) = AsyncStream.makeStream(of: Void.self)
            bench.factory.startGate.withLockedValue { $0 = gate }
            try await bench.fixture.script(
                """
                UPDATE sb.devices SET desired = 'held', held_reason = 'temporarily_banned',
                  held_until = now() + interval '1 hour' WHERE did = \(dids[0])
                """)
            // Somebody asks for the held device, and the ban ends before its session has started.
            async let asked = bench.supervisor.session(did: dids[0])
            _ = try await eventually("the start", within: .seconds(60)) { bench.factory.made == 2 ? true : nil }
            try await bench.fixture.script("UPDATE sb.devices SET held_until = now() - interval '1 second'")
            _ = try await eventually("the end of the hold", within: .seconds(60)) {
                try await bench.scalar("SELECT count(*) FROM sb.devices WHERE desired = 'run'") == 1 ? true : nil
            }
            opener.finish()
            _ = try await asked
            let session = try #require(bench.factory.sessions[dids[0]])
            _ = try await eventually("it is told", within: .seconds(60)) { session.now.resumes == 1 ? true : nil }
        }
    }

    @Test("leases that cannot be renewed because the database hangs close their sessions all the same")
    func hungDatabase() async throws {
        try await run(devices: 1, selfFence: 2) { bench, dids in
            _ = try await eventually("the session") { bench.supervisor.running(did: dids[0]) }
            let session = try #require(bench.factory.sessions[dids[0]])
            let lock = try await DedicatedConnection.open(bench.fixture.test.configuration())
            try await lock.script("BEGIN; LOCK TABLE sb.nodes, sb.device_leases IN ACCESS EXCLUSIVE MODE")
            _ = try await eventually("the close") { session.now.abandons > 0 ? true : nil }
            try await lock.script("ROLLBACK")
            await lock.close()
            _ = try await eventually("another session") {
                bench.supervisor.running(did: dids[0]).flatMap { $0 === session ? nil : $0 }
            }
        }
    }

    @Test("a session that takes long to stop holds no lease of the others up")
    func slowStop() async throws {
        let tidy: (inout SessionSupervisor.Configuration) -> Void = {
            ($0.balanceInterval, $0.unpairedLife) = (0.1, 0)
        }
        try await run(devices: 2, selfFence: 6, adjust: tidy) { bench, dids in
            _ = try await eventually("the sessions") { bench.supervisor.restore.done == 2 ? true : nil }
            let (gate, opener) = AsyncStream.makeStream(of: Void.self)
            defer { opener.finish() }
            let stuck = try #require(bench.factory.sessions[dids[0]])
            let other = try #require(bench.factory.sessions[dids[1]])
            stuck.change { script in
                (script.stopGate, script.state.phase, script.state.jid) = (gate, .idle, nil)
            }
            _ = try await eventually("the stop") { stuck.now.stops > 0 ? true : nil }
            try await Task.sleep(for: .seconds(8))
            #expect(other.now.abandons == 0 && stuck.now.stops == 1)
        }
    }

    @Test("devices that wait for a login are no load: what others leave is claimed beside them")
    func load() async throws {
        try await GatewayFixture.run { fixture in
            let tenant = try await fixture.tenant(maxDevices: 30)
            var dids: [Int64] = []
            for _ in 0..<12 { dids.append(try await fixture.device(of: tenant).did) }
            let leases = LeaseRepository(pool: fixture.database.system)
            let (node, other) = (UUID(), UUID())
            for id in [node, other] {
                try await leases.register(node: id, name: "n", url: "http://n", version: "1", maxDevices: 99)
            }
            for did in dids { _ = try await leases.claim(node: node, did: did, ttl: 60) }
            #expect(try await leases.surplus(node: node, limit: 5, ttl: 60) == 0)
            for _ in 0..<4 { dids.append(try await fixture.device(of: tenant).did) }
            let paired = dids.suffix(4).map(String.init).joined(separator: ", ")
            try await fixture.script(
                "UPDATE sb.devices SET jid = did || ':1@s.whatsapp.net', status = 'active' WHERE did IN (\(paired))")
            #expect(try await leases.room(node: node, maximum: 99, ttl: 60) == 3)
        }
    }

    @Test("a device whose deletion was not announced is unlinked when its lease is found gone")
    func deletedUnheard() async throws {
        try await run(devices: 1) { bench, dids in
            _ = try await eventually("the session") { bench.supervisor.running(did: dids[0]) }
            let session = try #require(bench.factory.sessions[dids[0]])
            try await bench.fixture.script(
                """
                INSERT INTO sb.device_tombstones (device_id, did, tenant_id)
                  SELECT device_id, did, tenant_id FROM sb.devices WHERE did = \(dids[0]);
                DELETE FROM sb.devices WHERE did = \(dids[0]);
                """)
            _ = try await eventually("the logout") { session.now.logouts > 0 && session.now.stops > 0 ? true : nil }
            #expect(session.now.logouts == 1 && bench.supervisor.count == 0)
        }
    }

    @Test("a device that another node handed over is for the preferred node, and released ones are seen")
    func handOver() async throws {
        try await GatewayFixture.run { fixture in
            let did = try await fixture.device(of: try await fixture.tenant()).did
            try await fixture.script("UPDATE sb.devices SET jid = '1:1@s.whatsapp.net', status = 'active'")
            let leases = LeaseRepository(pool: fixture.database.system)
            let (full, empty, third) = (UUID(), UUID(), UUID())
            for node in [full, empty] {
                try await leases.register(node: node, name: "n", url: "http://n", version: "1", maxDevices: 10)
            }
            let held = try #require(try await leases.claim(node: full, limit: 5, ttl: 60).first)
            #expect(held.did == did)
            #expect(try await leases.claim(node: empty, limit: 5, ttl: 60).isEmpty)
            #expect(try await !leases.hasRunOut())
            try await leases.handOver(node: full, [HeldLease(did: did, epoch: held.epoch)])
            #expect(try await leases.hasRunOut())
            #expect(try await leases.claim(node: third, limit: 5, ttl: 60).isEmpty)
            #expect(try await leases.claim(node: empty, limit: 5, ttl: 60).map(\.did) == [did])
        }
    }
}

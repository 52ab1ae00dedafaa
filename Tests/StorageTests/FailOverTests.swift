import Cryptography
import Database
import Foundation
import Logging
import NIOCore
import NIOPosix
import Signal
import Synchronization
import TestSupport
import Testing
import Transport

@testable import Messaging
@testable import Storage

/// A real server that is replaced by a copy of what it was, on a new timeline, as a promoted replica that lacks the last
/// commits is (16-performance-durability, section 1.8).
@Suite("A database that lost commits", .timeLimit(.minutes(5)))
struct FailOverTests {
    private static let peer = SignalAddress(.lid("222333444555666"))
    private static let group = "120363000000000001@g.us"

    /// What a process holds of one device.
    private struct Sender {
        let lease: DeviceLease
        let world: World
        var sessions: SessionSlots
        var senderKeys = SenderKeySlots()
        var tickets = CommitTickets()
        let own = SignalIdentity(keyPair: .generate(random: SystemRandom()), registrationID: 5)
        private let name = SenderKeyName(group: FailOverTests.group, sender: SignalAddress(.lid("1", device: 7)))
        private let now = Timestamp(seconds: 1)

        init(_ lease: DeviceLease, _ world: World) {
            self.lease = lease
            self.world = world
            sessions = SessionSlots(epoch: lease.epoch)
        }

        mutating func load() async throws {
            let address = FailOverTests.peer
            let rows = try await world.store.sessions(did: lease.did, addresses: [address.description])
            let unreadable = sessions.adopt(rows, identities: [:], for: [address], now: now)
            #expect(unreadable.isEmpty)
            let key = try await world.store.senderKey(
                did: lease.did, group: name.group, sender: name.sender.description)
            let isReadable = senderKeys.adopt(key, for: name, now: now)
            #expect(isReadable)
        }

        private func draft() -> SignalDraft {
            SignalDraft(ticket: tickets.next, changes: ChangeSet(did: lease.did, epoch: lease.epoch))
        }

        mutating func start(with bundle: PreKeyBundle) async throws {
            var draft = draft()
            _ = try sessions.start(
                bundle: bundle, at: FailOverTests.peer, own: own, random: SystemRandom(), draft: &draft, now: now)
            try await commit(draft)
        }

        var hasSession: Bool { sessions.hasSession(FailOverTests.peer) }

        /// Sends `count` messages to the peer and the group, each committed as it must be before it leaves. Returns where the
        /// chains stood at each.
        mutating func send(_ count: Int) async throws -> Used {
            var used = Used()
            for _ in 0..<count {
                var draft = draft()
                let text = try sessions.encrypt([1], to: FailOverTests.peer, draft: &draft, now: now)
                let message =
                    text.type == .preKey
                    ? try PreKeySignalMessage(parsing: text.bytes).message : try SignalMessage(parsing: text.bytes)
                let group = try senderKeys.encrypt(
                    [2], as: name, random: SystemRandom(), revision: sessions.nextRevision(), draft: &draft, now: now)
                let groupMessage = try SenderKeyMessage(parsing: group.ciphertext)
                try await commit(draft)
                used.pairwise.append(Used.Position(key: message.ratchetKey.raw, number: message.counter))
                used.group.append(
                    Used.Position(key: Array("\(groupMessage.keyID)".utf8), number: groupMessage.iteration))
            }
            return used
        }

        /// As `DeviceSession.storeLostCommits`.
        mutating func rewrite() async throws {
            var draft = draft()
            sessions.rewrite(draft: &draft)
            senderKeys.rewrite(draft: &draft) { sessions.nextRevision() }
            try await commit(draft)
        }

        private mutating func commit(_ draft: SignalDraft) async throws {
            guard !draft.changes.isEmpty else { return }
            let ticket = tickets.submitted()
            let (commits, changes) = (world.commits, draft.changes)
            try await commits.eventLoop.flatSubmit { commits.submit(changes) }.get()
            tickets.done(ticket)
            sessions.committed(draft.sessionReceipts)
            senderKeys.committed(draft.senderKeyReceipts)
        }
    }

    private struct Used {
        struct Position: Hashable {
            let key: [UInt8]
            let number: UInt32
        }

        var pairwise: [Position] = []
        var group: [Position] = []

        func isDisjoint(with other: Used) -> Bool {
            Set(pairwise).isDisjoint(with: other.pairwise) && Set(group).isDisjoint(with: other.group)
        }
    }

    /// The parts of one process over the server.
    private struct World {
        let history: StoreHistory
        let losses: Mutexed
        let database: StorageDatabase
        let commits: GroupCommit
        let envelope: SecretEnvelope
        var store: PostgresDeviceStore { PostgresDeviceStore(database, envelope: envelope, history: history) }

        final class Mutexed: Sendable {
            let count = Mutex(0)
        }

        init(_ uri: String, node: UUID) async throws {
            let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let (history, losses) = (StoreHistory(logger: silent), Mutexed())
            history.onLoss { losses.count.withLock { $0 += 1 } }
            (self.history, self.losses) = (history, losses)
            database = try await StorageDatabase.open(
                DatabaseConfiguration(uri: uri, acquireTimeout: .seconds(60)), history: history, logger: silent)
            envelope = try SecretEnvelope(key: SecretBytes(Array(repeating: 7, count: 32)), sealsSessionData: true)
            commits = GroupCommit(
                eventLoop: MultiThreadedEventLoopGroup.singleton.next(), database: database, nodeID: node,
                envelope: envelope, options: CommitOptions(), logger: silent, onEvents: { _ in },
                pause: { _ in try? await Task.sleep(for: .milliseconds(20)) })
        }

        func close() async {
            try? await commits.shutdown(timeout: .seconds(1))
            await database.shutdown()
        }
    }

    /// A cluster in a directory of its own, with the moves an operator makes.
    private final class Cluster {
        let directory = "/tmp/sbtest-\(UUID().uuidString.prefix(8).lowercased())"
        private(set) var server: EmbeddedPostgres

        init() async throws {
            server = try await EmbeddedPostgres.start(in: directory, options: Self.options)
        }

        private static var options: EmbeddedPostgres.Options {
            var options = EmbeddedPostgres.Options()
            options.durable = false
            return options
        }

        func copy() async throws {
            await server.stop()
            try Self.run(["cp", "-a", server.clusterDirectory, "\(directory)/copy"])
            server = try await EmbeddedPostgres.start(in: directory, options: Self.options)
        }

        /// The server dies, and the copy takes its place as the leader of a new timeline.
        func failOver() async throws {
            kill(server.processID, SIGKILL)
            let (gone, files) = (server, FileManager.default)
            _ = try await eventually("the end of the server", within: .seconds(60)) { gone.isRunning ? nil : true }
            let cluster = server.clusterDirectory
            // Its children end when they notice; until then they hold the shared memory of the directory.
            try Self.run(["mv", cluster, "\(directory)/gone"])
            try Self.run(["mv", "\(directory)/copy", cluster])
            try Self.run(["cp", "-p", "\(cluster)/PG_VERSION", "\(cluster)/recovery.signal"])
            let settings = URL(fileURLWithPath: "\(cluster)/postgresql.auto.conf")
            let handle = try FileHandle(forWritingTo: settings)
            try handle.seekToEnd()
            try handle.write(contentsOf: Data("restore_command = 'false'\n".utf8))
            try handle.close()
            try? files.removeItem(atPath: "\(cluster)/postmaster.pid")
            server = try await EmbeddedPostgres.start(in: directory, options: Self.options)
        }

        func remove() async {
            await server.stop()
            try? FileManager.default.removeItem(atPath: directory)
        }

        private static func run(_ command: [String]) throws {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = command
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "\(command)")
        }
    }

    private static func bundle() -> PreKeyBundle {
        let identity = KeyPair.generate(random: SystemRandom())
        let signed = SignedPreKey.generate(id: 1, identity: identity, random: SystemRandom())
        return PreKeyBundle(
            registrationID: 77, deviceID: 0, identityKey: identity.publicKey, signedPreKeyID: 1,
            signedPreKey: signed.keyPair.publicKey, signedPreKeySignature: signed.signature)
    }

    @Test("no position of a chain is used twice when a fail-over takes commits back, by who lives on and by who starts")
    func failOver() async throws {
        let cluster = try await Cluster()
        do {
            try await failOver(cluster)
            await cluster.remove()
        } catch {
            await cluster.remove()
            throw error
        }
    }

    @Test("a dump that is loaded into another database of the same server is known for a restored backup")
    func dump() async throws {
        let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        try await PostgresFixture.withDatabase(migrations: EmbeddedMigrations.all) { first in
            let history = StoreHistory(logger: silent)
            let dumped = try await StorageDatabase.open(
                first.configuration(), migrations: .check, history: history, logger: silent)
            let known = try #require(try await SettingsRepository(dumped).value("store"))
            #expect(history.loss(sinceWrite: Timestamp(seconds: 1)) == nil)
            await dumped.shutdown()
            try await PostgresFixture.withDatabase(migrations: EmbeddedMigrations.all) { second in
                let connection = try await DedicatedConnection.open(second.configuration())
                try await connection.script("INSERT INTO sb.settings (key, value) VALUES ('store', '\(known)')")
                await connection.close()
                let history = StoreHistory(logger: silent)
                let loaded = try await StorageDatabase.open(
                    second.configuration(), migrations: .check, history: history, logger: silent)
                try await loaded.probe()
                #expect(history.loss(sinceWrite: Timestamp(seconds: 1)) == .much)
                await loaded.shutdown()
            }
        }
    }

    private func failOver(_ cluster: Cluster) async throws {
        let node = UUID()
        let world = try await World(cluster.server.uri, node: node)
        let leases = LeaseRepository(pool: world.database.system)
        try await leases.register(node: node, name: "test", url: "http://127.0.0.1", version: "1", maxDevices: 9)
        let tenant = try await TenantRepository(world.database).create(
            NewTenant(customerName: "Harbour Ltd", maxDevices: 9),
            key: APIKeyDigest(hash: SystemRandom().bytes(32), prefix: "wam_0a1b", suffix: "9f3c"))
        var senders: [Sender] = []
        for name in ["lives on", "starts", "is restored"] {
            let device = try await DeviceRepository(world.database).create(
                TenantScope(tenantID: tenant.id), deviceID: UUID(), name: name, secretHash: SystemRandom().bytes(32))
            let lease = try #require(try await leases.claim(node: node, did: device.did, ttl: 3600))
            var sender = Sender(lease, world)
            try await sender.load()
            try await sender.start(with: Self.bundle())
            _ = try await sender.send(3)
            senders.append(sender)
        }
        try await cluster.copy()
        var used: [Used] = []
        for index in senders.indices { used.append(try await senders[index].send(40)) }
        try await world.history.check(world.database)
        #expect(world.losses.count.withLock { $0 } == 0)

        try await cluster.failOver()
        // The commit of the first that lives on finds another timeline before it is made.
        let first = try await senders[0].send(60)
        #expect(world.losses.count.withLock { $0 } == 1)
        #expect(first.isDisjoint(with: used[0]))
        try await senders[0].rewrite()

        for (index, sender) in senders.enumerated().prefix(2) {
            var next = Sender(sender.lease, world)
            try await next.load()
            let after = try await next.send(5)
            #expect(after.isDisjoint(with: used[index]))
            if index == 0 { #expect(after.isDisjoint(with: first)) }
        }
        // A process that starts later knows as well, and leaves alone what was written since.
        let later = try await World(cluster.server.uri, node: node)
        let address = Self.peer.description
        let losses = try await [senders[1], senders[2]].asyncMap { sender in
            try await later.store.sessions(did: sender.lease.did, addresses: [address])[address]?.loss
        }
        #expect(losses.count == 2 && losses[1] == .some(.some))
        #expect(later.losses.count.withLock { $0 } == 0)

        // After a backup was restored, no stored chain sends any more.
        try await StoreHistory.noteRestore(world.database.system)
        let restored = try await World(cluster.server.uri, node: node)
        var last = Sender(senders[2].lease, restored)
        try await last.load()
        #expect(!last.hasSession)
        await #expect(throws: SignalError.noSession) { _ = try await last.send(1) }
        try await last.start(with: Self.bundle())
        #expect(try await last.send(5).isDisjoint(with: used[2]))
        let (found, known) = try await StoreHistory.inspect(restored.database.system)
        #expect(found == known && found?.timeline == "00000002")
        await restored.close()
        await later.close()
        await world.close()
    }
}

extension Array {
    fileprivate func asyncMap<Result>(_ transform: (Element) async throws -> Result) async rethrows -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await transform(element)) }
        return results
    }
}

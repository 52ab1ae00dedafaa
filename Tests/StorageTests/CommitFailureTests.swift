import Database
import Foundation
import Messaging
import NIOCore
import TestSupport
import Testing

@testable import Storage

@Suite("Group commit: leases, faults and lost connections")
struct CommitFailureTests {
    @Test("a stale epoch writes nothing, and the other devices of the batch commit")
    func fencing() async throws {
        try await CommitFixture.run { fixture in
            let lost = try await fixture.device()
            let kept = try await fixture.device()
            try await fixture.submit(
                ChangeSet(lost) { $0.sessions = [SessionImage(address: "a:1", rev: 1, record: [1])] })
            // Another node takes the device over.
            try await LeaseRepository(pool: fixture.storage.database.system).release(
                node: fixture.nodeID, [HeldLease(did: lost.did, epoch: lost.epoch)])
            let taken = try await fixture.claim(lost.did, node: UUID())
            #expect(taken.epoch > lost.epoch)
            let outcomes = try await fixture.submitTogether([
                ChangeSet(lost) { $0.sessions = [SessionImage(address: "a:1", rev: 2, record: [2])] },
                ChangeSet(kept) { $0.sessions = [SessionImage(address: "a:1", rev: 2, record: [3])] },
                ChangeSet(lost) { $0.sessions = [SessionImage(address: "a:1", rev: 3, record: [4])] },
            ])
            #expect(outcomes == [.fenced, nil, .fenced])
            #expect(try await fixture.store.sessions(did: lost.did, addresses: ["a:1"])["a:1"]?.record == [1])
            #expect(try await fixture.store.sessions(did: kept.did, addresses: ["a:1"])["a:1"]?.record == [3])
            await #expect(throws: CommitError.fenced) {
                try await fixture.submit(ChangeSet(lost) { $0.nextPreKeyID = 1 })
            }
            // The node claims it back: its new session writes, and what the old one left waiting does not.
            try await fixture.storage.script(
                "UPDATE sb.device_leases SET expires_at = '-infinity' WHERE did = \(lost.did)")
            let again = try await fixture.claim(lost.did)
            try await fixture.submit(
                ChangeSet(again) { $0.sessions = [SessionImage(address: "a:1", rev: 9, record: [5])] })
            #expect(try await fixture.store.sessions(did: lost.did, addresses: ["a:1"])["a:1"]?.record == [5])
        }
    }

    @Test("rows that the database refuses stop their device alone")
    func rejectedRows() async throws {
        try await CommitFixture.run { fixture in
            let faulty = try await fixture.device()
            let healthy = try await fixture.device()
            let outcomes = try await fixture.submitTogether([
                ChangeSet(healthy) { $0.messages = [.sample(id: "1")] },
                // An identity has 32 bytes.
                ChangeSet(faulty) { $0.identities = [IdentityRow(address: "a:1", identity: [1])] },
                ChangeSet(healthy) { $0.messages = [.sample(id: "2")] },
                ChangeSet(faulty) { $0.messages = [.sample(id: "3")] },
            ])
            #expect(outcomes[0] == nil && outcomes[2] == nil)
            guard case .rejected? = outcomes[1], case .rejected? = outcomes[3] else {
                Issue.record("\(outcomes)")
                return
            }
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 2)
            try await fixture.submit(ChangeSet(healthy) { $0.messages = [.sample(id: "4")] })
        }
    }

    @Test("a table that is away for a moment, as while a backup is restored, refuses nothing")
    func missingTable() async throws {
        try await CommitFixture.run { fixture in
            let device = try await fixture.device()
            try await fixture.submit(ChangeSet(device) { $0.messages = [.sample(id: "1")] })
            try await fixture.storage.script("ALTER TABLE sb.messages RENAME TO messages_away")
            let waiting = try await fixture.commits.eventLoop.submit {
                fixture.commits.submit(ChangeSet(device) { $0.messages = [.sample(id: "2")] })
            }.get()
            try await Task.sleep(for: .milliseconds(300))
            #expect(fixture.commits.pendingBytes > 0)
            try await fixture.storage.script("ALTER TABLE sb.messages_away RENAME TO messages")
            try await waiting.get()
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 2)
        }
    }

    @Test("of sets sent together only the one whose rows are refused fails, and what came after it; then it goes on")
    func refusedSet() async throws {
        try await CommitFixture.run { fixture in
            let device = try await fixture.device()
            let outcomes = try await fixture.submitTogether([
                ChangeSet(device) { $0.messages = [.sample(id: "1")] },
                ChangeSet(device) { $0.messages = [.sample(id: "2")] },
                ChangeSet(device) { $0.chats = [ChatUpdate(chat: "a", kind: .user, unreadIncrement: 1 << 40)] },
                ChangeSet(device) { $0.messages = [.sample(id: "3")] },
            ])
            #expect(outcomes[0] == nil && outcomes[1] == nil)
            guard case .rejected? = outcomes[2], case .rejected? = outcomes[3] else {
                Issue.record("\(outcomes)")
                return
            }
            try await fixture.submit(ChangeSet(device) { $0.messages = [.sample(id: "4")] })
            let stored: String? = try await fixture.storage.scalar(
                "SELECT string_agg(message_id, ' ' ORDER BY message_id) FROM sb.messages")
            #expect(stored == "1 2 4")
            #expect(fixture.commits.pendingBytes == 0)
        }
    }

    @Test("killing the backends again and again loses nothing and applies nothing twice")
    func unknownOutcomes() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let chat = "1@s.whatsapp.net"
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        try await fixture.storage.script(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%/commit' AND datname = current_database()"
                        )
                        try? await Task.sleep(for: .milliseconds(60))
                    }
                }
                for number in 1...30 {
                    try await fixture.submit(
                        ChangeSet(lease) { set in
                            set.messages = [.sample(id: "\(number)")]
                            set.sessions = [SessionImage(address: "a:1", rev: Int64(number), record: [UInt8(number)])]
                            set.chats = [ChatUpdate(chat: chat, kind: .user, unreadIncrement: 1)]
                        })
                }
                group.cancelAll()
                do { while try await group.next() != nil {} } catch is CancellationError {}
            }
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 30)
            let unread: Int? = try await fixture.storage.scalar("SELECT unread_count FROM sb.chats")
            #expect(unread == 30)
            #expect(try await fixture.store.sessions(did: lease.did, addresses: ["a:1"])["a:1"]?.rev == 30)
        }
    }

    @Test("a queue that was quiet for so long that its position was removed commits again")
    func quietQueue() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            try await fixture.submit(ChangeSet(lease) { $0.device.pushName = "before" })
            try await fixture.storage.script("UPDATE sb.commit_positions SET at = now() - interval '2 days'")
            try await HousekeepingRepository(fixture.storage.database).removeExpired()
            let left: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.commit_positions")
            #expect(left == 0)
            try await fixture.submit(ChangeSet(lease) { $0.device.pushName = "after" })
            let name: String? = try await fixture.storage.scalar("SELECT push_name FROM sb.devices")
            #expect(name == "after")
        }
    }

    @Test("a batch whose outcome is unknown is asked for by its position, and made void when it was not applied")
    func positions() async throws {
        try await CommitFixture.run { fixture in
            let queue = UUID()
            let connection = try await DedicatedConnection.open(fixture.storage.test.configuration(role: "sb_commit"))
            let batch = [
                CommitStatements.begin(), CommitStatements.position(.uuid(queue), 1), CommitStatements.commit(),
            ]
            _ = try await connection.pipeline(batch)
            func settled(_ position: Int64) async throws -> Bool {
                let results = try await connection.pipeline([
                    CommitStatements.void(.uuid(queue), .int(position)), CommitStatements.currentPosition(.uuid(queue)),
                ])
                return try #require(results.last?.rows.first)[0] == position
            }
            #expect(try await settled(1))
            // Asking twice gives the same answer: the first answer may have been lost.
            #expect(try await !settled(2))
            #expect(try await !settled(2))
            // The batch that was made void arrives late, from the connection that was thought dead.
            let late = await #expect(throws: DatabaseError.self) {
                try await connection.pipeline([
                    CommitStatements.begin(), CommitStatements.position(.uuid(queue), 2), CommitStatements.commit(),
                ])
            }
            #expect(late?.sqlState == .divisionByZero)
            await connection.close()
        }
    }

    @Test("while the store is away callers are told so, and their sets are applied when it is back")
    func patience() async throws {
        try await CommitFixture.run(options: CommitOptions(patience: .seconds(1))) { fixture in
            let lease = try await fixture.device()
            // On a busy machine even the first commit may take longer than the patience.
            func untilCommitted(_ id: String) async throws {
                while true {
                    do {
                        return try await fixture.submit(ChangeSet(lease) { $0.messages = [.sample(id: id)] })
                    } catch CommitError.unavailable {}
                }
            }
            try await untilCommitted("0")
            let name = fixture.storage.test.name
            try await PostgresFixture.script(
                """
                ALTER DATABASE \(name) ALLOW_CONNECTIONS false;
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%/commit' AND datname = '\(name)';
                """)
            await #expect(throws: CommitError.unavailable) {
                try await fixture.submit(ChangeSet(lease) { $0.messages = [.sample(id: "1")] })
            }
            #expect(fixture.commits.pendingBytes > 0)
            try await PostgresFixture.script("ALTER DATABASE \(name) ALLOW_CONNECTIONS true")
            // The queue keeps its order: this one follows the set that its caller gave up on.
            try await untilCommitted("2")
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 3)
            #expect(fixture.commits.pendingBytes == 0)
        }
    }

    @Test("sets of many devices go together, in the order of each device")
    func throughput() async throws {
        try await CommitFixture.run { fixture in
            var leases: [DeviceLease] = []
            for _ in 0..<10 { leases.append(try await fixture.device()) }
            let sets = (0..<200).flatMap { round in
                leases.map { lease in
                    ChangeSet(lease) { set in
                        set.sessions = [SessionImage(address: "a:1", rev: Int64(round + 1), record: [UInt8(round)])]
                        set.messages = [.sample(id: "\(round)")]
                    }
                }
            }
            let outcomes = try await fixture.submitTogether(sets)
            #expect(outcomes.allSatisfy { $0 == nil })
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 2000)
            for lease in leases {
                #expect(try await fixture.store.sessions(did: lease.did, addresses: ["a:1"])["a:1"]?.rev == 200)
            }
        }
    }
}

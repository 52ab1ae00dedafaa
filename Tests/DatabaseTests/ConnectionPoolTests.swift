import Foundation
import Logging
import TestSupport
import Testing

@testable import Database

@Suite("Pool over real PostgreSQL: faults, limits, transactions")
struct ConnectionPoolTests {
    static let sleep = Statement("test.sleep", "SELECT pg_sleep($1)")
    static let backend = Statement("test.backend", "SELECT pg_backend_pid()")
    static let terminate = Statement("test.terminate", "SELECT pg_terminate_backend($1)")
    static let one = Statement("test.one", "SELECT 1")
    private static let sleeping = Statement(
        "test.sleeping",
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep($1)%' AND state = 'active' AND pid <> pg_backend_pid()"
    )

    /// Waits until a backend sleeps in this database and returns it.
    static func sleepingBackend(_ pool: ConnectionPool) async throws -> Int64 {
        while true {
            if let row = try await pool.query(sleeping).first { return try row[0] }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func quiet(_ configuration: DatabaseConfiguration) -> ConnectionPool {
        ConnectionPool(
            configuration: configuration, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    @Test("a backend killed in mid-query gives a typed error, and the pool goes on with a new connection")
    func killedMidQuery() async throws {
        try await PostgresFixture.withDatabase { database in
            let (pool, other) = (database.pool(size: 1), database.pool(size: 1))
            async let slow = pool.query(Self.sleep, [30.0])
            let pid = try await Self.sleepingBackend(other)
            _ = try await other.query(Self.terminate, [.int(pid)])
            do {
                _ = try await slow
                Issue.record("the query survived")
            } catch let error as DatabaseError {
                guard case .connectionLost(_, .adminShutdown, outcomeUnknown: true) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(error.isUnavailability)
            }
            #expect(try await pool.query(Self.backend).first?[0] != pid)
            await pool.shutdown()
            await other.shutdown()
        }
    }

    @Test("an idle connection that the server closed is not handed out")
    func killedIdle() async throws {
        try await PostgresFixture.withDatabase { database in
            let (pool, other) = (database.pool(size: 1), database.pool(size: 1))
            let pid: Int64 = try #require(try await pool.query(Self.backend).first)[0]
            _ = try await other.query(Self.terminate, [.int(pid)])
            while await pool.usage.idle > 0 { await Task.yield() }
            let next: Int64 = try #require(try await pool.query(Self.backend).first)[0]
            #expect(next != pid)
            await pool.shutdown()
            await other.shutdown()
        }
    }

    @Test("cancelling a task ends its statement on the server and keeps the connection")
    func cancellation() async throws {
        try await PostgresFixture.withDatabase { database in
            let (pool, other) = (database.pool(size: 1), database.pool(size: 1))
            let before: Int64 = try #require(try await pool.query(Self.backend).first)[0]
            let task = Task { try await pool.query(Self.sleep, [30.0]) }
            _ = try await Self.sleepingBackend(other)
            let started = ContinuousClock.now
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(.now - started < .seconds(10))
            let after: Int64 = try #require(try await pool.query(Self.backend).first)[0]
            #expect(after == before)
            await pool.shutdown()
            await other.shutdown()
        }
    }

    @Test("work that is cancelled while it is being prepared ends, and its connection goes on")
    func cancelledPreparation() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            _ = try await pool.query(Self.one)
            for round in 0..<300 {
                let statement = Statement("test.prepared_\(round)", "SELECT \(round)")
                let task = Task { try await pool.query(statement) }
                // A little later each time, so that some requests meet the preparation and some the work.
                let moment = ContinuousClock.now + .microseconds(round * 5)
                while ContinuousClock.now < moment { await Task.yield() }
                task.cancel()
                do { _ = try await task.value } catch is CancellationError {}
            }
            _ = try await pool.query(Self.one)
            await pool.shutdown()
        }
    }

    @Test("callers wait in turn, give up after the time-out, and leave the queue when cancelled")
    func exhaustion() async throws {
        try await PostgresFixture.withDatabase { database in
            var configuration = database.configuration(poolSize: 1)
            configuration.acquireTimeout = .seconds(2)
            let pool = ConnectionPool(configuration: configuration)
            try await pool.withTransaction { transaction in
                _ = try await transaction.query(Self.one)
                let error = await #expect(throws: DatabaseError.self) { try await pool.query(Self.one) }
                guard case .poolExhausted? = error else {
                    Issue.record("\(error as Any)")
                    return
                }
                let cancelled = Task { try await pool.query(Self.one) }
                while await pool.usage.waiting == 0 { await Task.yield() }
                cancelled.cancel()
                await #expect(throws: CancellationError.self) { try await cancelled.value }
                let waiting = await pool.usage.waiting
                #expect(waiting == 0)
            }
            #expect(try await pool.query(Self.one).count == 1)
            await pool.shutdown()
            await #expect(throws: DatabaseError.shutdown) { try await pool.query(Self.one) }
        }
    }

    @Test("a pool never opens more connections than its limit, whatever the load")
    func bounded() async throws {
        try await PostgresFixture.withDatabase { database in
            var configuration = database.configuration(poolSize: 3)
            // What is shown is the limit, not the speed of a machine that runs every suite at once.
            configuration.acquireTimeout = .seconds(60)
            let pool = ConnectionPool(configuration: configuration, name: "test")
            let backends = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<200 { group.addTask { try await pool.query(Self.backend).first?[0] ?? 0 } }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(backends.count <= 3)
            let leased = await pool.usage.leased
            #expect(leased == 0)
            await pool.shutdown()
        }
    }

    @Test("a transaction commits when its body returns, rolls back when it throws, and sends nothing when it is empty")
    func transactions() async throws {
        struct Stop: Error {}
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            try await pool.script("CREATE SCHEMA sb; CREATE TABLE t (id int PRIMARY KEY)")
            let insert = Statement("test.insert", "INSERT INTO t VALUES ($1)")
            let all = Statement("test.all", "SELECT id FROM t ORDER BY id")
            try await pool.withTransaction { _ = try await $0.execute(insert, [1]) }
            await #expect(throws: Stop.self) {
                try await pool.withTransaction { transaction in
                    try await transaction.execute(insert, [2])
                    throw Stop()
                }
            }
            try await pool.withTransaction { _ in }
            // An error swallowed inside does not pass for a commit.
            await #expect(throws: DatabaseError.transactionAborted) {
                try await pool.withTransaction { transaction in
                    try await transaction.execute(insert, [3])
                    _ = try? await transaction.execute(insert, [1])
                }
            }
            #expect(try await pool.query(all).map { try $0[0] as Int } == [1])
            // Cancelling the caller rolls back and gives the connection back clean.
            let task = Task {
                try await pool.withTransaction { transaction in
                    try await transaction.execute(insert, [4])
                    _ = try await transaction.query(Self.sleep, [30.0])
                }
            }
            let other = database.pool(size: 1)
            _ = try await Self.sleepingBackend(other)
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(try await pool.query(all).map { try $0[0] as Int } == [1])
            await pool.shutdown()
            await other.shutdown()
        }
    }

    @Test("statements sent at once in one transaction take turns")
    func concurrentUse() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            let echo = Statement("test.echo", "SELECT $1::int4")
            let sum = try await pool.withTransaction { transaction in
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 1...50 {
                        group.addTask { try await transaction.query(echo, [.int(Int64(number))]).first?[0] ?? 0 }
                    }
                    return try await group.reduce(0, +)
                }
            }
            #expect(sum == 1275)
            await pool.shutdown()
        }
    }

    @Test("serialization failures run the transaction again as often as asked")
    func retries() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            try await pool.script(
                """
                CREATE SCHEMA sb;
                CREATE FUNCTION fail() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$
                """)
            let fail = Statement("test.fail", "SELECT fail()")
            var attempts = 0
            let error = await #expect(throws: DatabaseError.self) {
                try await pool.withTransaction(retries: 2) { transaction in
                    attempts += 1
                    _ = try await transaction.query(fail)
                }
            }
            #expect(error?.sqlState == .serializationFailure)
            #expect(attempts == 3)
            let value = try await pool.withTransaction(retries: 3) { transaction in
                attempts += 1
                if attempts < 6 { _ = try await transaction.query(fail) }
                return attempts
            }
            #expect(value == 6)
            await pool.shutdown()
        }
    }

    @Test("listening survives a lost connection: it says so, listens again, and delivers")
    func listening() async throws {
        try await PostgresFixture.withDatabase { database in
            let (pool, other) = (Self.quiet(database.configuration()), database.pool(size: 1))
            var events = pool.listen(["first", "Second \"channel\""]).makeAsyncIterator()
            #expect(await events.next() == .listening)
            _ = try await other.query(
                Statement("test.notify", "SELECT pg_notify($1, $2)"), ["Second \"channel\"", "hi"])
            guard case .notification(let first)? = await events.next() else {
                Issue.record("no notification")
                return
            }
            #expect(first.channel == "Second \"channel\"" && first.payload == "hi")
            _ = try await other.query(
                Statement(
                    "test.terminate_listener",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                ))
            guard case .disconnected? = await events.next() else {
                Issue.record("no disconnection")
                return
            }
            #expect(await events.next() == .listening)
            _ = try await other.query(Statement("test.notify", "SELECT pg_notify($1, $2)"), ["first", "again"])
            guard case .notification(let second)? = await events.next() else {
                Issue.record("no notification")
                return
            }
            #expect(second.payload == "again")
            await pool.shutdown()
            #expect(await events.next() == nil)
            await other.shutdown()
        }
    }

    @Test("a server that cannot be reached fails with the reason and without the password")
    func unreachable() async throws {
        var configuration = DatabaseConfiguration(uri: "postgresql://user:hunter2@127.0.0.1:1/none")
        configuration.acquireTimeout = .seconds(5)
        let pool = Self.quiet(configuration)
        let direct = await #expect(throws: DatabaseError.self) { try await pool.waitUntilReachable(timeout: .zero) }
        guard case .connectionFailed? = direct else {
            Issue.record("\(direct as Any)")
            return
        }
        let error = await #expect(throws: DatabaseError.self) { try await pool.query(Self.one) }
        guard case .poolExhausted(_, let failure?)? = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(failure.contains("127.0.0.1") && !failure.contains("hunter2"))
        await pool.shutdown()
    }

    @Test("a statement whose table changed under it is prepared anew")
    func stalePlans() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            try await pool.script("CREATE SCHEMA sb; CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
            let all = Statement("test.all", "SELECT * FROM t")
            #expect(try await pool.query(all).first?[0] == 7)
            try await pool.script("ALTER TABLE t ALTER COLUMN id TYPE text")
            #expect(try await pool.query(all).first?[0] == "7")
            try await pool.script("DEALLOCATE ALL")
            #expect(try await pool.query(all).first?[0] == "7")
            await pool.shutdown()
        }
    }

    @Test("without named statements everything works the same")
    func unnamedStatements() async throws {
        try await PostgresFixture.withDatabase { database in
            var configuration = database.configuration(poolSize: 1)
            configuration.preparedStatements = false
            let pool = ConnectionPool(configuration: configuration)
            let echo = Statement("test.echo", "SELECT $1::int4, $2::text[]")
            for number in 0..<3 {
                let results = try await pool.pipeline([echo(.int(Int64(number)), ["a"]), Self.one()])
                #expect(try results[0].rows[0][0] == number)
            }
            let named = Statement("test.named", "SELECT count(*) FROM pg_prepared_statements")
            #expect(try await pool.query(named).first?[0] == 0)
            await pool.shutdown()
        }
    }

    @Test("megabytes go both ways while both sides' buffers are full")
    func bigValues() async throws {
        try await PostgresFixture.withDatabase { database in
            let pool = database.pool(size: 1)
            let echo = Statement("test.echo", "SELECT $1::bytea")
            let value = [UInt8](repeating: 0xA5, count: 2_000_000)
            let results = try await pool.pipeline((0..<10).map { _ in echo(.bytes(value)) })
            for result in results { #expect(try result.rows[0][0] == value) }
            await pool.shutdown()
        }
    }
}

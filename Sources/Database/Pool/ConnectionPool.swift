import Logging
import Metrics

/// A bounded pool of connections to one database. Every call takes a connection, uses it and gives it back.
///
/// All calls may be made from anywhere; results come back as ``Row``s that decode lazily on the caller's side. Errors are
/// ``DatabaseError``s, and `CancellationError` when the calling task was cancelled.
package actor ConnectionPool {
    private typealias Waiter = CheckedContinuation<Connection, any Error>

    package nonisolated let configuration: DatabaseConfiguration
    nonisolated let executor = DatabaseExecutor.shared
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let logger: Logger
    private let metrics: PoolMetrics
    private var state: PoolStateMachine<ObjectIdentifier, Waiter>
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var lastFailure: String?
    private var isTrimScheduled = false
    private var listeners: [Int: Task<Void, Never>] = [:]
    private var listenerCount = 0

    /// Opens nothing yet: connections are opened when they are needed, up to `configuration.poolSize`.
    package init(
        configuration: DatabaseConfiguration, name: String = "main", logger: Logger = Logger(label: "database")
    ) {
        self.configuration = configuration
        self.logger = logger
        metrics = PoolMetrics(pool: name)
        state = PoolStateMachine(limit: configuration.poolSize, minimum: configuration.poolMinimum)
    }

    // MARK: Statements

    /// Runs one statement in a transaction of its own and returns its rows.
    package func query(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> [Row] {
        try await run([BoundStatement(statement, parameters)]).first?.rows ?? []
    }

    /// Runs one statement in a transaction of its own; returns how many rows it touched.
    @discardableResult
    package func execute(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> Int {
        try await run([BoundStatement(statement, parameters)]).first?.affectedRows ?? 0
    }

    /// Runs all statements in one round trip and one transaction: all of them, or none.
    package func pipeline(_ statements: [BoundStatement]) async throws -> [QueryResult] {
        try await run(statements)
    }

    /// Runs SQL text of several commands (simple protocol), without parameters and outside of any open transaction.
    package func script(_ text: String) async throws {
        _ = try await withConnection { try await $0.run(.script(text)) }
    }

    private func run(_ statements: [BoundStatement]) async throws -> [QueryResult] {
        do {
            return try await withConnection { try await $0.run(.pipeline(statements)) }
        } catch let error as DatabaseError where error.isStalePlan {
            // The schema changed under a prepared statement. Nothing ran, and the connection is gone with its statements.
            return try await withConnection { try await $0.run(.pipeline(statements)) }
        }
    }

    private func withConnection<Result: Sendable>(
        _ body: (Connection) async throws -> Result
    ) async throws -> Result {
        let connection = try await acquire()
        let started = ContinuousClock.now
        do {
            let result = try await body(connection)
            metrics.finished(after: .now - started, failed: false)
            await release(connection)
            return result
        } catch {
            metrics.finished(after: .now - started, failed: true)
            await release(connection, after: error)
            throw error
        }
    }

    // MARK: Transactions

    /// Runs `body` in a transaction, committed when it returns and rolled back when it throws.
    ///
    /// `opening` statements (a role, a tenant scope) run first; BEGIN and they travel with the first statement of `body`.
    /// With `retries`, serialization failures and deadlocks run `body` again: it must have no effect outside.
    /// A lost connection during COMMIT is reported with `outcomeUnknown`.
    package func withTransaction<Result: Sendable>(
        opening: [BoundStatement] = [], retries: Int = 0, isolation: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        var attempt = 0
        while true {
            do {
                return try await runTransaction(opening: opening, isolation: isolation, body)
            } catch let error as DatabaseError where error.sqlState?.isTransient == true && attempt < retries {
                attempt += 1
                metrics.retries.increment()
            } catch let error as DatabaseError where error.isStalePlan && attempt == 0 {
                attempt += 1
            }
        }
    }

    private func runTransaction<Result: Sendable>(
        opening: [BoundStatement], isolation: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Result
    ) async throws -> Result {
        let connection = try await acquire()
        let started = ContinuousClock.now
        await connection.setPrelude([Transaction.begin()] + opening)
        do {
            let result = try await body(Transaction(connection: connection))
            try await Transaction(connection: connection).commit()
            metrics.finished(after: .now - started, failed: false)
            await release(connection)
            return result
        } catch {
            metrics.finished(after: .now - started, failed: true)
            await release(connection, after: error)
            throw error
        }
    }

    // MARK: Notifications

    /// Listens on `channels` over a connection of its own, until the stream's consumer is gone or the pool shuts down.
    ///
    /// After ``ListenEvent/listening`` every notification sent from then on is delivered, until
    /// ``ListenEvent/disconnected(_:)``: read what the channels announce after each `listening`, and nothing is missed.
    package nonisolated func listen(_ channels: [String]) -> AsyncStream<ListenEvent> {
        AsyncStream { continuation in
            let listener = NotificationListener(configuration: configuration, channels: channels, logger: logger)
            let task = Task {
                await listener.run(into: continuation)
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
            Task { await self.adopt(task) }
        }
    }

    private func adopt(_ listener: Task<Void, Never>) {
        if state.isShutdown { return listener.cancel() }
        listenerCount += 1
        let number = listenerCount
        listeners[number] = listener
        Task {
            await listener.value
            self.listeners[number] = nil
        }
    }

    // MARK: Life

    /// Waits until a connection can be opened, trying again with pauses. Throws the last error after `timeout`.
    package func waitUntilReachable(timeout: Duration = .seconds(30)) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            do {
                let connection = try await Connection.open(configuration)
                return await connection.close()
            } catch let error as DatabaseError {
                if case .invalidConfiguration = error { throw error }
                if ContinuousClock.now >= deadline { throw error }
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    /// Closes idle connections and listeners now and those in use when they are given back; callers waiting are refused.
    package func shutdown() {
        let rest = state.shutdown()
        for waiter in rest.refuse { waiter.resume(throwing: DatabaseError.shutdown) }
        for member in rest.close { discard(member) }
        for listener in listeners.values { listener.cancel() }
    }

    /// Connections in use, idle, and callers waiting; for readiness and metrics.
    package var usage: (leased: Int, idle: Int, waiting: Int) {
        (state.leasedCount, state.idleCount, state.waitingCount)
    }

    // MARK: Members

    private func acquire() async throws -> Connection {
        try Task.checkCancellation()
        let waitStarted = ContinuousClock.now
        // The number is known only once the waiter is queued; the cancellation handler needs a place to find it.
        let ticket = WaiterTicket()
        let connection = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (waiter: Waiter) in
                switch state.acquire({ waiter }) {
                case .use(let member):
                    guard let connection = connections[member] else {
                        preconditionFailure("a pooled connection is known")
                    }
                    waiter.resume(returning: connection)
                case .wait(let number, let open):
                    ticket.number = number
                    executor.schedule(after: configuration.acquireTimeout) { [weak self] in
                        self?.assumeIsolated { $0.waiterTimedOut(number) }
                    }
                    if open { openMember() }
                case .refused:
                    waiter.resume(throwing: DatabaseError.shutdown)
                }
            }
        } onCancel: {
            executor.execute { self.assumeIsolated { $0.waiterCancelled(ticket) } }
        }
        metrics.acquired(after: .now - waitStarted)
        return connection
    }

    private func waiterTimedOut(_ number: UInt64) {
        state.withdraw(number)?.resume(
            throwing: DatabaseError.poolExhausted(waited: configuration.acquireTimeout, lastFailure: lastFailure))
    }

    private func waiterCancelled(_ ticket: WaiterTicket) {
        guard let number = ticket.number else { return }
        state.withdraw(number)?.resume(throwing: CancellationError())
    }

    /// Once a minute closes the connections that nobody needed meanwhile, as long as there are any.
    private func scheduleTrim() {
        if isTrimScheduled { return }
        isTrimScheduled = true
        executor.schedule(after: .seconds(60)) { [weak self] in
            self?.assumeIsolated { pool in
                pool.isTrimScheduled = false
                for member in pool.state.trim() { pool.discard(member) }
                if !pool.connections.isEmpty { pool.scheduleTrim() }
            }
        }
    }

    private func openMember() {
        scheduleTrim()
        Task {
            do {
                let connection = try await Connection.open(configuration)
                let member = ObjectIdentifier(connection)
                connections[member] = connection
                await connection.setHandlers(onClose: { [weak self] _ in
                    self?.assumeIsolated { $0.memberBroke(member) }
                })
                lastFailure = nil
                settle(state.opened(member))
            } catch {
                lastFailure = "\(error)"
                logger.warning("cannot open a database connection", metadata: ["error": "\(error)"])
                metrics.connectFailures.increment()
                reopen(state.openFailed())
            }
        }
    }

    private func reopen(_ action: PoolStateMachine<ObjectIdentifier, Waiter>.Reopening) {
        switch action {
        case .nothing: break
        case .openNow: openMember()
        case .openAfter(let delay):
            executor.schedule(after: delay) { [weak self] in
                self?.assumeIsolated { if $0.state.retryOpening() { $0.openMember() } }
            }
        }
    }

    /// Gives a connection back. One that is inside a transaction is rolled back first; one that cannot be is closed.
    private func release(_ connection: Connection, after error: (any Error)? = nil) async {
        await connection.setPrelude([])
        var reusable = await connection.isOpen && (error as? DatabaseError)?.isStalePlan != true
        if reusable, await connection.isInTransaction {
            do {
                _ = try await connection.run(
                    .pipeline([Transaction.rollback()]), outcomeMatters: false, cancellable: false)
            } catch {
                reusable = false
            }
        }
        let member = ObjectIdentifier(connection)
        let outcome = state.released(member, reusable: reusable)
        settle(outcome.placement)
        reopen(outcome.reopening)
    }

    private func settle(_ placement: PoolStateMachine<ObjectIdentifier, Waiter>.Placement) {
        switch placement {
        case .handOver(let member, let waiter):
            guard let connection = connections[member] else { preconditionFailure("a pooled connection is known") }
            waiter.resume(returning: connection)
        case .park: break
        case .close(let member): discard(member)
        }
        metrics.observe(leased: state.leasedCount, idle: state.idleCount, waiting: state.waitingCount)
    }

    private func discard(_ member: ObjectIdentifier) {
        guard let connection = connections.removeValue(forKey: member) else { return }
        Task { await connection.close() }
    }

    private func memberBroke(_ member: ObjectIdentifier) {
        let action = state.broke(member)
        if !state.isLeased(member) { connections[member] = nil }
        reopen(action)
    }
}

/// Where a cancelled caller finds its number. `@unchecked Sendable`: touched on the pool's executor only.
private final class WaiterTicket: @unchecked Sendable {
    var number: UInt64?
}

extension DatabaseError {
    /// The server refused a prepared statement that no longer fits; it did not run.
    var isStalePlan: Bool {
        guard case .server(let error) = self else { return false }
        return error.sqlState == .invalidStatementName
            || (error.sqlState == .featureNotSupported && error.message.contains("cached plan"))
    }
}

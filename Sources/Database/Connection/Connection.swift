import CPostgreSQL
import Logging

/// A message received through NOTIFY.
package struct DatabaseNotification: Sendable, Equatable {
    package let channel: String
    package let payload: String
    /// Backend process of the sender.
    package let processID: Int32
}

/// One connection: runs one piece of work at a time, each piece a pipeline written in one go and answered together.
///
/// Lives on ``DatabaseExecutor``: libpq is only ever called from that thread, and never in a way that blocks.
actor Connection: PollTarget {
    /// What a caller wants done in one round trip.
    enum Work: Sendable {
        /// Statements of the extended protocol, one after the other; after a failure the rest is skipped.
        case pipeline([BoundStatement])
        /// SQL text of one or more commands without parameters (simple protocol).
        case script(String)
    }

    private enum State {
        case idle
        /// Statements new to this connection are being parsed; the work follows.
        case preparing([Statement], Request)
        case executing(Request)
        case closed(DatabaseError)
    }

    private struct Request {
        let number: UInt64
        let work: Work
        /// The work ends a transaction, or is one: if the connection breaks, its effect is not known.
        let outcomeMatters: Bool
        let continuation: CheckedContinuation<[QueryResult], any Error>
    }

    nonisolated let executor: DatabaseExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    /// Backend process on the server.
    nonisolated let processID: Int32

    let handle: LibpqHandle
    let namesStatements: Bool
    private var state = State.idle
    /// The answers so far in state `preparing`, and in state `executing`. Beside the state, so that they grow in place.
    private var preparation = Exchange<[PostgresType]>.pipeline(requests: 0)
    private var execution = Exchange<QueryResult>.pipeline(requests: 0)
    /// Statements parsed on this connection, with the types of their parameters.
    private(set) var prepared: [Statement: [PostgresType]] = [:]
    private var requestCount: UInt64 = 0
    /// Work that came while other work was under way.
    private var waiting: [Request] = []
    /// The cancel request under way; the connection is not reused before it has been delivered.
    private var cancelRequest: Task<Void, Never>?
    private var cancelledRequest: UInt64?
    private var fatalError: ServerError?
    /// Statements sent together with the next work, their results dropped: the opening of a transaction.
    private var prelude: [BoundStatement] = []
    private var onNotification: (@Sendable (DatabaseNotification) -> Void)?
    private var onClose: (@Sendable (DatabaseError) -> Void)?

    /// Opens a connection and sets its session up. Throws ``DatabaseError``.
    static func open(_ configuration: DatabaseConfiguration, on executor: DatabaseExecutor = .shared) async throws
        -> Connection
    {
        var parameters = try ConnectionParameters(configuration.uri)
        parameters.applyDefaults(configuration)
        let resolved = parameters
        let handle = try await BlockingWorkers.run { try LibpqHandle.connect(resolved, configuration) }
        let connection = Connection(handle, configuration, executor)
        await connection.startReading()
        do { try await configuration.onConnect?(DedicatedConnection(connection)) } catch {
            await connection.close()
            throw error
        }
        return connection
    }

    private init(_ handle: LibpqHandle, _ configuration: DatabaseConfiguration, _ executor: DatabaseExecutor) {
        self.handle = handle
        self.executor = executor
        processID = PQbackendPID(handle.pointer)
        namesStatements = configuration.preparedStatements
    }

    private func startReading() { watch(writing: false) }

    private func watch(writing: Bool) {
        executor.watch(self, descriptor: PQsocket(handle.pointer), writing: writing)
    }

    /// True until the connection was closed or broke.
    var isOpen: Bool { if case .closed = state { false } else { true } }

    /// True while a transaction is open on the server, failed or not.
    var isInTransaction: Bool { isOpen && PQtransactionStatus(handle.pointer) != PQTRANS_IDLE }

    func setHandlers(
        onNotification: (@Sendable (DatabaseNotification) -> Void)? = nil, onClose: (@Sendable (DatabaseError) -> Void)?
    ) {
        self.onNotification = onNotification
        self.onClose = onClose
        if case .closed(let error) = state { onClose?(error) }
    }

    // MARK: Work

    /// Queues the opening of a transaction; it travels with the first work.
    func setPrelude(_ statements: [BoundStatement]) { prelude = statements }

    /// True when the prelude was not sent, so that the server knows of no transaction.
    var preludeIsPending: Bool { !prelude.isEmpty }

    /// Runs `work` and returns a result per statement.
    ///
    /// Throws the first ``DatabaseError/server(_:)`` of the pipeline, ``DatabaseError/connectionLost(reason:sqlState:outcomeUnknown:)``,
    /// or `CancellationError` when the task was cancelled and the server gave up the statement.
    /// Work that comes while other work is under way waits for its turn.
    func run(_ work: Work, outcomeMatters: Bool = true, cancellable: Bool = true) async throws -> [QueryResult] {
        if cancellable { try Task.checkCancellation() }
        let opening = prelude
        prelude = []
        var full = work
        if !opening.isEmpty, case .pipeline(let statements) = work { full = .pipeline(opening + statements) }
        requestCount += 1
        let number = requestCount
        let outcome: Swift.Result<[QueryResult], any Error>
        do {
            outcome = .success(
                try await withTaskCancellationHandler {
                    try await withCheckedThrowingContinuation { continuation in
                        begin(
                            Request(
                                number: number, work: full, outcomeMatters: outcomeMatters, continuation: continuation))
                    }
                } onCancel: {
                    if cancellable { executor.execute { self.assumeIsolated { $0.cancel(request: number) } } }
                })
        } catch {
            outcome = .failure(error)
        }
        let wasCancelled = cancelledRequest == number
        if wasCancelled {
            await cancelRequest?.value
            (cancelRequest, cancelledRequest) = (nil, nil)
        }
        beginNext()
        switch outcome {
        case .success(let results): return Array(results.dropFirst(opening.count))
        case .failure(let error as DatabaseError) where wasCancelled && error.sqlState == .queryCanceled:
            throw CancellationError()
        case .failure(let error): throw error
        }
    }

    private func begin(_ request: Request) {
        switch state {
        case .closed(let error):
            request.continuation.resume(throwing: error.withOutcome(unknown: false))
        case .idle:
            guard cancelRequest == nil else { return waiting.append(request) }
            do {
                try start(request)
            } catch {
                request.continuation.resume(throwing: error)
            }
        case .preparing, .executing:
            waiting.append(request)
        }
    }

    /// Starts the next waiting work. Not while a cancel request is on its way: it would hit the wrong work.
    private func beginNext() {
        guard case .idle = state, cancelRequest == nil, !waiting.isEmpty else { return }
        begin(waiting.removeFirst())
    }

    private func start(_ request: Request) throws {
        let connection = handle.pointer
        switch request.work {
        case .script(let text):
            guard PQsendQuery(connection, text) == 1 else { return fail(request, LibpqHandle.errorMessage(connection)) }
            execution = .script()
            state = .executing(request)
        case .pipeline(let statements):
            let missing = newStatements(in: statements)
            if missing.isEmpty { return try execute(statements, request) }
            PQenterPipelineMode(connection)
            for statement in missing {
                let name = namesStatements ? statement.name : ""
                guard PQsendPrepare(connection, name, statement.sql, 0, nil) == 1,
                    PQsendDescribePrepared(connection, name) == 1
                else { return fail(request, LibpqHandle.errorMessage(connection)) }
            }
            PQpipelineSync(connection)
            preparation = .pipeline(requests: missing.count * 2)
            state = .preparing(missing, request)
        }
        flush()
    }

    private func newStatements(in statements: [BoundStatement]) -> [Statement] {
        var seen: Set<Statement> = []
        return statements.lazy.map(\.statement).filter { prepared[$0] == nil && seen.insert($0).inserted }
    }

    /// Sends the work itself. Throws ``DatabaseError/encoding(statement:parameter:reason:)`` before anything is sent.
    private func execute(_ statements: [BoundStatement], _ request: Request) throws {
        let encoded = try statements.map { try encode($0) }
        let connection = handle.pointer
        PQenterPipelineMode(connection)
        for (bound, parameters) in zip(statements, encoded) {
            guard send(bound.statement, parameters) else {
                return fail(request, LibpqHandle.errorMessage(connection))
            }
        }
        PQpipelineSync(connection)
        execution = .pipeline(requests: statements.count)
        state = .executing(request)
        flush()
    }

    // MARK: The socket

    nonisolated func ready(readable: Bool, writable: Bool) {
        assumeIsolated { $0.socketReady(readable: readable, writable: writable) }
    }

    private func socketReady(readable: Bool, writable: Bool) {
        guard isOpen else { return }
        if readable {
            guard PQconsumeInput(handle.pointer) == 1 else { return close(LibpqHandle.errorMessage(handle.pointer)) }
            deliverNotifications()
            readAnswers()
        }
        if writable && isOpen { flush() }
    }

    private func flush() {
        switch PQflush(handle.pointer) {
        case 0: watch(writing: false)
        case 1: watch(writing: true)
        default: close(LibpqHandle.errorMessage(handle.pointer))
        }
    }

    private func deliverNotifications() {
        while let notification = PQnotifies(handle.pointer) {
            let message = DatabaseNotification(
                channel: String(cString: notification.pointee.relname),
                payload: notification.pointee.extra.map { String(cString: $0) } ?? "",
                processID: notification.pointee.be_pid)
            PQfreemem(notification)
            onNotification?(message)
        }
    }

    private func readAnswers() {
        while PQisBusy(handle.pointer) == 0 {
            switch state {
            case .preparing(let statements, let request):
                let answer = answer(name: { statements[safe: $0 / 2]?.name }, index: preparation.outputs.count) {
                    result in
                    defer { PQclear(result) }
                    return (0..<PQnparams(result)).map { PostgresType(rawValue: PQparamtype(result, $0)) }
                }
                switch preparation.received(answer) {
                case .waiting: continue
                case .finished: finishPreparing(statements, request)
                case .outOfStep: return close("the server's answers are out of step")
                }
            case .executing(let request):
                let answer = answer(name: request.work.statementName, index: execution.outputs.count) { result in
                    QueryResult(result)
                }
                switch execution.received(answer) {
                case .waiting: continue
                case .finished: finish(request)
                case .outOfStep: return close("the server's answers are out of step")
                }
            case .idle, .closed:
                return
            }
        }
    }

    /// Takes libpq's next result; `output` becomes its owner.
    private func answer<Output>(
        name: (Int) -> String?, index: Int, output: (OpaquePointer) -> Output
    ) -> Exchange<Output>.Answer {
        guard let result = PQgetResult(handle.pointer) else { return .endOfResults }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            return .result(output(result))
        case PGRES_PIPELINE_SYNC:
            PQclear(result)
            return .synchronized
        case PGRES_PIPELINE_ABORTED:
            PQclear(result)
            return .skipped
        default:
            let error = ServerError(result, statement: name(index))
            PQclear(result)
            if error.isFatal { fatalError = error }
            return .failure(error)
        }
    }

    private func finishPreparing(_ statements: [Statement], _ request: Request) {
        PQexitPipelineMode(handle.pointer)
        // Answers come in pairs: parsed, described. What was described is ready, even if a later one failed.
        for (index, statement) in statements.enumerated() where index * 2 + 1 < preparation.outputs.count {
            prepared[statement] = preparation.outputs[index * 2 + 1]
        }
        state = .idle
        if let failure = preparation.firstFailure {
            request.continuation.resume(throwing: DatabaseError.server(failure))
        } else if cancelledRequest == request.number {
            // The cancel request came too late for the preparation, and would hit the work itself, or nothing.
            request.continuation.resume(throwing: CancellationError())
        } else {
            begin(request)
        }
    }

    private func finish(_ request: Request) {
        if case .pipeline = request.work { PQexitPipelineMode(handle.pointer) }
        state = .idle
        let answers = execution
        execution = .pipeline(requests: 0)
        if let failure = answers.firstFailure {
            request.continuation.resume(throwing: DatabaseError.server(failure))
        } else {
            request.continuation.resume(returning: answers.outputs)
        }
    }

    // MARK: End

    private func fail(_ request: Request, _ reason: String) {
        state = .executing(request)
        close(reason)
    }

    /// Closes the connection; work under way fails with ``DatabaseError/connectionLost(reason:sqlState:outcomeUnknown:)``.
    func close(_ reason: String = "closed by us") {
        let current = state
        let lost = DatabaseError.connectionLost(
            reason: fatalError?.message ?? reason, sqlState: fatalError?.sqlState, outcomeUnknown: false)
        if case .closed = current { return }
        state = .closed(lost)
        executor.unwatch(self)
        PQfinish(handle.pointer)
        switch current {
        case .preparing(_, let request): request.continuation.resume(throwing: lost)
        case .executing(let request):
            request.continuation.resume(throwing: lost.withOutcome(unknown: request.outcomeMatters))
        case .idle, .closed: break
        }
        for request in waiting { request.continuation.resume(throwing: lost) }
        waiting = []
        onClose?(lost)
        onClose = nil
        onNotification = nil
    }

    private func cancel(request number: UInt64) {
        switch state {
        case .preparing(_, let request), .executing(let request):
            guard request.number == number, cancelRequest == nil, let cancel = PQgetCancel(handle.pointer) else {
                return
            }
            let target = LibpqHandle(pointer: cancel)
            cancelledRequest = number
            cancelRequest = Task {
                _ = try? await BlockingWorkers.run {
                    var reason = [CChar](repeating: 0, count: 256)
                    _ = PQcancel(target.pointer, &reason, Int32(reason.count))
                    PQfreeCancel(target.pointer)
                }
            }
        case .idle, .closed: break
        }
    }
}

/// An open transaction. Valid only inside the body it was passed to.
package struct Transaction: Sendable {
    let connection: Connection

    /// Runs one statement and returns its rows.
    package func query(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> [Row] {
        try await pipeline([BoundStatement(statement, parameters)]).first?.rows ?? []
    }

    /// Runs one statement; returns how many rows it touched.
    @discardableResult
    package func execute(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> Int {
        try await pipeline([BoundStatement(statement, parameters)]).first?.affectedRows ?? 0
    }

    /// Runs all statements in one round trip. The first that fails fails the call and the transaction.
    package func pipeline(_ statements: [BoundStatement]) async throws -> [QueryResult] {
        try await connection.run(.pipeline(statements), outcomeMatters: false)
    }

    /// Commits, unless no statement ever ran.
    func commit() async throws {
        if await connection.preludeIsPending { return }
        let results = try await connection.run(.pipeline([Self.commitStatement()]), cancellable: false)
        guard results.first?.command == "COMMIT" else { throw DatabaseError.transactionAborted }
    }

    static let begin = Statement("transaction.begin", "BEGIN")
    static let rollback = Statement("transaction.rollback", "ROLLBACK")
    static let commitStatement = Statement("transaction.commit", "COMMIT")
}

/// A connection of its own for one user at a time: advisory locks, migrations, the group-commit pipeline.
package struct DedicatedConnection: Sendable {
    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    /// Opens a connection, on a thread of its own or on that of the pools, and sets its session up. Throws
    /// ``DatabaseError``.
    package static func open(
        _ configuration: DatabaseConfiguration, on thread: DatabaseThread? = nil
    ) async throws -> DedicatedConnection {
        DedicatedConnection(try await Connection.open(configuration, on: thread?.executor ?? .shared))
    }

    package var isOpen: Bool { get async { await connection.isOpen } }

    /// Runs statements in one round trip. Callers take turns: one call at a time.
    ///
    /// A transaction that the statements opened and a failure left open is rolled back before this throws.
    package func pipeline(_ statements: [BoundStatement], cancellable: Bool = true) async throws -> [QueryResult] {
        try await run(.pipeline(statements), cancellable: cancellable)
    }

    package func query(_ statement: Statement, _ parameters: [SQLValue] = []) async throws -> [Row] {
        try await pipeline([BoundStatement(statement, parameters)]).first?.rows ?? []
    }

    /// Runs SQL text of several commands (simple protocol).
    package func script(_ text: String) async throws {
        _ = try await run(.script(text), cancellable: true)
    }

    package func close() async { await connection.close() }

    private func run(_ work: Connection.Work, cancellable: Bool) async throws -> [QueryResult] {
        do {
            return try await connection.run(work, cancellable: cancellable)
        } catch {
            if await connection.isInTransaction {
                _ = try? await connection.run(
                    .pipeline([Transaction.rollback()]), outcomeMatters: false, cancellable: false)
            }
            throw error
        }
    }
}

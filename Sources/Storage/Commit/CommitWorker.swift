import Database
import Foundation
import Logging
import Messaging
import Metrics

/// Carries the batches of one queue to the database: one at a time, over one connection, until each device's outcome is
/// known (16-performance-durability, sections 1.8 and 5.3).
///
/// A batch takes a position in `commit_positions` in its own transaction. When a connection is lost with the outcome of
/// COMMIT unknown, the position tells whether the batch was applied, and makes sure that it is not applied later.
///
/// Lives on the thread of its connection: from the loop that hands a batch over to the socket and back it takes two changes
/// of thread.
actor CommitWorker {
    typealias Outcome = CommitAttempts.Outcome
    private typealias Failure = CommitAttempts.Failure

    struct Settings: Sendable {
        let configuration: DatabaseConfiguration
        let nodeID: UUID
        let envelope: SecretEnvelope
        let options: CommitOptions
        /// Called after a commit that stored events.
        let onEvents: @Sendable (StoredEvents) -> Void
        /// Waits between attempts; replaced in tests.
        let pause: @Sendable (Duration) async -> Void
    }

    private nonisolated let thread = DatabaseThread.next()
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.unownedExecutor }

    private let settings: Settings
    private let logger: Logger
    private let queueID = UUID()
    private var connection: DedicatedConnection?
    private var isClosed = false
    private var facts: [Int64: DeviceFacts] = [:]
    private var positions = CommitPositions()

    private let latency = Metrics.Timer(label: "switchboard_commit_seconds")
    private let batchSize = Recorder(label: "switchboard_commit_devices")
    private let failures = Counter(label: "switchboard_commit_failures_total")

    init(_ settings: Settings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    /// Gives up what is still tried: it fails as `closed`.
    func close() async {
        isClosed = true
        await connection?.close()
        connection = nil
    }

    /// Commits the parts of a batch and tells `done`, on any thread, what became of them.
    nonisolated func commit(_ devices: [DeviceChanges], then done: @escaping @Sendable (Outcome) -> Void) {
        thread.execute { self.assumeIsolated { $0.begin(devices, done) } }
    }

    private func begin(_ devices: [DeviceChanges], _ done: @escaping @Sendable (Outcome) -> Void) {
        Task { done(await commit(devices)) }
    }

    /// Commits the parts of a batch, trying again as long as the store is away.
    func commit(_ devices: [DeviceChanges]) async -> Outcome {
        var attempts = CommitAttempts(devices)
        while let part = attempts.current {
            if isClosed {
                attempts.close()
                break
            }
            do {
                let started = ContinuousClock.now
                let gone = try await send(part)
                latency.record(duration: .now - started)
                batchSize.record(part.count)
                attempts.succeeded(without: gone)
            } catch let failure as Failure {
                if case .heard = failure {} else { failures.increment() }
                // Numbers that were allotted for this attempt may not be durable.
                for device in part { facts[device.did] = nil }
                let next = attempts.failed(failure)
                note(failure, next)
                if case .pause(let duration) = next { await settings.pause(duration) }
            } catch {
                preconditionFailure("every failure of a batch is sorted: \(error)")
            }
        }
        return attempts.outcome
    }

    private func note(_ failure: Failure, _ next: CommitAttempts.Next) {
        switch (failure, next) {
        case (.rejected(let reason), .split):
            logger.warning("batch rejected, splitting", metadata: ["reason": "\(reason)"])
        case (.rejected(let reason), .refused(let did)):
            logger.error("rows refused", metadata: ["did": "\(did)", "reason": "\(reason)"])
        case (.unavailable(let reason), _):
            logger.warning("commit failed, trying again", metadata: ["reason": "\(reason)"])
        default: break
        }
    }

    // MARK: One attempt

    /// Sends one transaction. Returns the devices that are gone altogether; throws ``Failure``.
    private func send(_ devices: [DeviceChanges]) async throws -> Set<Int64> {
        do {
            let connection = try await openConnection()
            if positions.isUnknown, try await wasApplied(connection) { return [] }
            let gone = try await loadFacts(devices, connection)
            let present = devices.filter { !gone.contains($0.did) }
            if present.isEmpty { return gone }
            var facts = facts
            let batch: CommitBatch
            do {
                batch = try CommitBatch(present, facts: &facts, envelope: settings.envelope, options: settings.options)
            } catch {
                throw Failure.rejected("\(error)")
            }
            self.facts = facts
            try await send(batch, connection)
            return gone
        } catch let failure as Failure {
            throw failure
        } catch let error as DatabaseError {
            throw try await sorted(error, devices)
        } catch {
            throw Failure.unavailable("\(error)")
        }
    }

    private func send(_ batch: CommitBatch, _ connection: DedicatedConnection) async throws {
        let position = positions.take()
        let fence = batch.fence
        var opening = [
            CommitStatements.begin(),
            CommitStatements.position(.uuid(queueID), .int(position)),
            CommitStatements.fence(fence.dids, fence.epochs, .uuid(settings.nodeID), SQLValue(batch.devices.count)),
        ]
        if !batch.silent.isEmpty { opening.append(CommitStatements.silence(.ints(batch.silent))) }
        let results: [QueryResult]
        do {
            results = try await connection.pipeline(
                opening + batch.statements + [CommitStatements.commit()], cancellable: false)
        } catch let error as DatabaseError {
            if case .connectionLost(_, _, outcomeUnknown: true) = error { positions.lost() }
            throw error
        }
        guard results.last?.command == "COMMIT" else { throw DatabaseError.transactionAborted }
        if batch.hasEvents, let rows = results.dropLast().last?.rows, !rows.isEmpty {
            settings.onEvents(try StoredEvents(rows))
        }
    }

    private func openConnection() async throws -> DedicatedConnection {
        if let connection, await connection.isOpen { return connection }
        let opened = try await DedicatedConnection.open(settings.configuration, on: thread)
        connection = opened
        return opened
    }

    /// Settles the batch that was under way when a connection was lost. May itself be lost and repeated.
    private func wasApplied(_ connection: DedicatedConnection) async throws -> Bool {
        let results = try await connection.pipeline([
            CommitStatements.void(.uuid(queueID), .int(positions.newest)),
            CommitStatements.currentPosition(.uuid(queueID)),
        ])
        let reached: Int64 = try results.last?.rows.first?[0] ?? 0
        return positions.settle(reached: reached)
    }

    /// Reads what is not known yet of the devices; returns those that no longer exist.
    private func loadFacts(_ devices: [DeviceChanges], _ connection: DedicatedConnection) async throws -> Set<Int64> {
        let unknown = devices.filter { facts[$0.did]?.epoch != $0.epoch }
        if unknown.isEmpty { return [] }
        let rows = try await connection.query(CommitStatements.devices, [.ints(unknown.map(\.did))])
        let epochs = Dictionary(unknown.map { ($0.did, $0.epoch) }) { first, _ in first }
        var missing = Set(epochs.keys)
        for row in rows {
            let did: Int64 = try row["did"]
            guard let epoch = epochs[did] else { continue }
            facts[did] = try DeviceFacts(row, epoch: epoch)
            missing.remove(did)
        }
        return missing
    }

    // MARK: Failures

    private func sorted(_ error: DatabaseError, _ devices: [DeviceChanges]) async throws -> Failure {
        switch error {
        case .connectionLost:
            connection = nil
            return .unavailable(error.description)
        case .server(let server)
        where server.statement == CommitStatements.fence.name && server.sqlState == .divisionByZero:
            return await lostLeases(devices)
        case .server(let server)
        where server.statement == CommitStatements.silence.name && server.sqlState == .divisionByZero:
            return .heard
        case .server(let server) where Self.refusesRows(server.sqlState): return .rejected(error.description)
        case .encoding: return .rejected(error.description)
        default: return .unavailable(error.description)
        }
    }

    /// Conditions that speak of the rows: cardinality, data, constraints, checks of views and policies, limits, damaged
    /// pages. All others speak of the database (a grant or a table that is missing while it is restored): what is queued
    /// waits for them.
    private static func refusesRows(_ state: SQLState) -> Bool {
        ["21", "22", "23", "44", "54"].contains(state.conditionClass) || ["XX001", "XX002"].contains(state.rawValue)
    }

    private func lostLeases(_ devices: [DeviceChanges]) async -> Failure {
        do {
            let rows = try await openConnection().query(
                CommitStatements.owned,
                [.ints(devices.map(\.did)), .ints(devices.map(\.epoch)), .uuid(settings.nodeID)])
            let owned = Set(try rows.map { try $0["did"] as Int64 })
            return .fenced(Set(devices.map(\.did)).subtracting(owned))
        } catch {
            return .unavailable("\(error)")
        }
    }
}

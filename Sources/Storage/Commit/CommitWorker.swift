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
    /// What became of each device's part of a batch; nil is success.
    typealias Outcome = [Int64: CommitError?]

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
    /// Position of the newest batch that was sent.
    private var position: Int64 = 0
    /// The newest batch may have been applied by a connection that is gone.
    private var positionIsUnknown = false

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
        var pending = devices
        var outcome: Outcome = [:]
        var attempt = 0
        var rejections = 0
        while !pending.isEmpty {
            if isClosed {
                for device in pending { outcome[device.did] = .some(.closed) }
                return outcome
            }
            do {
                let started = ContinuousClock.now
                let gone = try await send(pending)
                latency.record(duration: .now - started)
                batchSize.record(pending.count)
                for device in pending { outcome[device.did] = .some(gone.contains(device.did) ? .fenced : nil) }
                return outcome
            } catch let failure as Failure {
                if case .heard = failure {} else { failures.increment() }
                // Numbers that were allotted for this attempt may not be durable.
                for device in pending { facts[device.did] = nil }
                switch failure {
                case .fenced(let lost):
                    for did in lost { outcome[did] = .some(.fenced) }
                    pending.removeAll { lost.contains($0.did) }
                    if !lost.isEmpty { continue }
                case .rejected(let reason) where pending.count > 1:
                    logger.warning("batch rejected, splitting", metadata: ["reason": "\(reason)"])
                    for device in pending { outcome.merge(await commit([device])) { $1 } }
                    return outcome
                case .rejected(let reason):
                    rejections += 1
                    if rejections == 3 {
                        for device in pending {
                            logger.error("rows refused", metadata: ["did": "\(device.did)", "reason": "\(reason)"])
                            outcome[device.did] = .some(.rejected(reason))
                        }
                        return outcome
                    }
                case .unavailable(let reason):
                    logger.warning("commit failed, trying again", metadata: ["reason": "\(reason)"])
                case .heard: continue
                }
                await settings.pause(Self.pause(attempt))
                attempt += 1
            } catch {
                preconditionFailure("every failure of a batch is sorted: \(error)")
            }
        }
        return outcome
    }

    /// 10 ms, 50 ms, 250 ms, 1 s, then every 2 s.
    static func pause(_ attempt: Int) -> Duration {
        let ladder: [Duration] = [.milliseconds(10), .milliseconds(50), .milliseconds(250), .seconds(1)]
        return attempt < ladder.count ? ladder[attempt] : .seconds(2)
    }

    // MARK: One attempt

    private enum Failure: Error {
        /// These devices are another's now; empty when all are still ours.
        case fenced(Set<Int64>)
        /// The rows are refused, or cannot be built.
        case rejected(String)
        /// Worth the same again, later.
        case unavailable(String)
        /// Somebody listens now to a device whose events were left out.
        case heard
    }

    /// Sends one transaction. Returns the devices that are gone altogether; throws ``Failure``.
    private func send(_ devices: [DeviceChanges]) async throws -> Set<Int64> {
        do {
            let connection = try await openConnection()
            if positionIsUnknown, try await wasApplied(connection) { return [] }
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
        position += 1
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
            if case .connectionLost(_, _, outcomeUnknown: true) = error { positionIsUnknown = true }
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
            CommitStatements.void(.uuid(queueID), .int(position)), CommitStatements.currentPosition(.uuid(queueID)),
        ])
        let reached: Int64 = try results.last?.rows.first?[0] ?? 0
        positionIsUnknown = false
        defer { position = max(position, reached) }
        return reached == position
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

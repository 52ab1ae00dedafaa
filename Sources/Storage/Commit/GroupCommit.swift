import Database
import Foundation
import Logging
import Messaging
import NIOConcurrencyHelpers
import NIOCore

/// The group commit of one event loop over PostgreSQL (16-performance-durability, sections 1.6 and 5.3).
///
/// A batch is whatever gathered while the one before was in flight. An idle queue starts with the next turn of the loop, so
/// that everything submitted in one turn goes together. What nobody waits for fills the batches of others; alone it goes
/// after some milliseconds.
package final class GroupCommit: CommitQueue {
    package let eventLoop: any EventLoop
    private let worker: CommitWorker
    private let options: CommitOptions
    private let state: NIOLoopBoundBox<State>
    private let bytes = NIOLockedValueBox(0)
    private let load: CommitBacklog
    private let stalled = NIOLockedValueBox(false)
    /// Seconds without a commit after which the store counts as away.
    private static let stallLimit = TimeAmount.seconds(3)

    private struct State {
        var line = CommitLine<EventLoopPromise<Void>>()
        var isTimerSet = false
        var isClosed = false
        var watchesPatience = false
        var drained: [EventLoopPromise<Void>] = []
    }

    /// - Parameters:
    ///   - nodeID: whose leases the fence accepts.
    ///   - load: what the queues of all loops of the process have waiting.
    ///   - onEvents: called, on any thread, after a commit that stored events.
    package convenience init(
        eventLoop: any EventLoop, database: StorageDatabase, nodeID: UUID, envelope: SecretEnvelope,
        options: CommitOptions = CommitOptions(), load: CommitBacklog = CommitBacklog(),
        logger: Logger = Logger(label: "commit"),
        onEvents: @escaping @Sendable (StoredEvents) -> Void = { _ in }
    ) {
        self.init(
            eventLoop: eventLoop, database: database, nodeID: nodeID, envelope: envelope, options: options, load: load,
            logger: logger, onEvents: onEvents,
            pause: { duration in try? await Task.sleep(for: duration) })
    }

    init(
        eventLoop: any EventLoop, database: StorageDatabase, nodeID: UUID, envelope: SecretEnvelope,
        options: CommitOptions, load: CommitBacklog = CommitBacklog(), logger: Logger,
        onEvents: @escaping @Sendable (StoredEvents) -> Void,
        pause: @escaping @Sendable (Duration) async -> Void
    ) {
        self.eventLoop = eventLoop
        self.options = options
        self.load = load
        var configuration = database.configuration
        configuration.role = database.hasRoles ? "sb_commit" : nil
        configuration.applicationName += "/commit"
        configuration.sessionSettings["plan_cache_mode"] = "force_generic_plan"
        worker = CommitWorker(
            CommitWorker.Settings(
                configuration: configuration, nodeID: nodeID, envelope: envelope, options: options,
                onEvents: onEvents, pause: pause),
            logger: logger)
        state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
    }

    package var pendingBytes: Int { bytes.withLockedValue { $0 } }
    package var processBytes: Int { load.bytes }
    package var isStalled: Bool { stalled.withLockedValue { $0 } }

    package func submit(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        let future = queue(changes)
        state.value.line.isUrgent = true
        eventLoop.execute { self.startIfIdle() }
        return future
    }

    package func submitWithNext(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        let future = queue(changes)
        if !state.value.isTimerSet && !state.value.line.waiting.isEmpty {
            state.value.isTimerSet = true
            eventLoop.scheduleTask(in: TimeAmount(options.gathering)) {
                self.state.value.isTimerSet = false
                self.state.value.line.isUrgent = true
                self.startIfIdle()
            }
        }
        return future
    }

    private func queue(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        if state.value.isClosed { return eventLoop.makeFailedFuture(CommitError.closed) }
        if let error = state.value.line.refusal(of: changes) { return eventLoop.makeFailedFuture(error) }
        if changes.isEmpty && state.value.line.isEmpty { return eventLoop.makeSucceededVoidFuture() }
        let promise = eventLoop.makePromise(of: Void.self)
        state.value.line.append(changes, deadline: .now() + TimeAmount(options.patience), waiter: promise)
        countBytes()
        watchPatience()
        return promise.futureResult
    }

    private func countBytes() {
        let count = state.value.line.bytes
        let before = bytes.withLockedValue { bytes in
            defer { bytes = count }
            return bytes
        }
        load.change(by: count - before)
    }

    /// Refuses further sets and completes when everything queued is settled, or fails with `unavailable` after `timeout`.
    package func shutdown(timeout: Duration = .seconds(10)) async throws {
        let drained = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            self.state.value.isClosed = true
            if !self.state.value.line.isEmpty {
                self.state.value.drained.append(drained)
                self.state.value.line.isUrgent = true
                self.startIfIdle()
            } else {
                drained.succeed()
            }
        }
        let timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) { drained.fail(CommitError.unavailable) }
        do {
            try await drained.futureResult.get()
            timer.cancel()
            await worker.close()
        } catch {
            await worker.close()
            throw error
        }
    }

    // MARK: Batches

    private func startIfIdle() {
        guard state.value.line.mayStart else { return }
        let (devices, outdated) = state.value.line.nextBatch(
            maximumSets: options.maximumSets, maximumBytes: options.maximumBytes)
        if !devices.isEmpty {
            worker.commit(devices) { outcome in self.eventLoop.execute { self.settle(outcome) } }
        }
        tell(outdated)
    }

    private func settle(_ outcome: CommitWorker.Outcome) {
        let verdicts = state.value.line.settle(outcome)
        stalled.withLockedValue { $0 = false }
        tell(verdicts)
        startIfIdle()
        if state.value.line.isEmpty {
            for promise in state.value.drained { promise.succeed() }
            state.value.drained = []
        }
    }

    /// Last, because callers may submit again from their callbacks.
    private func tell(_ verdicts: [CommitLine<EventLoopPromise<Void>>.Verdict]) {
        countBytes()
        for (entry, error) in verdicts {
            if let error { entry.waiter?.fail(error) } else { entry.waiter?.succeed() }
        }
    }

    // MARK: Patience

    private func watchPatience() {
        if state.value.watchesPatience { return }
        state.value.watchesPatience = true
        eventLoop.scheduleTask(in: min(.seconds(1), TimeAmount(options.patience))) { self.checkPatience() }
    }

    /// Tells callers whose sets waited too long that the store is away. The sets stay: they may still be applied.
    private func checkPatience() {
        state.value.watchesPatience = false
        let now = NIODeadline.now()
        let late = state.value.line.late(at: now)
        let accepted = state.value.line.earliestDeadline
        if let accepted, accepted - TimeAmount(options.patience) + Self.stallLimit < now {
            stalled.withLockedValue { $0 = true }
        }
        for promise in late { promise.fail(CommitError.unavailable) }
        if !state.value.line.isEmpty { watchPatience() }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}

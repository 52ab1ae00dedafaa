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
    private let stalled = NIOLockedValueBox(false)
    /// Seconds without a commit after which the store counts as away.
    private static let stallLimit = TimeAmount.seconds(3)

    private struct Entry {
        let changes: ChangeSet
        let size: Int
        let deadline: NIODeadline
        /// nil once the caller was told that the store is away; the set is still to be applied.
        var promise: EventLoopPromise<Void>?
    }

    private struct State {
        var waiting: [Entry] = []
        var inFlight: [Int: Entry] = [:]
        var nextNumber = 0
        var isRunning = false
        /// Somebody waits for what is in `waiting`; otherwise it goes when the timer ends.
        var isUrgent = false
        var isTimerSet = false
        var isClosed = false
        var watchesPatience = false
        /// Devices whose sets go one at a time, because rows of a batch were refused: to find out which.
        var alone: Set<Int64> = []
        /// Devices that may write no more under their epoch, and why.
        var stopped: [Int64: (epoch: Int64, error: CommitError)] = [:]
        var drained: [EventLoopPromise<Void>] = []
    }

    /// - Parameters:
    ///   - nodeID: whose leases the fence accepts.
    ///   - onEvents: called, on any thread, after a commit that stored events.
    package convenience init(
        eventLoop: any EventLoop, database: StorageDatabase, nodeID: UUID, envelope: SecretEnvelope,
        options: CommitOptions = CommitOptions(), logger: Logger = Logger(label: "commit"),
        onEvents: @escaping @Sendable (StoredEvents) -> Void = { _ in }
    ) {
        self.init(
            eventLoop: eventLoop, database: database, nodeID: nodeID, envelope: envelope, options: options,
            logger: logger, onEvents: onEvents,
            pause: { duration in try? await Task.sleep(for: duration) })
    }

    init(
        eventLoop: any EventLoop, database: StorageDatabase, nodeID: UUID, envelope: SecretEnvelope,
        options: CommitOptions, logger: Logger, onEvents: @escaping @Sendable (StoredEvents) -> Void,
        pause: @escaping @Sendable (Duration) async -> Void
    ) {
        self.eventLoop = eventLoop
        self.options = options
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
    package var isStalled: Bool { stalled.withLockedValue { $0 } }

    package func submit(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        let future = queue(changes)
        state.value.isUrgent = true
        eventLoop.execute { self.startIfIdle() }
        return future
    }

    package func submitWithNext(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        let future = queue(changes)
        if !state.value.isTimerSet && !state.value.waiting.isEmpty {
            state.value.isTimerSet = true
            eventLoop.scheduleTask(in: TimeAmount(options.gathering)) {
                self.state.value.isTimerSet = false
                self.state.value.isUrgent = true
                self.startIfIdle()
            }
        }
        return future
    }

    private func queue(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        if state.value.isClosed { return eventLoop.makeFailedFuture(CommitError.closed) }
        if let stop = state.value.stopped[changes.did] {
            if changes.epoch <= stop.epoch { return eventLoop.makeFailedFuture(stop.error) }
            state.value.stopped[changes.did] = nil
        }
        if changes.isEmpty && state.value.waiting.isEmpty && !state.value.isRunning {
            return eventLoop.makeSucceededVoidFuture()
        }
        let size = changes.approximateSize
        let promise = eventLoop.makePromise(of: Void.self)
        bytes.withLockedValue { $0 += size }
        state.value.waiting.append(
            Entry(changes: changes, size: size, deadline: .now() + TimeAmount(options.patience), promise: promise))
        watchPatience()
        return promise.futureResult
    }

    /// Refuses further sets and completes when everything queued is settled, or fails with `unavailable` after `timeout`.
    package func shutdown(timeout: Duration = .seconds(10)) async throws {
        let drained = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            self.state.value.isClosed = true
            if self.state.value.isRunning || !self.state.value.waiting.isEmpty {
                self.state.value.drained.append(drained)
                self.state.value.isUrgent = true
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
        guard !state.value.isRunning, state.value.isUrgent, !state.value.waiting.isEmpty else { return }
        let devices = takeBatch()
        state.value.isUrgent = !state.value.waiting.isEmpty
        guard !devices.isEmpty else { return }
        state.value.isRunning = true
        worker.commit(devices) { outcome in self.eventLoop.execute { self.settle(outcome) } }
    }

    /// Moves the next batch from waiting to in flight: for each device a run of its oldest sets.
    private func takeBatch() -> [DeviceChanges] {
        var newestEpochs: [Int64: Int64] = [:]
        for entry in state.value.waiting {
            newestEpochs[entry.changes.did] = max(newestEpochs[entry.changes.did] ?? .min, entry.changes.epoch)
        }
        var devices: [Int64: DeviceChanges] = [:]
        var blocked: Set<Int64> = []
        var (left, outdated): ([Entry], [Entry]) = ([], [])
        var (sets, size) = (0, 0)
        for entry in state.value.waiting {
            let did = entry.changes.did
            if let newest = newestEpochs[did], entry.changes.epoch < newest {
                // The device was claimed anew by this node: its former session may write no more.
                outdated.append(entry)
                continue
            }
            let isFull = sets >= options.maximumSets || (size + entry.size > options.maximumBytes && sets > 0)
            let isAlone = entry.changes.credentials != nil || state.value.alone.contains(did)
            let mustWait = isAlone && devices[did] != nil
            if isFull || mustWait || blocked.contains(did) {
                blocked.insert(did)
                left.append(entry)
                continue
            }
            if devices[did] == nil {
                devices[did] = DeviceChanges(entry.changes)
            } else {
                devices[did]?.add(entry.changes)
            }
            (sets, size) = (sets + 1, size + entry.size)
            state.value.inFlight[state.value.nextNumber] = entry
            state.value.nextNumber += 1
        }
        state.value.waiting = left
        fail(outdated, with: .fenced)
        return Array(devices.values)
    }

    /// Fails entries that were taken out of the queue. Last, because callers may submit again from their callbacks.
    private func fail(_ entries: [Entry], with error: CommitError) {
        bytes.withLockedValue { $0 -= entries.reduce(0) { $0 + $1.size } }
        for entry in entries { entry.promise?.fail(error) }
    }

    private func settle(_ outcome: CommitWorker.Outcome) {
        var settled = state.value.inFlight.sorted { $0.key < $1.key }.map(\.value)
        state.value.inFlight = [:]
        state.value.isRunning = false
        let refused = takeRefused(&settled, outcome)
        bytes.withLockedValue { $0 -= settled.reduce(0) { $0 + $1.size } }
        stalled.withLockedValue { $0 = false }
        for (did, error) in outcome {
            guard let error, let epoch = settled.first(where: { $0.changes.did == did })?.changes.epoch else {
                continue
            }
            if case .rejected = error { continue }
            state.value.stopped[did] = (epoch, error)
        }
        for entry in settled {
            if let error = outcome[entry.changes.did] ?? nil {
                entry.promise?.fail(error)
            } else {
                entry.promise?.succeed()
            }
        }
        for (entries, error) in refused { fail(entries, with: error) }
        failStopped()
        startIfIdle()
        if !state.value.isRunning && state.value.waiting.isEmpty {
            for promise in state.value.drained { promise.succeed() }
            state.value.drained = []
        }
    }

    /// Deals with devices whose rows were refused. Where one set was sent, it fails, and with it every later one of the
    /// device, which may build upon it: returned to be failed after it. What the device submits from then on counts anew.
    /// Where several were sent together, they go back to be sent one by one: one of them is to blame.
    private func takeRefused(
        _ settled: inout [Entry], _ outcome: CommitWorker.Outcome
    ) -> [(entries: [Entry], error: CommitError)] {
        var refused: [(entries: [Entry], error: CommitError)] = []
        for (did, error) in outcome {
            guard let error, case .rejected = error else { continue }
            let sent = settled.filter { $0.changes.did == did }
            if sent.count > 1 {
                settled.removeAll { $0.changes.did == did }
                state.value.waiting.insert(contentsOf: sent, at: 0)
                state.value.isUrgent = true
                state.value.alone.insert(did)
            } else {
                state.value.alone.remove(did)
                refused.append((state.value.waiting.filter { $0.changes.did == did }, error))
                state.value.waiting.removeAll { $0.changes.did == did }
            }
        }
        for did in state.value.alone where !state.value.waiting.contains(where: { $0.changes.did == did }) {
            state.value.alone.remove(did)
        }
        return refused
    }

    /// Fails what waits for devices that were stopped.
    private func failStopped() {
        guard !state.value.stopped.isEmpty else { return }
        let stopped = state.value.stopped
        func stop(_ entry: Entry) -> CommitError? {
            guard let stop = stopped[entry.changes.did], entry.changes.epoch <= stop.epoch else { return nil }
            return stop.error
        }
        let failed = state.value.waiting.compactMap { entry in stop(entry).map { (entry, $0) } }
        if failed.isEmpty { return }
        state.value.waiting.removeAll { stop($0) != nil }
        for (entry, error) in failed { fail([entry], with: error) }
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
        var late: [EventLoopPromise<Void>] = []
        for index in state.value.waiting.indices where state.value.waiting[index].deadline <= now {
            if let promise = state.value.waiting[index].promise { late.append(promise) }
            state.value.waiting[index].promise = nil
        }
        for (number, entry) in state.value.inFlight where entry.deadline <= now {
            if let promise = entry.promise { late.append(promise) }
            state.value.inFlight[number]?.promise = nil
        }
        let accepted = (state.value.waiting + state.value.inFlight.values).map(\.deadline).min()
        if let accepted, accepted - TimeAmount(options.patience) + Self.stallLimit < now {
            stalled.withLockedValue { $0 = true }
        }
        for promise in late { promise.fail(CommitError.unavailable) }
        if state.value.isRunning || !state.value.waiting.isEmpty { watchPatience() }
    }
}

extension TimeAmount {
    fileprivate init(_ duration: Duration) {
        let parts = duration.components
        self = .nanoseconds(parts.seconds * 1_000_000_000 + parts.attoseconds / 1_000_000_000)
    }
}

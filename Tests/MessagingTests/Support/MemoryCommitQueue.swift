import NIOConcurrencyHelpers
import NIOCore

@testable import Messaging

/// A commit queue over `MemoryStore` whose outcomes a test chooses.
final class MemoryCommitQueue: CommitQueue {
    enum Outcome: Sendable {
        case applied
        case failed(CommitError)
    }

    private struct Waiting {
        var changes: ChangeSet
        var promise: EventLoopPromise<Void>
    }

    let eventLoop: any EventLoop
    let store: MemoryStore
    private let waiting = NIOLockedValueBox<[Waiting]>([])
    private let held = NIOLockedValueBox(false)
    private let log = NIOLockedValueBox<[ChangeSet]>([])

    init(store: MemoryStore, eventLoop: any EventLoop) {
        self.store = store
        self.eventLoop = eventLoop
    }

    /// Bytes that other devices of the loop have waiting.
    let othersBytes = NIOLockedValueBox(0)
    var pendingBytes: Int {
        waiting.withLockedValue { $0.reduce(0) { $0 + $1.changes.approximateSize } }
            + othersBytes.withLockedValue { $0 }
    }
    /// Bytes that all loops of the process have waiting.
    let everywhereBytes = NIOLockedValueBox(0)
    var processBytes: Int { everywhereBytes.withLockedValue { $0 } }
    /// Every set that was submitted, in order.
    var submitted: [ChangeSet] { log.withLockedValue { $0 } }
    var waitingCount: Int { waiting.withLockedValue { $0.count } }
    /// What waits to be committed, oldest first.
    var waitingSets: [ChangeSet] { waiting.withLockedValue { $0.map(\.changes) } }

    /// While held, sets wait for `release`.
    func hold() { held.withLockedValue { $0 = true } }

    func submit(_ changes: ChangeSet) -> EventLoopFuture<Void> {
        eventLoop.preconditionInEventLoop()
        log.withLockedValue { $0.append(changes) }
        let promise = eventLoop.makePromise(of: Void.self)
        waiting.withLockedValue { $0.append(Waiting(changes: changes, promise: promise)) }
        if !held.withLockedValue({ $0 }) {
            // As with a real database the outcome comes in a later turn of the loop.
            eventLoop.execute { self.settle(count: 1, .applied) }
        }
        return promise.futureResult
    }

    /// Settles the oldest `count` sets (all by default) with one outcome, and stops holding unless `keepHolding`.
    func release(count: Int = .max, _ outcome: Outcome = .applied, keepHolding: Bool = false) {
        if !keepHolding { held.withLockedValue { $0 = false } }
        settle(count: count, outcome)
    }

    /// Tells that the store is away, as a real queue does once its patience has run out: the sets stay, in their order.
    func tellAway() {
        let told = waiting.withLockedValue { waiting in
            let told = waiting.map(\.promise)
            for index in waiting.indices { waiting[index].promise = eventLoop.makePromise(of: Void.self) }
            return told
        }
        for promise in told { promise.fail(CommitError.unavailable) }
    }

    private func settle(count: Int, _ outcome: Outcome) {
        let batch = waiting.withLockedValue { waiting in
            let batch = Array(waiting.prefix(count))
            waiting.removeFirst(batch.count)
            return batch
        }
        for entry in batch {
            switch outcome {
            case .applied:
                do {
                    try store.apply(entry.changes)
                    entry.promise.succeed()
                } catch {
                    entry.promise.fail(error)
                }
            case .failed(let error): entry.promise.fail(error)
            }
        }
    }
}

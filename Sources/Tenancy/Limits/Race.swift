import NIOConcurrencyHelpers
import NIOCore

/// Runs work beside something that may come first, and does not wait for what comes second.
///
/// A task group waits for all of its children, also for one that does not hear its cancellation: a send that waits for its
/// acknowledgement, a statement on a database that was frozen. Here the loser is cancelled and left to end when it may.
/// Not for work that reads from a place where the caller goes on reading.
package enum Race {
    /// What `work` gives; nil when `rival` returned before it.
    ///
    /// Throws what the first of the two throws, and `CancellationError` at once when the calling task is cancelled.
    package static func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value, against rival: @escaping @Sendable () async throws -> Void
    ) async throws -> Value? {
        try Task.checkCancellation()
        let line = FinishLine<Value?>()
        let worker = Task {
            do { line.cross(.success(try await work())) } catch { line.cross(.failure(error)) }
        }
        let other = Task {
            do {
                try await rival()
                line.cross(.success(nil))
            } catch {
                line.cross(.failure(error))
            }
        }
        defer {
            worker.cancel()
            other.cancel()
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { line.wait($0) }
        } onCancel: {
            line.cross(.failure(CancellationError()))
        }
    }

    /// What `work` gives; nil when it takes longer than `limit`.
    package static func run<Value: Sendable>(
        within limit: Duration, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        try await run(work) { try await Task.sleep(for: limit) }
    }

    /// What `work` gives; nil when it takes longer than `limit`. Begins at once, and costs no task but that of the work: for
    /// what nearly always comes first.
    ///
    /// - Parameters:
    ///   - eventLoop: For the timer: the loop that this is called on, if it is called on one.
    ///   - executor: Where the work runs; nil: on the pool's threads.
    package static func run<Value: Sendable>(
        within limit: Duration, on eventLoop: any EventLoop, _ executor: (any TaskExecutor)?,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value? {
        try Task.checkCancellation()
        let line = FinishLine<Value?>()
        let worker = Task.immediate(executorPreference: executor) {
            do { line.cross(.success(try await work())) } catch { line.cross(.failure(error)) }
        }
        if let result = line.crossed { return try result.get() }
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { line.cross(.success(nil)) }
        defer {
            timer.cancel()
            worker.cancel()
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { line.wait($0) }
        } onCancel: {
            line.cross(.failure(CancellationError()))
        }
    }
}

/// Hands the first result to the one who waits; later ones are nobody's.
private final class FinishLine<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, any Error>)
        case crossed(Result<Value, any Error>)
        case over
    }

    private let state = NIOLockedValueBox(State.open)

    /// The result, when it is there already.
    var crossed: Result<Value, any Error>? {
        state.withLockedValue { if case .crossed(let result) = $0 { result } else { nil } }
    }

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let result: Result<Value, any Error>? = state.withLockedValue { state in
            guard case .crossed(let result) = state else {
                state = .awaited(continuation)
                return nil
            }
            state = .over
            return result
        }
        if let result { continuation.resume(with: result) }
    }

    func cross(_ result: Result<Value, any Error>) {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLockedValue { state in
            switch state {
            case .open:
                state = .crossed(result)
                return nil
            case .awaited(let continuation):
                state = .over
                return continuation
            case .crossed, .over: return nil
            }
        }
        waiting?.resume(with: result)
    }
}

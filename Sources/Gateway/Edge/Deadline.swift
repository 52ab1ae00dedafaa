import NIOPosix
import Synchronization
import Tenancy

/// Runs work that waits for others within the time a request may take.
enum Deadline {
    /// Throws `APIError.deadline` when `work` takes longer than `limit`; the work is then cancelled, and left when it does
    /// not hear that.
    ///
    /// - Parameter executor: Where the work begins, at once; nil: on the pool's threads.
    static func run<Value: Sendable>(
        _ limit: Duration, on executor: LoopExecutor?, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let eventLoop = executor?.eventLoop ?? MultiThreadedEventLoopGroup.singleton.any()
        guard let value = try await Race.run(within: limit, on: eventLoop, executor, work) else {
            throw APIError.deadline
        }
        return value
    }
}

/// Whether the process is on its way out (13-configuration, section 11): at first it only says so, with a readiness that
/// fails and answers that close their connection; then new requests are refused.
final class DrainState: Sendable {
    private let draining = Atomic<Bool>(false)
    private let refusing = Atomic<Bool>(false)

    var isDraining: Bool { draining.load(ordering: .relaxed) }
    var isRefusing: Bool { refusing.load(ordering: .relaxed) }

    func begin() { draining.store(true, ordering: .relaxed) }

    func refuse() {
        begin()
        refusing.store(true, ordering: .relaxed)
    }
}

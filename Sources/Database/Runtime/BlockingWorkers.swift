import NIOPosix

/// The few threads that libpq's blocking calls run on: connecting (name resolution, TLS, authentication) and cancelling.
///
/// Queries never come here; their number is bounded by the number of connections being opened or cancelled.
enum BlockingWorkers {
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    /// Runs `body` on one of the threads and returns its result.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await threads.runIfActive(body)
    }
}

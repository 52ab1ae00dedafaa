import Foundation
import Synchronization

/// A thread for connections that must not wait behind those of others, and for an actor that works with one of them: between
/// the two nothing changes threads.
package struct DatabaseThread: Sendable {
    let executor: DatabaseExecutor

    /// For an actor that lives on this thread.
    package var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Runs `body` on the thread, after what was given to it before. Callable from anywhere.
    package func execute(_ body: @escaping @Sendable () -> Void) { executor.execute(body) }

    /// One of as many threads as there are processors, in turn. They live as long as the process.
    package static func next() -> DatabaseThread {
        let number = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return DatabaseThread(executor: threads[number % threads.count])
    }

    private static let taken = Atomic<Int>(0)
    private static let threads = (0..<max(1, ProcessInfo.processInfo.activeProcessorCount)).map {
        DatabaseExecutor(name: "sb-commit-\($0)")
    }
}

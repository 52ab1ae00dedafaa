import NIOCore
import NIOPosix

/// The one thread the sandbox runs on: a global actor whose executor is one NIO event loop.
///
/// Every world, connection, phone and timer of the process lives here, so nothing in the sandbox needs a lock, no call
/// between the server and a phone hops, and the order of effects is the order of the calls (09, sections 1 and 26).
/// Channel handlers run on the same loop and enter with ``run(_:)``; everybody else enters with `await`.
@globalActor
package actor SandboxActor {
    package static let shared = SandboxActor()

    /// One thread for the life of the process; it owns no descriptors while no sandbox listens.
    static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    /// The loop on which the sandbox's channels are registered and its actor runs.
    package static let loop: any EventLoop = group.next()
    private static let serialExecutor: any SerialExecutor = {
        guard let executor = loop as? any SerialExecutor else {
            preconditionFailure("NIOPosix's event loops are serial executors")
        }
        return executor
    }()

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        Self.serialExecutor.asUnownedSerialExecutor()
    }

    /// Runs `body` as this actor. The caller must already be on ``loop``; anything else is a programmer's error and traps.
    package static func run<Result: Sendable>(
        _ body: @SandboxActor () throws -> Result
    ) rethrows -> Result {
        loop.preconditionInEventLoop()
        typealias Isolated = @SandboxActor () throws -> Result
        typealias Plain = () throws -> Result
        // Safe because the precondition above proved that the actor's executor is the current thread's.
        return try withoutActuallyEscaping(body) { (isolated: @escaping Isolated) in
            try unsafeBitCast(isolated, to: Plain.self)()
        }
    }

    /// Runs `body` on the loop after the current call has unwound.
    package static func later(_ body: @escaping @SandboxActor @Sendable () -> Void) {
        loop.execute { run(body) }
    }
}

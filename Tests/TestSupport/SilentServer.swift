import NIOCore
import NIOPosix
import Synchronization

/// A server that accepts connections and never answers.
package final class SilentServer: Sendable {
    private let channel: any Channel
    private let accepted: Counter

    private final class Counter: Sendable {
        let count = Mutex(0)
    }

    package var port: Int { channel.localAddress?.port ?? 0 }
    /// Connections so far.
    package var connections: Int { accepted.count.withLock { $0 } }

    package init() async throws {
        let accepted = Counter()
        self.accepted = accepted
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                accepted.count.withLock { $0 += 1 }
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    package func stop() async throws { try await channel.close() }
}

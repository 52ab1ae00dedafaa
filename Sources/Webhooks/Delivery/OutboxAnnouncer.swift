import Logging
import Storage
import Synchronization

/// Tells the other nodes that deliveries are due (16-performance-durability, section 5.7): at most once in 50 ms, in a
/// transaction of its own after the one that made them, and only while there are other nodes. A lost hint costs a second:
/// every node looks at the outbox that often anyway.
package final class OutboxAnnouncer: Sendable {
    /// Channel of the hints; their payload is an ``OutboxHint``.
    package static let channel = OutboxRepository.channel
    private static let interval = Duration.milliseconds(50)

    private let repository: OutboxRepository
    private let logger: Logger
    private let pending = Mutex(OutboxHint())
    private let made: AsyncStream<Void>
    private let maker: AsyncStream<Void>.Continuation

    package init(repository: OutboxRepository, logger: Logger) {
        self.repository = repository
        self.logger = logger
        (made, maker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Says what a commit of this process stored. Any thread; never waits.
    package func stored(_ events: StoredEvents) {
        pending.withLock { $0.add(events) }
        maker.yield()
    }

    /// Announces until the task is cancelled.
    package func run() async {
        for await _ in made {
            let hint = pending.withLock { hint in
                defer { hint = OutboxHint() }
                return hint
            }
            if hint.isEmpty { continue }
            do {
                try await repository.announce(hint)
            } catch {
                logger.debug("deliveries could not be announced", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}

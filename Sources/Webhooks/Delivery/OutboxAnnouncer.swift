import Logging
import Storage

/// Tells the other nodes that deliveries are due (16-performance-durability, section 5.7): at most once in 50 ms, in a
/// transaction of its own after the one that made them, and only while there are other nodes. A lost hint costs a second:
/// every node looks at the outbox that often anyway.
package struct OutboxAnnouncer: Sendable {
    /// Channel of the hints; their payload is empty.
    package static let channel = WebhookRepository.channel
    private static let interval = Duration.milliseconds(50)

    private let repository: WebhookRepository
    private let logger: Logger
    private let made: AsyncStream<Void>
    private let maker: AsyncStream<Void>.Continuation

    package init(repository: WebhookRepository, logger: Logger) {
        self.repository = repository
        self.logger = logger
        (made, maker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that a commit made deliveries. Any thread; never waits.
    package func deliveriesMade() { maker.yield() }

    /// Announces until the task is cancelled.
    package func run() async {
        for await _ in made {
            do {
                try await repository.announceDeliveries()
            } catch {
                logger.debug("deliveries could not be announced", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.interval)
        }
    }
}

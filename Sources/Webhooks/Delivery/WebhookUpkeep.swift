import Logging
import Storage
import Tenancy

/// What keeps delivery healthy beside the deliveries: endpoints that fail for days are switched off, backlogs are
/// bounded, and what nobody can deliver dies of age.
struct WebhookUpkeep: Sendable {
    private let repository: OutboxRepository
    private let metrics: WebhookMetrics
    private let configuration: WebhookDispatcher.Configuration
    private let logger: Logger

    /// What a device's backlog loses first (11-webhooks, section 6.6).
    static let lowValueEvents = [
        "presence.update", "chat.presence", "call.transport", "call.relay_latency", "message.delivered",
        "message.read", "message.played",
    ]

    init(
        repository: OutboxRepository, metrics: WebhookMetrics, configuration: WebhookDispatcher.Configuration,
        logger: Logger
    ) {
        self.repository = repository
        self.metrics = metrics
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until the task is cancelled.
    func run() async {
        var round = 0
        var place: Int64 = 0
        await Recurring.run(pausing: .seconds(60)) {
            await step("failing webhooks") {
                for webhook in try await repository.failing(for: configuration.disableAfter) {
                    await disable(webhook, reason: "failing")
                }
            }
            await step("backlogs") {
                let done = try await repository.trimBacklogs(
                    to: configuration.backlogLimit, lowValue: Self.lowValueEvents, behind: place)
                place = done.place
                metrics.cancelled(done.cancelled)
            }
            if round % 10 == 0 {
                await step("old deliveries") {
                    metrics.expired(try await repository.expire(olderThan: configuration.retry.maximumAge))
                }
            }
            round += 1
        }
    }

    /// Switches a webhook off and tells of it.
    func disable(_ webhook: Int64, reason: String) async {
        await step("switching off") {
            guard try await repository.disable(webhook, reason: reason) else { return }
            logger.warning("webhook switched off", metadata: ["webhook": "\(webhook)", "reason": "\(reason)"])
        }
    }

    private func step(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
        } catch {
            guard !Task.isCancelled else { return }
            logger.debug("upkeep of webhooks did not run", metadata: ["part": "\(what)", "error": "\(error)"])
        }
    }
}

import Foundation

/// What became of a delivery (11-webhooks, section 6.4).
package enum DeliveryState: String, Sendable, CaseIterable {
    /// Never tried.
    case pending
    /// Failed, and will be tried again.
    case retrying
    case success
    /// Given up where no slow phase is configured.
    case failed
    /// Given up; can be replayed.
    case dead
    case cancelled
}

/// One line of a webhook's delivery log.
package struct DeliveryLogEntry: Sendable, Equatable {
    package let id: Int64
    package let webhookID: Int64
    package let eventID: String
    package let eventType: String
    package let state: DeliveryState
    package let attemptCount: Int
    package let lastError: String?
    package let responseCode: Int?
    package let durationMilliseconds: Int?
    package let nextAttemptAt: Date?
    package let isTest: Bool
    package let isReplay: Bool
    package let createdAt: Date
    package let updatedAt: Date

    package var position: ListPosition { ListPosition(date: createdAt, id: id) }
}

/// One attempt of a delivery.
package struct DeliveryAttempt: Sendable, Equatable {
    package let number: Int
    /// The node that made it; nil where only the delivery's own row tells of it.
    package let node: UUID?
    package let startedAt: Date
    package let durationMilliseconds: Int?
    package let responseCode: Int?
    package let error: String?
    /// First bytes of the answer.
    package let responseHead: [UInt8]
}

/// A stored event.
package struct StoredEvent: Sendable, Equatable {
    package let id: String
    package let type: String
    /// Place among the device's events; 0 for what the gateway says of itself.
    package let sequence: Int64
    /// The bytes that are sent; nil when past their retention.
    package let body: [UInt8]?
    package let createdAt: Date

    package init(id: String, type: String, sequence: Int64, body: [UInt8]?, createdAt: Date) {
        self.id = id
        self.type = type
        self.sequence = sequence
        self.body = body
        self.createdAt = createdAt
    }
}

/// Which part of a delivery log to read.
package struct DeliveryLogQuery: Sendable {
    package var state: DeliveryState?
    package var event: String?
    package var since: Date?
    /// The last row of the page before.
    package var before: ListPosition?
    package var limit: Int

    package init(
        state: DeliveryState? = nil, event: String? = nil, since: Date? = nil, before: ListPosition? = nil,
        limit: Int = 100
    ) {
        self.state = state
        self.event = event
        self.since = since
        self.before = before
        self.limit = limit
    }
}

/// Which events to send once more.
package struct ReplayRequest: Sendable {
    package enum Selection: Sendable, Equatable {
        case events([String])
        case range(since: Date, until: Date?)
    }

    package var selection: Selection
    /// Names; nil for all that the webhook wants.
    package var events: [String]?
    /// State that a delivery of the event must have; nil for every stored event.
    package var state: DeliveryState?

    package init(_ selection: Selection, events: [String]? = nil, state: DeliveryState? = nil) {
        self.selection = selection
        self.events = events
        self.state = state
    }
}

/// What a replay queued.
package struct ReplayCount: Sendable, Equatable {
    package let queued: Int
    package let skipped: Int

    package init(queued: Int, skipped: Int) {
        self.queued = queued
        self.skipped = skipped
    }
}

/// Totals for the operator, over all tenants.
package struct WebhookStatistics: Sendable, Equatable {
    package let webhooks: Int64
    package let activeWebhooks: Int64
    package let succeeded: Int64
    package let failedAttempts: Int64
    package let dead: Int64
    package let pending: Int64
    /// Seconds since the oldest undelivered row was made; nil when nothing waits.
    package let oldestPendingAge: Double?
    /// Of the last 24 hours, to the hour.
    package let succeededLastDay: Int64
    package let deadLastDay: Int64
    /// Webhooks that the gateway switched off: `failing` or `gone`.
    package let switchedOff: Int64
}

/// Counters of some span: attempts that arrived, attempts that failed, deliveries given up.
package struct DeliveryCounts: Sendable, Equatable {
    package let succeeded: Int64
    package let failedAttempts: Int64
    package let dead: Int64
}

/// A webhook that fails or was switched off, for the operator.
package struct TroubledWebhook: Sendable, Equatable {
    package let id: Int64
    package let tenantID: Int64
    package let deviceID: UUID
    package let url: String
    package let isActive: Bool
    package let disabledReason: String?
    package let disabledAt: Date?
    package let failingSince: Date?
    package let consecutiveFailures: Int
    package let lastSuccessAt: Date?
}

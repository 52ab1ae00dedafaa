import Foundation

/// A subscription as it is stored, its secrets opened.
package struct WebhookRecord: Sendable, Equatable {
    /// In which order the events of the device reach this webhook (11-webhooks, section 6.5).
    package enum Ordering: String, Sendable, CaseIterable {
        case none, device, strict
    }

    package let id: Int64
    package let tenantID: Int64
    package let did: Int64
    package var url: String
    package var secret: String
    package var events: [String]
    package var isActive: Bool
    /// `manual`, `failing`, `gone` or `device_deleted` while inactive.
    package var disabledReason: String?
    package var ordering: Ordering
    /// False keeps message contents out of the bodies.
    package var includesContent: Bool
    /// Extra request headers, by name.
    package var headers: [String: String]
    package var description: String
    package var consecutiveFailures: Int
    package let createdAt: Date
    package let updatedAt: Date
}

/// What a creation or change sets; nil leaves a member as it is.
package struct WebhookChange: Sendable, Equatable {
    package var url: String?
    package var events: [String]?
    package var isActive: Bool?
    package var ordering: WebhookRecord.Ordering?
    package var includesContent: Bool?
    package var headers: [String: String]?
    package var description: String?

    package init(
        url: String? = nil, events: [String]? = nil, isActive: Bool? = nil, ordering: WebhookRecord.Ordering? = nil,
        includesContent: Bool? = nil, headers: [String: String]? = nil, description: String? = nil
    ) {
        self.url = url
        self.events = events
        self.isActive = isActive
        self.ordering = ordering
        self.includesContent = includesContent
        self.headers = headers
        self.description = description
    }
}

/// One line of a webhook's delivery log.
package struct DeliveryLogEntry: Sendable, Equatable {
    package let id: Int64
    package let webhookID: Int64
    package let eventID: String
    package let eventType: String
    /// `pending`, `retrying`, `success`, `failed`, `dead` or `cancelled`.
    package let state: String
    package let attemptCount: Int
    package let lastError: String?
    package let responseCode: Int?
    package let durationMilliseconds: Int?
    package let nextAttemptAt: Date?
    package let isTest: Bool
    package let createdAt: Date
    package let updatedAt: Date
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
}

/// A delivery this node claimed, with everything an attempt needs.
package struct ClaimedDelivery: Sendable {
    package let id: Int64
    package let day: String
    package let webhookID: Int64
    package let tenantID: Int64
    package let did: Int64
    package let eventID: String
    package let eventType: String
    /// Number of the attempt this claim stands for, from 1.
    package let attempt: Int
    /// Seconds since the delivery was made.
    package let age: Double
    /// The bytes to send; nil when the body is past its retention.
    package let body: [UInt8]?
    package let url: String
    /// Current secret first, the one before while its grace lasts.
    package let secrets: [String]
    package let headers: [String: String]
    package let consecutiveFailures: Int
    package let isReplay: Bool
}

/// What an attempt came to, as it is written.
package struct DeliveryResult: Sendable, Equatable {
    package enum State: String, Sendable {
        case success, retrying, failed, dead
    }

    package var state: State
    package var responseCode: Int?
    package var durationMilliseconds: Int
    /// At most 1 KiB.
    package var error: String?
    /// Milliseconds until the next attempt, for `retrying`.
    package var retryAfterMilliseconds: Int64?
    /// First bytes of the answer, at most 1 KiB.
    package var responseHead: [UInt8]?
    /// Seconds the webhook's other rows wait; nil closes the circuit.
    package var circuitPause: Int?
    /// Set to switch the webhook off, with the reason.
    package var disableReason: String?

    package init(
        state: State, responseCode: Int? = nil, durationMilliseconds: Int, error: String? = nil,
        retryAfterMilliseconds: Int64? = nil, responseHead: [UInt8]? = nil, circuitPause: Int? = nil,
        disableReason: String? = nil
    ) {
        self.state = state
        self.responseCode = responseCode
        self.durationMilliseconds = durationMilliseconds
        self.error = error
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.responseHead = responseHead
        self.circuitPause = circuitPause
        self.disableReason = disableReason
    }
}

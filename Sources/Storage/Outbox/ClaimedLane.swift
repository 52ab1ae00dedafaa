import Foundation

/// A webhook's lane, held by this process until it is given back or its time runs out: what to send, in order, and
/// everything the requests need.
package struct ClaimedLane: Sendable {
    /// Token of the claim.
    package let claim: UUID
    package let webhookID: Int64
    package let tenantID: Int64
    package let did: Int64
    package let url: String
    /// Current secret first, the one before while its grace lasts.
    package let secrets: [String]
    package let headers: [String: String]
    package let ordering: WebhookRecord.Ordering
    /// False keeps message contents out of the bodies.
    package let includesContent: Bool
    /// Attempts that failed since one last succeeded.
    package let consecutiveFailures: Int
    /// The run: bounded in rows and bytes.
    package internal(set) var deliveries: [QueuedDelivery]

    package init(
        claim: UUID, webhookID: Int64, tenantID: Int64, did: Int64, url: String, secrets: [String],
        headers: [String: String] = [:], ordering: WebhookRecord.Ordering = .device, includesContent: Bool = true,
        consecutiveFailures: Int = 0, deliveries: [QueuedDelivery] = []
    ) {
        self.claim = claim
        self.webhookID = webhookID
        self.tenantID = tenantID
        self.did = did
        self.url = url
        self.secrets = secrets
        self.headers = headers
        self.ordering = ordering
        self.includesContent = includesContent
        self.consecutiveFailures = consecutiveFailures
        self.deliveries = deliveries
    }
}

/// One event on its way to one webhook.
package struct QueuedDelivery: Sendable {
    package let id: Int64
    package let day: String
    package let eventID: String
    package let eventType: String
    /// Number of the attempt to make now, from 1.
    package let attempt: Int
    /// Seconds since the delivery was made.
    package let age: Double
    /// Seconds since its first attempt failed; nil when none did.
    package let failingFor: Double?
    package let isReplay: Bool
    /// The event's bytes; nil when it is past its retention.
    package let body: [UInt8]?

    package init(
        id: Int64, day: String, eventID: String, eventType: String, attempt: Int = 1, age: Double = 0,
        failingFor: Double? = nil, isReplay: Bool = false, body: [UInt8]?
    ) {
        self.id = id
        self.day = day
        self.eventID = eventID
        self.eventType = eventType
        self.attempt = attempt
        self.age = age
        self.failingFor = failingFor
        self.isReplay = isReplay
        self.body = body
    }
}

/// What an attempt came to, as it is written.
package struct DeliveryResult: Sendable, Equatable {
    package enum State: String, Sendable, CaseIterable {
        case success, retrying, failed, dead
    }

    package var state: State
    /// Number of the attempt.
    package var attempt: Int
    package var responseCode: Int?
    package var durationMilliseconds: Int
    /// At most 1 KiB.
    package var error: String?
    /// Milliseconds until the next attempt, for `retrying`.
    package var retryAfterMilliseconds: Int64?
    /// First bytes of the answer, at most 1 KiB.
    package var responseHead: [UInt8]

    package init(
        state: State, attempt: Int = 1, responseCode: Int? = nil, durationMilliseconds: Int, error: String? = nil,
        retryAfterMilliseconds: Int64? = nil, responseHead: [UInt8] = []
    ) {
        self.state = state
        self.attempt = attempt
        self.responseCode = responseCode
        self.durationMilliseconds = durationMilliseconds
        self.error = error
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.responseHead = responseHead
    }

    /// A clean first success is told whole by the delivery's own row; anything else has a line in the list of attempts.
    var isListed: Bool { state != .success || attempt > 1 || !responseHead.isEmpty }
}

/// A lane given back, with what its run came to.
package struct FinishedLane: Sendable {
    package let claim: UUID
    package let webhookID: Int64
    package var results: [(delivery: QueuedDelivery, result: DeliveryResult)] = []
    /// Failures in a row now; nil when nothing was sent.
    package var failures: Int?
    /// Whether an attempt of the run succeeded.
    package var hasArrived = false
    /// Milliseconds the lane rests; nil opens it at once.
    package var rest: Int64?

    package init(_ lane: ClaimedLane) {
        claim = lane.claim
        webhookID = lane.webhookID
    }
}

/// Work to be done for a webhook.
package struct ReadyWebhook: Sendable, Hashable {
    package let id: Int64
    package let tenantID: Int64

    package init(id: Int64, tenantID: Int64) {
        self.id = id
        self.tenantID = tenantID
    }
}

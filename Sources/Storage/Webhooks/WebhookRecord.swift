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
    /// The secret before, while it goes on signing.
    package var previousSecret: String?
    package var previousSecretUntil: Date?
    package var events: [String]
    package var isActive: Bool
    /// `manual`, `failing`, `gone` or `device_deleted` while inactive.
    package var disabledReason: String?
    package var disabledAt: Date?
    package var ordering: Ordering
    /// False keeps message contents out of the bodies.
    package var includesContent: Bool
    /// Extra request headers, by name.
    package var headers: [String: String]
    package var description: String
    package var consecutiveFailures: Int
    /// Since when every attempt fails; nil after a success.
    package var failingSince: Date?
    package var lastSuccessAt: Date?
    package let createdAt: Date
    package let updatedAt: Date

    package var position: ListPosition { ListPosition(date: createdAt, id: id) }
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

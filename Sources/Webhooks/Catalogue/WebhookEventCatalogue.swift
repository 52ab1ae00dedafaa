/// One kind of event a webhook can carry.
package struct WebhookEventDescription: Sendable, Equatable {
    /// Groups of 11-webhooks, section 9, in its order, and `switchboard` for what the gateway says of itself.
    package enum Category: String, Sendable, CaseIterable {
        case messages, connection, appState, calls, history, blocklist, groups, contacts, chatState, newsletters
        case polls, status, media, switchboard
    }

    /// The wire name, such as `message.received`.
    package let name: String
    package let category: Category
    /// Members of `data` that the reference's consumers rely on.
    package let fields: [WebhookEventField]
    /// Members of `data` that are ours: second names of people, and what spares a consumer a question.
    package let additions: [WebhookEventField]

    /// - Parameters: `fields` and `additions` as ``WebhookEventField/list(_:)`` reads them.
    init(_ name: String, _ category: Category, _ fields: String, adds additions: String = "") {
        self.name = name
        self.category = category
        self.fields = WebhookEventField.list(fields)
        self.additions = WebhookEventField.list(additions)
    }

    /// All members of `data`.
    package var members: [WebhookEventField] { fields + additions }
}

/// Every event there is: the one list behind subscription checks, the API description and the documentation.
package enum WebhookEventCatalogue {
    /// All events, in the order of the documentation.
    package static let all: [WebhookEventDescription] = referenceEvents + ownEvents

    /// All events by name.
    package static let byName: [String: WebhookEventDescription] = Dictionary(
        uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// Names sent only to subscriptions that ask for them by name or by a prefix of theirs.
    package static let optIn: Set<String> = Set(ownEvents.map(\.name))

    /// Whether `pattern` may stand in a subscription: an event's name, or `category.*` matching at least one event.
    package static func accepts(pattern: String) -> Bool {
        if byName[pattern] != nil { return true }
        guard let prefix = prefix(of: pattern) else { return false }
        return byName.keys.contains { $0.hasPrefix(prefix) }
    }

    /// Whether a subscription to `patterns` (empty = all but the opt-in ones) wants the event `name`.
    package static func wants(_ patterns: [String], _ name: String) -> Bool {
        if patterns.isEmpty { return !optIn.contains(name) }
        return patterns.contains { pattern in
            pattern == name || prefix(of: pattern).map { name.hasPrefix($0) } ?? false
        }
    }

    /// `message.` for `message.*`; nil when the pattern is no prefix form.
    private static func prefix(of pattern: String) -> String? {
        guard pattern.count > 2, pattern.hasSuffix(".*") else { return nil }
        return String(pattern.dropLast())
    }
}

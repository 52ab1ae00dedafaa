/// What a node tells the others of events it stored: which lanes have rows, which streams have something to read. Only a
/// hint, and bounded: what it leaves out is found by the next look at the outbox.
///
/// Text of a notification: words separated by spaces, `w<webhook>.<tenant>` and `d<device>`.
package struct OutboxHint: Sendable, Equatable {
    /// Most webhooks and most devices of one hint: 8000 bytes is all a notification carries.
    package static let limit = 64

    package private(set) var webhooks: Set<ReadyWebhook> = []
    package private(set) var devices: Set<Int64> = []

    package init() {}

    package init(webhooks: Set<ReadyWebhook>, devices: Set<Int64>) {
        self.webhooks = webhooks
        self.devices = devices
    }

    /// Reads a notification; words of other versions are passed over.
    package init(payload: String) {
        for word in payload.split(separator: " ").prefix(2 * Self.limit) {
            let numbers = word.dropFirst().split(separator: ".").map { Int64($0) }
            switch (word.first, numbers.count, numbers.first, numbers.last) {
            case ("w", 2, let id??, let tenant??): webhooks.insert(ReadyWebhook(id: id, tenantID: tenant))
            case ("d", 1, let did??, _): devices.insert(did)
            default: continue
            }
        }
    }

    package var isEmpty: Bool { webhooks.isEmpty && devices.isEmpty }

    package var payload: String {
        (webhooks.map { "w\($0.id).\($0.tenantID)" } + devices.map { "d\($0)" }).joined(separator: " ")
    }

    package mutating func add(_ events: StoredEvents) {
        for webhook in events.webhooks where webhooks.count < Self.limit {
            webhooks.insert(ReadyWebhook(id: webhook.id, tenantID: webhook.tenantID))
        }
        for device in events.devices where devices.count < Self.limit { devices.insert(device) }
    }
}

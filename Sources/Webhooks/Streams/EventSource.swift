import Storage

/// Where streams read from: the stored events of devices, by number.
package protocol EventSource: Sendable {
    /// Events of a device after the number `sequence`, in order, whole.
    func events(after sequence: Int64, tenant: Int64, did: Int64, limit: Int) async throws -> [StoredEvent]
    /// Number of the event `id`; nil when the device has none, or it is past its retention.
    func sequence(of id: String, tenant: Int64, did: Int64) async throws -> Int64?
    func newestSequence(tenant: Int64, did: Int64) async throws -> Int64
    /// The newest number of each of these devices that has events.
    func newestSequences(of dids: [Int64]) async throws -> [Int64: Int64]
    /// Stores the device's events for the next `seconds`, also those that no webhook wants.
    func keepStream(tenant: Int64, did: Int64, seconds: Int64) async throws
}

extension WebhookRepository: EventSource {}

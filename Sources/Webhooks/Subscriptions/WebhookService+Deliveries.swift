import Foundation
import Storage

/// Log, events, tests, replays and numbers (11-webhooks, section 8).
extension WebhookService {
    /// Newest first.
    package func logs(
        _ id: Int64, tenant: Int64, did: Int64, _ query: DeliveryLogQuery = DeliveryLogQuery()
    ) async throws -> [DeliveryLogEntry] {
        _ = try await find(id, tenant: tenant, did: did)
        return try await repository.logs(id, tenant: tenant, did: did, query)
    }

    /// An event whole, with every attempt of every delivery.
    package func event(_ id: String, tenant: Int64, did: Int64) async throws -> (
        event: StoredEvent, deliveries: [(entry: DeliveryLogEntry, attempts: [DeliveryAttempt])]
    ) {
        guard let found = try await repository.event(id, tenant: tenant, did: did) else {
            throw WebhookError.eventNotFound
        }
        return found
    }

    package func statistics() async throws -> WebhookStatistics { try await repository.statistics() }

    package func statisticsByTenant() async throws -> [(tenantID: Int64, counts: DeliveryCounts)] {
        try await repository.statisticsByTenant()
    }

    /// Webhooks of all tenants that fail or were switched off for it, newest trouble first.
    package func troubled(limit: Int) async throws -> [TroubledWebhook] { try await repository.troubled(limit: limit) }

    /// Counters of one webhook by hour, newest first.
    package func hourlyCounts(
        _ id: Int64, tenant: Int64, did: Int64, hours: Int
    ) async throws -> [(hour: Date, counts: DeliveryCounts)] {
        _ = try await find(id, tenant: tenant, did: did)
        return try await repository.hourlyCounts(id, tenant: tenant, did: did, limit: hours)
    }

    /// Most events of one replay, and most ids it may name.
    package static let replayLimit = 10_000
    package static let replayIDLimit = 1000

    /// Queues stored events for the webhook once more, behind what is live; sending happens in the background.
    /// - Throws: `WebhookError.inactive` for a webhook that is off, `.unknownEvent`, `.replay`.
    package func replay(
        _ id: Int64, _ request: ReplayRequest, tenant: Int64, did: Int64
    ) async throws -> ReplayCount {
        let webhook = try await find(id, tenant: tenant, did: did)
        guard webhook.isActive else { throw WebhookError.inactive }
        guard request.events?.count ?? 0 <= Self.eventNameLimit else { throw WebhookError.tooManyEvents }
        if let unknown = request.events?.first(where: { WebhookEventCatalogue.byName[$0] == nil }) {
            throw WebhookError.unknownEvent(unknown)
        }
        var named = 0
        if case .events(let ids) = request.selection {
            guard (1...Self.replayIDLimit).contains(ids.count) else {
                throw WebhookError.replay("event_ids: 1 to \(Self.replayIDLimit) ids")
            }
            named = Set(ids).count
        }
        let count = try await repository.replay(request, to: webhook, limit: Self.replayLimit)
        if count.queued > 0 { dispatcher.wake(ReadyWebhook(id: id, tenantID: tenant)) }
        // Ids that name nothing count as skipped too.
        return ReplayCount(queued: count.queued, skipped: max(count.skipped, named - count.queued))
    }

    /// Sends `test.ping` to this webhook, whatever its filter and state: one attempt, logged as a test.
    package func test(_ id: Int64, tenant: Int64, did: Int64, deviceID: UUID) async throws -> WebhookTestResult {
        let webhook = try await find(id, tenant: tenant, did: did)
        let endpoint = try WebhookSender.Endpoint(webhook)
        let eventID = EventID.generate()
        let delivery = try await repository.insertTest(
            webhook, eventID: eventID, body: try Self.testBody(eventID: eventID, deviceID: deviceID))
        let attempt = await sender.send(delivery, to: endpoint)
        let isDelivered = attempt.outcome == .delivered
        try await repository.finishTest(
            delivery, of: webhook, node: nodeID,
            DeliveryResult(
                state: isDelivered ? .success : .failed, responseCode: attempt.responseCode,
                durationMilliseconds: attempt.milliseconds, error: attempt.error, responseHead: attempt.responseHead))
        return WebhookTestResult(
            isDelivered: isDelivered, responseCode: attempt.responseCode, durationMilliseconds: attempt.milliseconds,
            error: attempt.error)
    }

    private static func testBody(eventID: String, deviceID: UUID) throws -> [UInt8] {
        struct Ping: Encodable {
            let eventType = "test.ping"
            let eventID: String
            let deviceID: String
            let timestamp: String
            let data = ["message": "test webhook delivery"]

            enum CodingKeys: String, CodingKey {
                case eventType = "event_type"
                case eventID = "event_id"
                case deviceID = "device_id"
                case timestamp, data
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let ping = Ping(
            eventID: eventID, deviceID: deviceID.uuidString.lowercased(),
            timestamp: Date().formatted(.iso8601.time(includingFractionalSeconds: true)))
        return [UInt8](try encoder.encode(ping))
    }
}

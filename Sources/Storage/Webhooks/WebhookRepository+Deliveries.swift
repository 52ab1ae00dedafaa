import Database
import Foundation

/// The delivery log, its events and attempts, statistics, tests, replays and streams.
extension WebhookRepository {
    // MARK: Log

    package func logs(_ id: Int64, tenant: Int64, did: Int64, _ query: DeliveryLogQuery) async throws
        -> [DeliveryLogEntry]
    {
        try await self.query(
            tenant, did, DeliveryStatements.logs,
            [
                .int(tenant), .int(did), .int(id), SQLValue(query.state?.rawValue), SQLValue(query.event),
                SQLValue(query.since), SQLValue(query.before?.time), SQLValue(query.before?.id), SQLValue(query.limit),
            ]
        ).map(Self.entry)
    }

    /// An event with its deliveries, and the attempts of each; nil when the device has no such event.
    package func event(_ id: String, tenant: Int64, did: Int64) async throws -> (
        event: StoredEvent, deliveries: [(entry: DeliveryLogEntry, attempts: [DeliveryAttempt])]
    )? {
        let owner: [SQLValue] = [.int(tenant), .int(did), .text(id)]
        guard let event = try await query(tenant, did, DeliveryStatements.event, owner).first.map(storedEvent)
        else {
            return nil
        }
        let made = EventID.date(id) ?? event.createdAt
        let entries = try await query(
            tenant, did, DeliveryStatements.ofEvent, owner + [.timestamp(min(made, event.createdAt))]
        ).map(Self.entry)
        var attempts: [Int64: [DeliveryAttempt]] = [:]
        for row in try await query(tenant, did, DeliveryStatements.attempts, [.ints(entries.map(\.id))]) {
            attempts[try row["delivery_id"], default: []].append(
                DeliveryAttempt(
                    number: try row["attempt"], node: try row["node_id"], startedAt: try row["started_at"],
                    durationMilliseconds: try row["duration_ms"], responseCode: try row["response_code"],
                    error: try row["error"], responseHead: try (row["response_head"] as [UInt8]?) ?? []))
        }
        return (event, entries.map { ($0, attempts[$0.id] ?? Self.cleanSuccess($0)) })
    }

    /// A first success leaves no line of its own: the delivery's row is the whole of it.
    private static func cleanSuccess(_ entry: DeliveryLogEntry) -> [DeliveryAttempt] {
        guard entry.state == .success, entry.attemptCount == 1 else { return [] }
        let duration = entry.durationMilliseconds ?? 0
        return [
            DeliveryAttempt(
                number: 1, node: nil, startedAt: entry.updatedAt.addingTimeInterval(-Double(duration) / 1000),
                durationMilliseconds: duration, responseCode: entry.responseCode, error: nil, responseHead: [])
        ]
    }

    private static func entry(_ row: Row) throws -> DeliveryLogEntry {
        let priority: Int = try row["priority"]
        let state: String = try row["state"]
        guard let state = DeliveryState(rawValue: state) else {
            throw DatabaseError.decoding(column: "state", reason: state)
        }
        return DeliveryLogEntry(
            id: try row["id"], webhookID: try row["webhook_id"], eventID: try row["event_id"],
            eventType: try row["event_type"], state: state, attemptCount: try row["attempt_count"],
            lastError: try row["last_error"], responseCode: try row["response_code"],
            durationMilliseconds: try row["duration_ms"], nextAttemptAt: try row["next_attempt_at"],
            isTest: try row["is_test"], isReplay: priority > 0, createdAt: try row["created_at"],
            updatedAt: try row["updated_at"])
    }

    private func storedEvent(_ row: Row) throws -> StoredEvent {
        let id: String = try row["event_id"]
        return StoredEvent(
            id: id, type: try row["event_type"], sequence: try row["seq"],
            body: EventSeals(sealing: seals.sealing).opened(try row["body"], eventID: id),
            createdAt: try row["created_at"])
    }

    // MARK: Statistics

    /// Totals over all tenants, for the operator.
    package func statistics() async throws -> WebhookStatistics {
        guard let row = try await database.system.query(DeliveryStatements.statistics).first else {
            throw DatabaseError.decoding(column: "statistics", reason: "no row")
        }
        return WebhookStatistics(
            webhooks: try row[0], activeWebhooks: try row[1], succeeded: try row[2], failedAttempts: try row[3],
            dead: try row[4], pending: try row[5], oldestPendingAge: try row[6], succeededLastDay: try row[7],
            deadLastDay: try row[8], switchedOff: try row[9])
    }

    /// Counters of the last 24 hours of at most 100 tenants, those with most dead letters first.
    package func statisticsByTenant() async throws -> [(tenantID: Int64, counts: DeliveryCounts)] {
        try await database.system.query(DeliveryStatements.byTenant).map { (try $0["tenant_id"], try Self.counts($0)) }
    }

    /// Counters of one webhook by hour, newest first.
    package func hourlyCounts(
        _ id: Int64, tenant: Int64, did: Int64, limit: Int
    ) async throws -> [(hour: Date, counts: DeliveryCounts)] {
        try await query(tenant, did, DeliveryStatements.hourly, [.int(tenant), .int(id), SQLValue(limit)]).map {
            (try $0["hour"], try Self.counts($0))
        }
    }

    private static func counts(_ row: Row) throws -> DeliveryCounts {
        DeliveryCounts(succeeded: try row["success"], failedAttempts: try row["failed"], dead: try row["dead"])
    }

    /// Webhooks of all tenants that fail, and those the gateway switched off.
    package func troubled(limit: Int) async throws -> [TroubledWebhook] {
        try await database.system.query(WebhookStatements.troubled, [true, SQLValue(limit)]).map { row in
            TroubledWebhook(
                id: try row["id"], tenantID: try row["tenant_id"], deviceID: try row["device_id"], url: try row["url"],
                isActive: try row["active"], disabledReason: try row["disabled_reason"],
                disabledAt: try row["disabled_at"], failingSince: try row["fail_since"],
                consecutiveFailures: try row["consecutive_failures"], lastSuccessAt: try row["last_success_at"])
        }
    }

    // MARK: Test deliveries

    /// Stores a `test.ping` event and its delivery to `webhook`, which no lane will take.
    package func insertTest(_ webhook: WebhookRecord, eventID: String, body: [UInt8]) async throws -> QueuedDelivery {
        let rows = try await query(
            webhook.tenantID, webhook.did, DeliveryStatements.insertTest,
            [.int(webhook.tenantID), .int(webhook.did), .int(webhook.id), SQLValue(eventID), .bytes(body)])
        guard let row = rows.first else { throw DatabaseError.decoding(column: "id", reason: "no row") }
        return QueuedDelivery(
            id: try row["id"], day: try row["day"], eventID: eventID, eventType: "test.ping", body: body)
    }

    package func finishTest(
        _ delivery: QueuedDelivery, of webhook: WebhookRecord, node: UUID, _ result: DeliveryResult
    ) async throws {
        _ = try await query(
            webhook.tenantID, webhook.did, DeliveryStatements.finishTest,
            [
                .int(webhook.tenantID), .int(webhook.did), .int(delivery.id), SQLValue(result.state.rawValue),
                SQLValue(result.responseCode), SQLValue(result.durationMilliseconds), SQLValue(result.error),
                .bytes(result.responseHead), .uuid(node),
            ])
    }

    // MARK: Replay

    /// Queues stored events for `webhook` once more, at most `limit`.
    package func replay(_ request: ReplayRequest, to webhook: WebhookRecord, limit: Int) async throws -> ReplayCount {
        var (ids, since, until): (SQLValue, SQLValue, SQLValue) = (.null, .null, .null)
        switch request.selection {
        case .events(let wanted):
            ids = .texts(wanted)
            since = SQLValue(wanted.compactMap(EventID.date).min())
        case .range(let start, let end):
            since = .timestamp(start)
            until = SQLValue(end)
        }
        let patterns = request.events == nil && !webhook.events.isEmpty && ids == .null ? webhook.events : nil
        let row = try await query(
            webhook.tenantID, webhook.did, DeliveryStatements.replay,
            [
                .int(webhook.tenantID), .int(webhook.did), .int(webhook.id), ids, since, until,
                request.events.map { .texts($0) } ?? .null, patterns.map { .texts($0) } ?? .null,
                SQLValue(request.state?.rawValue), SQLValue(limit),
            ]
        ).first
        guard let row else { return ReplayCount(queued: 0, skipped: 0) }
        return ReplayCount(queued: try row[0], skipped: try row[1])
    }

    // MARK: Streams

    /// Events of a device after the number `sequence`, in order, whole.
    package func events(after sequence: Int64, tenant: Int64, did: Int64, limit: Int) async throws -> [StoredEvent] {
        try await query(
            tenant, did, DeliveryStatements.after, [.int(tenant), .int(did), .int(sequence), SQLValue(limit)]
        ).map(storedEvent)
    }

    /// Number of the event `id`; nil when the device has none, or it is past its retention.
    package func sequence(of id: String, tenant: Int64, did: Int64) async throws -> Int64? {
        try await query(tenant, did, DeliveryStatements.sequence, [.int(tenant), .int(did), .text(id)]).first?[0]
    }

    package func newestSequence(tenant: Int64, did: Int64) async throws -> Int64 {
        try await query(tenant, did, DeliveryStatements.newestSequence, [.int(tenant), .int(did)]).first?[0] ?? 0
    }

    /// The newest number of each of these devices that has events; of any tenant.
    package func newestSequences(of dids: [Int64]) async throws -> [Int64: Int64] {
        let rows = try await database.system.query(DeliveryStatements.newestSequences, [.ints(dids)])
        return try rows.reduce(into: [:]) { $0[try $1["did"]] = try $1["seq"] }
    }

    /// Stores the device's events for the next `seconds`, also those that no webhook wants.
    package func keepStream(tenant: Int64, did: Int64, seconds: Int64) async throws {
        _ = try await query(tenant, did, DeliveryStatements.keepStream, [.int(tenant), .int(did), .int(seconds)])
    }
}

import Database
import Foundation

/// The dispatcher's side of the outbox: lanes and outcomes; its upkeep is in a file of its own (14-storage, section 8; 11-webhooks, section 6).
package struct OutboxRepository: Sendable {
    let pool: ConnectionPool
    private let sealing: any SecretSealing

    /// - Parameter pool: `StorageDatabase.outbox`, whose sessions look rows up by index only.
    package init(pool: ConnectionPool, sealing: any SecretSealing) {
        self.pool = pool
        self.sealing = sealing
    }

    // MARK: Lanes

    /// Claims the free lanes among `webhooks` for `milliseconds`, each with a run of at most `rows` rows and about
    /// `bytes` bytes. Lanes without rows are claimed too, and must be given back like the others.
    package func claim(
        _ webhooks: [Int64], milliseconds: Int64, rows: Int = 64, bytes: Int = 256 * 1024
    ) async throws -> [ClaimedLane] {
        let claim = UUID()
        let seals = EventSeals(sealing: sealing)
        let results = try await pool.pipeline([
            OutboxStatements.claimLanes(.uuid(claim), .ints(webhooks), .int(milliseconds)),
            OutboxStatements.runs(.uuid(claim), .ints(webhooks), SQLValue(rows), SQLValue(bytes)),
        ])
        var lanes: [ClaimedLane] = []
        for row in results.last?.rows ?? [] {
            let webhookID: Int64 = try row["webhook_id"]
            if lanes.last?.webhookID != webhookID { lanes.append(try lane(row, webhookID, claim)) }
            let id: Int64? = try row["id"]
            guard let id else { continue }
            let priority: Int = try row["priority"]
            let eventID: String = try row["event_id"]
            lanes[lanes.count - 1].deliveries.append(
                QueuedDelivery(
                    id: id, day: try row["day"], eventID: eventID, eventType: try row["event_type"],
                    attempt: try row["attempt"], age: try row["age"], failingFor: try row["failing_for"],
                    isReplay: priority > 0, body: seals.opened(try row["body"], eventID: eventID)))
        }
        return lanes
    }

    private func lane(_ row: Row, _ id: Int64, _ claim: UUID) throws -> ClaimedLane {
        let seals = WebhookSeals(sealing: sealing)
        let previous: [UInt8]? = try row["prev_secret_enc"]
        let ordering: String = try row["ordering"]
        let secrets = [try row["secret_enc"] as [UInt8]] + (previous.map { [$0] } ?? [])
        return ClaimedLane(
            claim: claim, webhookID: id, tenantID: try row["tenant_id"], did: try row["did"], url: try row["url"],
            secrets: try secrets.map { try seals.openSecret($0, of: id) },
            headers: try seals.openHeaders(try row["headers_enc"], of: id),
            ordering: WebhookRecord.Ordering(rawValue: ordering) ?? .device, includesContent: try row["content"],
            consecutiveFailures: try row["consecutive_failures"])
    }

    /// Writes the outcomes of all `lanes` and gives them back, in one transaction.
    package func finish(_ lanes: [FinishedLane], node: UUID) async throws {
        var rows = RowSet()
        var given = RowSet()
        for lane in lanes.sorted(by: { $0.webhookID < $1.webhookID }) {
            for (delivery, result) in lane.results {
                rows.append(
                    .int(delivery.id), .text(delivery.day), .text(result.state.rawValue), SQLValue(result.attempt),
                    SQLValue(result.responseCode), SQLValue(result.durationMilliseconds),
                    SQLValue(result.error.map { String($0.prefix(1024)) }), SQLValue(result.retryAfterMilliseconds),
                    .bytes(result.responseHead), .bool(result.isListed))
            }
            given.append(
                .int(lane.webhookID), .uuid(lane.claim), SQLValue(lane.failures), .bool(lane.hasArrived),
                SQLValue(lane.rest))
        }
        var statements: [BoundStatement] = []
        if !rows.isEmpty {
            let bound = rows.bound(to: OutboxStatements.finishRows)
            statements.append(BoundStatement(bound.statement, bound.parameters + [.uuid(node)]))
        }
        statements.append(OutboxStatements.finishLanes, given)
        _ = try await pool.pipeline(statements)
    }

    /// Webhooks with rows that could be sent now: new ones, and those whose wait is over.
    package func ready() async throws -> [ReadyWebhook] {
        try await pool.query(OutboxStatements.ready).map {
            ReadyWebhook(id: try $0["id"], tenantID: try $0["tenant_id"])
        }
    }

    // MARK: Hints

    /// Channel on which nodes tell each other what is due.
    package static let channel = "sb_outbox"

    /// Tells the other nodes, if there are any.
    package func announce(_ hint: OutboxHint) async throws {
        _ = try await pool.query(OutboxStatements.announce, [.text(hint.payload)])
    }
}

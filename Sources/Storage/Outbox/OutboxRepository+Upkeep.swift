import Cryptography
import Database
import Foundation
import Messaging

/// What keeps the outbox healthy beside the deliveries (11-webhooks, sections 6.4 and 6.6).
extension OutboxRepository {
    /// Switches a webhook off for `reason` (`failing`, `gone`), leaves a line in the audit log and tells the device's
    /// other webhooks that name `webhook.disabled`. False when it was off already.
    @discardableResult
    package func disable(_ id: Int64, reason: String) async throws -> Bool {
        try await pool.withTransaction { transaction in
            guard let row = try await transaction.query(UpkeepStatements.disable, [.int(id), .text(reason)]).first
            else {
                return false
            }
            let (tenant, did): (Int64, Int64) = (try row["tenant_id"], try row["did"])
            let device: UUID = try row["device_id"]
            var data = JSONObject()
            data.set("webhook_id", id)
            data.set("reason", reason)
            data.set("since", try (row["since"] as Timestamp).rfc3339)
            _ = try await transaction.pipeline([
                Self.notice("webhook.disabled", data, tenant: tenant, did: did, device: device, except: id),
                UpkeepStatements.insertAudit(
                    .int(tenant), .uuid(device), .text("webhook.disable"), .text("\(id) \(reason)")),
            ])
            return true
        }
    }

    /// Webhooks that had failures and no success for `seconds`.
    package func failing(for seconds: Int64) async throws -> [Int64] {
        try await pool.query(UpkeepStatements.failing, [.int(seconds)]).map { try $0["id"] }
    }

    /// What one round of ``trimBacklogs(to:lowValue:behind:rows:)`` came to.
    package struct TrimmedBacklogs: Sendable, Equatable {
        package let cancelled: Int
        /// Device behind which the next round goes on; 0 when all have had their turn.
        package let place: Int64
    }

    /// Keeps every device's undelivered rows at `limit`: cancels those of `lowValue` kinds first, then the oldest, and
    /// tells webhooks that name `webhook.backlog`. One node at a time does it.
    ///
    /// A round looks at about as many waiting rows as `rows` says, however many there are: it begins behind the device
    /// `place`, and the next one goes on where it ended.
    package func trimBacklogs(
        to limit: Int64, lowValue: [String], behind place: Int64 = 0, rows: Int64 = 250_000
    ) async throws -> TrimmedBacklogs {
        try await pool.withTransaction { transaction in
            guard try await transaction.query(UpkeepStatements.tryUpkeep).first?[0] == true else {
                return TrimmedBacklogs(cancelled: 0, place: place)
            }
            let seen = try await transaction.query(
                UpkeepStatements.backlogs,
                [
                    .int(place), .int(min(limit, .max - Self.cancelledAtOnce) + Self.cancelledAtOnce), .int(rows),
                    .int(limit),
                ])
            var total = 0
            for row in seen {
                let tenant: Int64? = try row["tenant_id"]
                guard let tenant else { continue }
                total += try await trim(
                    tenant: tenant, did: try row["did"], device: try row["device_id"], waiting: try row["waiting"],
                    to: limit, lowValue: lowValue, transaction)
            }
            let spent: Int64? = try seen.last?["spent"]
            let last: Int64? = try seen.last?["did"]
            return TrimmedBacklogs(cancelled: total, place: (spent ?? 0) < rows ? 0 : last ?? 0)
        }
    }

    /// Most rows of a device that one round cancels.
    private static let cancelledAtOnce: Int64 = 50_000

    private func trim(
        tenant: Int64, did: Int64, device: UUID, waiting: Int64, to limit: Int64, lowValue: [String],
        _ transaction: Transaction
    ) async throws -> Int {
        let cancelled = try await transaction.execute(
            UpkeepStatements.cancelOldest,
            [.int(tenant), .int(did), .int(min(waiting - limit, Self.cancelledAtOnce)), .texts(lowValue)])
        guard cancelled > 0 else { return 0 }
        var data = JSONObject()
        data.set("pending", waiting - Int64(cancelled))
        data.set("cancelled", cancelled)
        _ = try await transaction.pipeline([
            Self.notice("webhook.backlog", data, tenant: tenant, did: did, device: device, except: 0)
        ])
        return cancelled
    }

    /// Gives up what is older than `seconds` and no attempt reached. Returns how many rows died.
    package func expire(olderThan seconds: Int64) async throws -> Int {
        var total = 0
        while true {
            let dead: Int = try await pool.query(UpkeepStatements.expire, [.int(seconds)]).first?[0] ?? 0
            total += dead
            if dead < 5000 { return total }
        }
    }

    private static func notice(
        _ type: String, _ data: JSONObject, tenant: Int64, did: Int64, device: UUID, except webhook: Int64
    ) -> BoundStatement {
        let eventID = EventID.generate()
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        let event = DeviceEvent(type: type, dedupeKey: eventID, data: data.bytes, at: now)
        let body = EventEnvelope.body(
            event, eventID: eventID, deviceID: device.uuidString.lowercased(), sequence: 0)
        return UpkeepStatements.insertNotice(
            .int(tenant), .int(did), .text(eventID), .text(type), .text(eventID), .bytes(body), .int(webhook))
    }
}

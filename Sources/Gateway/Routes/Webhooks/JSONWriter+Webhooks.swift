import Foundation
import Storage
import Webhooks

extension JSONWriter {
    /// A webhook with both spellings of its keys (10-rest-api, section 20).
    mutating func webhook(_ webhook: WebhookRecord, deviceID: UUID, reveal: Bool) {
        let created = RFC3339.text(webhook.createdAt)
        let updated = RFC3339.text(webhook.updatedAt)
        object { writer in
            writer.member("ID", webhook.id)
            writer.member("DeviceID", deviceID)
            writer.member("URL", webhook.url)
            writer.member("Secret", reveal ? webhook.secret : WebhookSignature.Secret.masked(webhook.secret))
            writer.member("Events", webhook.events)
            writer.member("Active", webhook.isActive)
            writer.member("CreatedAt", created)
            writer.member("UpdatedAt", updated)
            writer.member("id", webhook.id)
            writer.member("url", webhook.url)
            writer.member("events", webhook.events)
            writer.member("active", webhook.isActive)
            writer.member("created_at", created)
            writer.member("updated_at", updated)
            writer.member("ordering", webhook.ordering.rawValue)
            writer.member("content", webhook.includesContent)
            writer.member("description", webhook.description)
            writer.key("headers")
            writer.array { writer in
                for name in webhook.headers.keys.sorted() { writer.string(name) }
            }
            if let reason = webhook.disabledReason { writer.member("disabled_reason", reason) }
        }
    }

    /// One line of the delivery log (row 106).
    mutating func delivery(_ entry: DeliveryLogEntry) {
        object { writer in
            writer.member("ID", entry.id)
            writer.member("WebhookID", entry.webhookID)
            writer.member("EventType", entry.eventType)
            writer.member("Status", entry.state)
            writer.member("AttemptCount", entry.attemptCount)
            writer.member("LastError", entry.lastError ?? "")
            writer.member("CreatedAt", entry.createdAt)
            writer.member("UpdatedAt", entry.updatedAt)
            writer.member("event_id", entry.eventID)
            writer.key("response_code")
            if let code = entry.responseCode { writer.integer(code) } else { writer.null() }
            writer.key("duration_ms")
            if let duration = entry.durationMilliseconds { writer.integer(duration) } else { writer.null() }
            writer.member("next_attempt_at", entry.nextAttemptAt)
        }
    }
}

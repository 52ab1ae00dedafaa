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
            writer.member("consecutive_failures", webhook.consecutiveFailures)
            writer.member("failing_since", webhook.failingSince)
            writer.member("last_success_at", webhook.lastSuccessAt)
            writer.member("previous_secret_until", webhook.previousSecretUntil)
            if let reason = webhook.disabledReason {
                writer.member("disabled_reason", reason)
                writer.member("disabled_at", webhook.disabledAt)
            }
        }
    }

    /// One line of the delivery log (row 106).
    mutating func delivery(_ entry: DeliveryLogEntry) {
        object { $0.members(of: entry) }
    }

    mutating func members(of entry: DeliveryLogEntry) {
        member("ID", entry.id)
        member("WebhookID", entry.webhookID)
        member("EventType", entry.eventType)
        member("Status", entry.state.rawValue)
        member("AttemptCount", entry.attemptCount)
        member("LastError", entry.lastError ?? "")
        member("CreatedAt", entry.createdAt)
        member("UpdatedAt", entry.updatedAt)
        member("event_id", entry.eventID)
        optional("response_code", entry.responseCode)
        optional("duration_ms", entry.durationMilliseconds)
        member("next_attempt_at", entry.nextAttemptAt)
        member("test", entry.isTest)
        member("replay", entry.isReplay)
    }

    /// An event whole, with its deliveries and their attempts.
    mutating func event(
        _ event: StoredEvent, _ deliveries: [(entry: DeliveryLogEntry, attempts: [DeliveryAttempt])]
    ) {
        object { writer in
            writer.member("event_id", event.id)
            writer.member("event_type", event.type)
            writer.member("sequence", event.sequence)
            writer.member("created_at", event.createdAt)
            writer.key("event")
            if let body = event.body { writer.raw(body) } else { writer.null() }
            writer.key("deliveries")
            writer.array { writer in
                for (entry, attempts) in deliveries {
                    writer.object { writer in
                        writer.members(of: entry)
                        writer.key("attempts")
                        writer.array { writer in
                            for attempt in attempts { writer.attempt(attempt) }
                        }
                    }
                }
            }
        }
    }

    private mutating func attempt(_ attempt: DeliveryAttempt) {
        object { writer in
            writer.member("attempt", attempt.number)
            writer.member("started_at", attempt.startedAt)
            if let node = attempt.node { writer.member("node_id", node) }
            writer.optional("duration_ms", attempt.durationMilliseconds)
            writer.optional("response_code", attempt.responseCode)
            writer.member("error", attempt.error)
            // Shown to the owner: without what a terminal could take for commands.
            let text = String(decoding: attempt.responseHead, as: UTF8.self)
            writer.member("response", String(String.UnicodeScalarView(text.unicodeScalars.filter(Self.isShown))))
        }
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\n" || scalar == "\t" || !(scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value))
    }

    /// A member of an event's `data`, as the catalogue has it.
    mutating func eventMember(_ member: WebhookEventField, of event: WebhookEventDescription) {
        object { writer in
            writer.member("name", member.name)
            writer.member("type", member.kind.rawValue)
            writer.member("optional", member.isOptional)
            writer.member("added", event.additions.contains(member))
        }
    }

    mutating func optional(_ name: StaticString, _ value: Int?) {
        key(name)
        if let value { integer(value) } else { null() }
    }

    /// Counters of some span of time.
    mutating func members(of counts: DeliveryCounts) {
        member("success", counts.succeeded)
        member("failed_attempts", counts.failedAttempts)
        member("dead", counts.dead)
    }

    /// A webhook that fails or was switched off, for the operator.
    mutating func troubled(_ webhook: TroubledWebhook) {
        object { writer in
            writer.member("id", webhook.id)
            writer.member("api_key_id", webhook.tenantID)
            writer.member("device_id", webhook.deviceID)
            writer.member("url", webhook.url)
            writer.member("active", webhook.isActive)
            writer.member("disabled_reason", webhook.disabledReason)
            writer.member("disabled_at", webhook.disabledAt)
            writer.member("failing_since", webhook.failingSince)
            writer.member("consecutive_failures", webhook.consecutiveFailures)
            writer.member("last_success_at", webhook.lastSuccessAt)
        }
    }
}

import AdminAuth
import Foundation
import Storage
import Tenancy
import Webhooks

extension RouteCatalogue {
    private static let parseError = "invalid request body"

    /// What is done with deliveries: replays, secrets, numbers, whole events (10-rest-api, section 23).
    var webhookDeliveryRoutes: [Route] {
        [
            Route(
                .post, "/webhooks/{webhook_id}/rotate-secret", .device,
                "Give a webhook another secret; the old one goes on signing for a while",
                body: .fields(
                    [
                        .init("secret", "16 to 64 bytes, or whsec_ and base64; made when absent"),
                        .init("grace_seconds", .integer, "Default 86400", example: 86_400, range: 0...604_800),
                    ], parseError: Self.parseError),
                answer: .data("webhook secret rotated", .rotatedSecret), statuses: [200, 400, 404],
                handler: rotateSecret),
            Route(
                .post, "/webhooks/{webhook_id}/replay", .device, "Send stored events once more",
                details: "Events of `event_ids`, or of the time from `since` to `until`. At most 10000 in one call.",
                body: .fields(
                    [
                        .init("event_ids", .strings, "Ids of events", length: 0...WebhookService.replayIDLimit),
                        .init("since", "RFC 3339 time or unix seconds", example: "2026-01-02T03:04:05Z"),
                        .init("until", "RFC 3339 time or unix seconds", example: "2026-01-02T04:04:05Z"),
                        .init(
                            "events", .strings, "Event names; all that the webhook wants when absent",
                            length: 0...WebhookService.eventNameLimit),
                        .init(
                            "status", "What became of the event before; default dead",
                            values: ["dead", "failed", "success", "all"]),
                    ], parseError: Self.parseError),
                answer: .data("replay queued", .replayCount), errors: ["webhook_inactive"],
                statuses: [200, 400, 404, 409], handler: replay),
            Route(
                .get, "/webhooks/{webhook_id}/stats", .device, "Counters of a webhook by hour, newest first",
                query: [.init("hours", .integer, "Hours at most", range: 1...720, example: 24)],
                answer: .data("success", .webhookHours), statuses: [200, 404], handler: webhookStats),
            Route(
                .get, "/webhook-events", .device, "Every event there is", answer: .data("success", .eventCatalogue),
                large: true, handler: webhookEventCatalogue),
            Route(
                .get, "/webhook-events/{event_id}", .device, "One event whole, with every attempt to deliver it",
                answer: .data("success", .webhookEvent), statuses: [200, 404], large: true
            ) { call in
                let found = try await dependencies.webhooks.event(
                    call.parameters["event_id"], tenant: call.device.tenantID, did: call.device.did)
                return .ok("success") { $0.event(found.event, found.deliveries) }
            },
        ]
    }

    @Sendable private func rotateSecret(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let grace = try call.body.integer("grace_seconds").map { Int64($0) } ?? WebhookService.defaultGrace
        guard (0...WebhookService.maximumGrace).contains(grace) else {
            throw APIError.validation("grace_seconds must be 0 to 604800", field: "grace_seconds")
        }
        let webhook = try await dependencies.webhooks.rotateSecret(
            id, to: try call.body.string("secret").flatMap { $0.isEmpty ? nil : $0 },
            grace: grace,
            tenant: call.device.tenantID, did: call.device.did)
        await dependencies.audit.record(
            "webhook.rotate_secret", by: "device", from: call.origin, tenantID: call.device.tenantID,
            deviceID: call.device.deviceID, target: String(webhook.id))
        return Answer.ok("webhook secret rotated") { writer in
            writer.object { writer in
                writer.member("webhook_id", webhook.id)
                writer.member("id", webhook.id)
                writer.member("secret", webhook.secret)
                writer.member(
                    "signing_secret", (try? WebhookSignature.Secret(webhook.secret).signingSecret) ?? webhook.secret)
                writer.member("previous_secret_until", webhook.previousSecretUntil)
            }
        }.with("Cache-Control", "no-store")
    }

    @Sendable private func replay(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let body = call.body
        let selection: ReplayRequest.Selection
        if let ids = try body.strings("event_ids"), !ids.isEmpty {
            selection = .events(ids)
        } else if let since = try Self.time(body, "since") {
            selection = .range(since: since, until: try Self.time(body, "until"))
        } else {
            throw APIError.validation("event_ids or since is required", field: "event_ids")
        }
        let word = try body.string("status")?.lowercased() ?? ""
        guard ["", "dead", "failed", "success", "all"].contains(word) else {
            throw APIError.validation("status must be one of: dead, failed, success, all", field: "status")
        }
        // Whoever names events means them, whatever became of them.
        let isNamed = if case .events = selection { true } else { false }
        let state = word.isEmpty ? (isNamed ? nil : DeliveryState.dead) : DeliveryState(rawValue: word)
        let names = try body.strings("events").flatMap { $0.isEmpty ? nil : $0 }
        let count = try await dependencies.webhooks.replay(
            id, ReplayRequest(selection, events: names, state: state),
            tenant: call.device.tenantID, did: call.device.did)
        return .ok("replay queued") { writer in
            writer.object { writer in
                writer.member("queued", count.queued)
                writer.member("skipped", count.skipped)
            }
        }
    }

    @Sendable private func webhookStats(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let hours = try await dependencies.webhooks.hourlyCounts(
            id, tenant: call.device.tenantID, did: call.device.did,
            hours: call.query.integer("hours", default: 24, in: 1...720))
        return .ok("success") { writer in
            writer.object { writer in
                writer.member("webhook_id", id)
                writer.key("hours")
                writer.array { writer in
                    for entry in hours {
                        writer.object { writer in
                            writer.member("hour", entry.hour)
                            writer.members(of: entry.counts)
                        }
                    }
                }
            }
        }
    }

    @Sendable private func webhookEventCatalogue(_ call: Call) async throws -> Answer {
        .ok("success") { writer in
            writer.object { writer in
                writer.key("events")
                writer.array { writer in
                    for event in WebhookEventCatalogue.all {
                        writer.object { writer in
                            writer.member("name", event.name)
                            writer.member("category", event.category.rawValue)
                            writer.member("fields", event.fields.map(\.name))
                            writer.key("members")
                            writer.array { writer in
                                for member in event.members { writer.eventMember(member, of: event) }
                            }
                            writer.member("opt_in", WebhookEventCatalogue.optIn.contains(event.name))
                            writer.member("emitted", event.isEmitted)
                        }
                    }
                }
            }
        }
    }

    // MARK: Log

    /// Row 106: pages go on by time and id, so that rows made meanwhile shift nothing. A filter that nothing can match is a
    /// mistake, and is told.
    @Sendable func webhookLogs(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let page = try Page(call.query, default: 100)
        var query = DeliveryLogQuery(before: page.before, limit: page.limit + 1)
        if let word = call.query["status"], !word.isEmpty {
            query.state = DeliveryState(rawValue: word.lowercased())
            guard query.state != nil else {
                let words = DeliveryState.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError.validation("status must be one of: \(words)", field: "status")
            }
        }
        if let name = call.query["event"], !name.isEmpty {
            guard WebhookEventCatalogue.byName[name] != nil else {
                var error = APIError(WebhookError.unknownEvent(name))
                error.field = "event"
                throw error
            }
            query.event = name
        }
        query.since = try call.query.date("since")
        let found = try await dependencies.webhooks.logs(id, tenant: call.device.tenantID, did: call.device.did, query)
        let next = page.cursor(after: found, at: \.position)
        return page.answer("success", found, at: \.position) { writer, entries in
            writer.object { writer in
                writer.key("logs")
                writer.array { writer in
                    for entry in entries { writer.delivery(entry) }
                }
                if let next { writer.member("next_cursor", next) }
            }
        }
    }

    /// A time of the body, as text or a number of seconds.
    private static func time(_ body: BodyFields, _ name: String) throws -> Date? {
        guard body.contains(name) else { return nil }
        let found: Date?
        if let number = try? body.number(name) {
            found = RequestTime.date(number)
        } else {
            guard let text = try body.string(name), !text.isEmpty else { return nil }
            found = RequestTime.date(text)
        }
        guard let found else { throw RequestTime.error(name) }
        return found
    }
}

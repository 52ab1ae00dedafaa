import AdminAuth
import Foundation
import Logging
import Storage
import Tenancy
import Webhooks

extension RouteCatalogue {
    private static let parseError = "invalid request body"

    /// - Parameter isNew: Of a webhook that is made; else what is absent stays as it is.
    private static func webhookFields(isNew: Bool) -> [Route.Field] {
        [
            .init(
                "url", required: isNew, "https URL, at most 2048 characters", example: "https://customer.example/hook",
                length: 0...2048),
            .init(
                "events", .strings, "Event names and prefixes (`message.*`); empty means all but those to be named",
                example: ["message.received"], length: 0...WebhookService.eventNameLimit),
            .init(
                "headers", .object, "Extra request headers, of 4096 bytes together", example: ["X-Customer": "7"],
                length: 0...WebhookService.headerLimit),
            .init("ordering", "What waits for what", values: ["device", "none", "strict"]),
            .init("content", .boolean, "false keeps message contents out"),
            .init("description", "For people", length: 0...WebhookService.descriptionLimit),
        ]
    }

    /// Webhooks of the calling device (10-rest-api, section 20).
    var webhookRoutes: [Route] {
        [
            Route(
                .get, "/webhooks", .device, number: "101", "List webhooks, newest first",
                query: [.init("reveal", .boolean, "Show secrets (recorded)"), .limit, .cursor],
                answer: .data("success", .webhookList), statuses: [200, 400]
            ) { call in
                let page = try Page(call.query)
                let found = try await dependencies.webhooks.list(
                    tenant: call.device.tenantID, did: call.device.did, limit: page.limit + 1, before: page.before)
                let reveal = await Self.isRevealed(call, dependencies.audit)
                let deviceID = call.device.deviceID
                return page.answer("success", found, at: \.position) { writer, webhooks in
                    writer.object { writer in
                        writer.key("webhooks")
                        writer.array { writer in
                            for webhook in webhooks { writer.webhook(webhook, deviceID: deviceID, reveal: reveal) }
                        }
                    }
                }
            },
            Route(
                .post, "/webhooks", .device, number: "102", "Create a webhook",
                body: .fields(
                    Self.webhookFields(isNew: true) + [
                        .init(
                            "secret", "16 to 64 bytes, or whsec_ and base64; made when absent",
                            example: "a-secret-of-32-characters-or-more")
                    ], parseError: Self.parseError),
                answer: .data("webhook created", .createdWebhook), errors: ["webhook_limit_reached"],
                statuses: [200, 400],
                handler: createWebhook),
            Route(
                .get, "/webhooks/{webhook_id}", .device, number: "103", "One webhook",
                query: [.init("reveal", .boolean, "Show the secret (recorded)")],
                answer: .data("success", .oneWebhook), statuses: [200, 404]
            ) { call in
                let webhook = try await dependencies.webhooks.find(
                    try Self.webhookID(call), tenant: call.device.tenantID, did: call.device.did)
                let reveal = await Self.isRevealed(call, dependencies.audit)
                let deviceID = call.device.deviceID
                return .ok("success") { writer in
                    writer.object { writer in
                        writer.key("webhook")
                        writer.webhook(webhook, deviceID: deviceID, reveal: reveal)
                    }
                }
            },
            Route(
                .patch, "/webhooks/{webhook_id}", .device, number: "104", "Change a webhook",
                details: "Members that are absent stay as they are. The secret has a call of its own, `rotate-secret`.",
                body: .fields(
                    Self.webhookFields(isNew: false) + [
                        .init("active", .boolean, "true also clears what failures left")
                    ],
                    parseError: Self.parseError), answer: .data("webhook updated", .oneWebhook),
                statuses: [200, 400, 404], handler: updateWebhook),
            Route(
                .delete, "/webhooks/{webhook_id}", .device, number: "105", "Delete a webhook with its log",
                answer: .message("webhook deleted"), statuses: [200, 404]
            ) { call in
                try await dependencies.webhooks.delete(
                    try Self.webhookID(call), tenant: call.device.tenantID, did: call.device.did)
                return .ok("webhook deleted")
            },
            Route(
                .get, "/webhooks/{webhook_id}/logs", .device, number: "106", "Delivery log, newest first",
                query: [
                    .init(
                        "status", "What became of the delivery", values: DeliveryState.allCases.map(\.rawValue),
                        strict: true),
                    .init("event", "Name of an event that exists", example: "message.received", strict: true),
                    .init("since", .time, "RFC 3339 time or unix seconds", strict: true),
                    .limit(default: 100), .cursor,
                ], answer: .data("success", .deliveryLog), statuses: [200, 400, 404], handler: webhookLogs),
            Route(
                .post, "/webhooks/{webhook_id}/test", .device, number: "107", "Send test.ping to this webhook",
                query: [.init("wait", .boolean, "Answer with the outcome")],
                answer: .data("test webhook dispatched", .webhookTest), statuses: [200, 404], handler: testWebhook),
        ]
    }

    /// Decimal id of the path. Throws 400.
    static func webhookID(_ call: Call) throws -> Int64 {
        let text = call.parameters["webhook_id"]
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let id = Int64(text) else {
            throw APIError.validation("invalid webhook_id", field: "webhook_id")
        }
        return id
    }

    /// Showing a secret is recorded.
    static func isRevealed(_ call: Call, _ audit: AuditLog) async -> Bool {
        guard call.query.bool("reveal", default: false) else { return false }
        await audit.record(
            "webhook.reveal", by: "device", from: call.origin, tenantID: call.device.tenantID,
            deviceID: call.device.deviceID, target: call.parameters["webhook_id"])
        return true
    }

    @Sendable private func createWebhook(_ call: Call) async throws -> Answer {
        let body = call.body
        let new = NewWebhook(
            url: try body.string("url")?.trimmingWhitespace() ?? "",
            secret: try body.string("secret").flatMap { $0.isEmpty ? nil : $0 },
            events: try body.strings("events") ?? [],
            ordering: try Self.ordering(body) ?? .device, includesContent: try body.bool("content") ?? true,
            headers: try body.stringMap("headers") ?? [:], description: try body.string("description") ?? "")
        let webhook = try await dependencies.webhooks.create(new, tenant: call.device.tenantID, did: call.device.did)
        return Answer.ok("webhook created") { writer in
            writer.object { writer in
                writer.member("webhook_id", webhook.id)
                writer.member("secret", webhook.secret)
                writer.member("id", webhook.id)
                writer.member(
                    "signing_secret", (try? WebhookSignature.Secret(webhook.secret).signingSecret) ?? webhook.secret)
            }
        }.with("Cache-Control", "no-store")
    }

    /// Absent members stay as they are, unless the setting asks for the reference's meaning.
    @Sendable private func updateWebhook(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let body = call.body
        var change = WebhookChange(
            url: try body.string("url")?.trimmingWhitespace(), events: try body.strings("events"),
            isActive: try body.bool("active"), ordering: try Self.ordering(body),
            includesContent: try body.bool("content"), headers: try body.stringMap("headers"),
            description: try body.string("description"))
        if api.webhookPatchMode == .reference {
            change.url = change.url ?? ""
            change.events = change.events ?? []
            change.isActive = change.isActive ?? false
        }
        let webhook = try await dependencies.webhooks.update(
            id, change, tenant: call.device.tenantID, did: call.device.did)
        let deviceID = call.device.deviceID
        return .ok("webhook updated") { writer in
            writer.object { writer in
                writer.key("webhook")
                writer.webhook(webhook, deviceID: deviceID, reveal: false)
            }
        }
    }

    private static func ordering(_ body: BodyFields) throws -> WebhookRecord.Ordering? {
        guard let text = try body.string("ordering"), !text.isEmpty else { return nil }
        guard let ordering = WebhookRecord.Ordering(rawValue: text.lowercased()) else {
            throw APIError.validation("ordering must be one of: none, device, strict", field: "ordering")
        }
        return ordering
    }

    @Sendable private func testWebhook(_ call: Call) async throws -> Answer {
        let id = try Self.webhookID(call)
        let device = call.device
        guard call.query.bool("wait", default: false) else {
            _ = try await dependencies.webhooks.find(id, tenant: device.tenantID, did: device.did)
            let logger = call.logger
            Task {
                do {
                    _ = try await dependencies.webhooks.test(
                        id, tenant: device.tenantID, did: device.did, deviceID: device.deviceID)
                } catch {
                    logger.warning("test webhook failed", metadata: ["error": "\(error)"])
                }
            }
            return .ok("test webhook dispatched")
        }
        let result = try await dependencies.webhooks.test(
            id, tenant: device.tenantID, did: device.did, deviceID: device.deviceID)
        return .ok("test webhook dispatched") { writer in
            writer.object { writer in
                writer.member("delivered", result.isDelivered)
                writer.key("response_code")
                if let code = result.responseCode { writer.integer(code) } else { writer.null() }
                writer.member("duration_ms", result.durationMilliseconds)
                writer.member("error", result.error)
            }
        }
    }
}

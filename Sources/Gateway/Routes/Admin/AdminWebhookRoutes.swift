import Storage
import Webhooks

extension RouteCatalogue {
    /// Delivery as the operator sees it (10-rest-api, section 8, row 6).
    var adminWebhookRoutes: [Route] {
        [
            Route(
                .get, "/admin/webhooks/stats", .admin, number: "6", "Totals of webhooks and deliveries",
                answer: .data("Webhook statistics retrieved successfully", .webhookStatistics),
                handler: webhookStatistics),
            Route(
                .get, "/admin/webhooks", .admin, "Webhooks that fail or were switched off, newest trouble first",
                query: [.limit], answer: .data("Webhooks retrieved successfully", .troubledWebhooks)
            ) { call in
                let found = try await dependencies.webhooks.troubled(
                    limit: call.query.integer("limit", default: 100, in: 1...1000))
                return .ok("Webhooks retrieved successfully") { writer in
                    writer.object { writer in
                        writer.key("webhooks")
                        writer.array { writer in
                            for webhook in found { writer.troubled(webhook) }
                        }
                    }
                }
            },
        ]
    }

    @Sendable private func webhookStatistics(_ call: Call) async throws -> Answer {
        let counts = try await dependencies.webhooks.statistics()
        let tenants = try await dependencies.webhooks.statisticsByTenant()
        let failed = counts.dead
        let total = counts.succeeded + failed
        return .ok("Webhook statistics retrieved successfully") { writer in
            writer.object { writer in
                writer.member("total_webhooks", counts.webhooks)
                writer.member("active_webhooks", counts.activeWebhooks)
                writer.member("total_deliveries", total)
                writer.member("success_deliveries", counts.succeeded)
                writer.member("failed_deliveries", failed)
                writer.member("success_rate", total == 0 ? 0 : Double(counts.succeeded) / Double(total) * 100)
                writer.member("total_deliveries_24h", counts.succeededLastDay + counts.deadLastDay)
                writer.member("successful_deliveries_24h", counts.succeededLastDay)
                writer.member("failed_deliveries_24h", counts.deadLastDay)
                writer.member("failed_attempts", counts.failedAttempts)
                writer.member("pending", counts.pending)
                writer.member("dead", counts.dead)
                writer.member("oldest_pending_seconds", counts.oldestPendingAge ?? 0)
                writer.member("switched_off", counts.switchedOff)
                writer.key("api_keys_24h")
                writer.array { writer in
                    for tenant in tenants {
                        writer.object { writer in
                            writer.member("api_key_id", tenant.tenantID)
                            writer.members(of: tenant.counts)
                        }
                    }
                }
            }
        }
    }
}

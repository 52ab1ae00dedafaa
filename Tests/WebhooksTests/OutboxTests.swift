import Database
import Foundation
import Storage
import TestSupport
import Testing

@testable import Webhooks

@Suite("Outbox and dispatcher")
struct OutboxTests {
    @Test("events of a device arrive in sequence, signed, and each once")
    func order() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 50, webhook: webhook.id)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("50 deliveries") { sink.deliveries.count >= 50 ? true : nil }
            }
            let numbers = sink.deliveries.map { $0.json["sequence"].int ?? -1 }
            #expect(numbers == Array(1...50))
            #expect(sink.deliveries.allSatisfy { $0.isSigned(with: webhook.secret) })
            #expect(try await outbox.states() == ["success": 50])
        }
    }

    @Test("a failing endpoint is tried again with the same bytes and id, and later events go on meanwhile")
    func retry() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 2, webhook: webhook.id)
            sink.fail(next: 1)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("both deliveries") { sink.deliveries.count >= 2 ? true : nil }
            }
            let first = try #require(sink.deliveries.first { $0.json["sequence"].int == 1 })
            #expect(first.header("X-Webhook-Attempt") == "2")
            #expect(Set(sink.deliveries.compactMap { $0.json["sequence"].int }) == [1, 2])
            let log = try await outbox.service().logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.count == 2 && log.allSatisfy { $0.state == .success })
            #expect(log.map(\.attemptCount).max() == 2)
        }
    }

    @Test("a strict webhook lets nothing overtake a failed event")
    func strictOrder() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url, ordering: .strict)
            try await outbox.store(events: 3, webhook: webhook.id)
            sink.fail(next: 1)
            try await running(try outbox.dispatcher()) {
                _ = try await eventually("three deliveries") { sink.deliveries.count >= 3 ? true : nil }
            }
            #expect(sink.deliveries.map { $0.json["sequence"].int } == [1, 2, 3])
        }
    }

    @Test("two nodes never hold one lane: nothing is sent twice, and the order holds")
    func twoNodes() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 100, webhook: webhook.id)
            let other = try outbox.dispatcher()
            try await running(try outbox.dispatcher()) {
                try await running(other) {
                    _ = try await eventually("100 deliveries") { sink.deliveries.count >= 100 ? true : nil }
                }
            }
            #expect(sink.deliveries.map { $0.json["sequence"].int } == (1...100).map { $0 })
        }
    }

    @Test("a private address is never contacted, and the refusal counts as an attempt")
    func blocked() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            try await outbox.store(events: 1, webhook: webhook.id)
            let strict = try outbox.dispatcher(egress: EgressGuard(allowHTTP: true))
            try await running(strict) {
                _ = try await eventually("the refusal") { try await outbox.states()["retrying"] == 1 ? true : nil }
            }
            let log = try await outbox.service().logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.first?.lastError == "private/local network URLs are not allowed")
            #expect(sink.deliveries.isEmpty)
        }
    }

    @Test("the limit of webhooks holds under concurrent creation")
    func limit() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let made = await withTaskGroup(of: Bool.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        let new = NewWebhook(url: "http://127.0.0.1:9000/\(index)")
                        return (try? await service.create(new, tenant: outbox.tenant, did: outbox.did)) != nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(made == 5)
            #expect(try await service.list(tenant: outbox.tenant, did: outbox.did).count == 5)
        }
    }

    @Test("another tenant's webhook is unknown")
    func isolation() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let webhook = try await outbox.subscribe("http://127.0.0.1:9000/")
            await #expect(throws: WebhookError.notFound) {
                try await service.find(webhook.id, tenant: outbox.tenant + 1, did: outbox.did)
            }
            await #expect(throws: WebhookError.notFound) {
                try await service.delete(webhook.id, tenant: outbox.tenant, did: outbox.did + 1)
            }
            #expect(try await service.list(tenant: outbox.tenant, did: outbox.did).count == 1)
        }
    }

    @Test("the test endpoint reaches exactly its webhook, also one that is off and filtered")
    func testDelivery() async throws {
        try await withOutbox { outbox in
            let service = try outbox.service()
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url, events: ["call.offer"])
            _ = try await service.update(
                webhook.id, WebhookChange(isActive: false), tenant: outbox.tenant, did: outbox.did)
            let result = try await service.test(
                webhook.id, tenant: outbox.tenant, did: outbox.did, deviceID: outbox.deviceID)
            #expect(result.isDelivered && result.responseCode == 200)
            #expect(sink.deliveries.first?.event == "test.ping")
            #expect(sink.deliveries.first?.isSigned(with: webhook.secret) == true)
            let log = try await service.logs(webhook.id, tenant: outbox.tenant, did: outbox.did)
            #expect(log.first?.isTest == true && log.first?.state == .success)
        }
    }
}

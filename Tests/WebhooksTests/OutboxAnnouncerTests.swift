import Database
import Foundation
import Logging
import Storage
import TestSupport
import Testing

@testable import Webhooks

@Suite("Hints between nodes")
struct OutboxAnnouncerTests {
    @Test("deliveries are announced to other nodes, and to nobody by a node that is alone")
    func announced() async throws {
        try await withOutbox { outbox in
            let pool = outbox.pool
            let leases = LeaseRepository(pool: pool)
            let announcer = OutboxAnnouncer(
                repository: outbox.queue, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            let events = pool.listen([OutboxAnnouncer.channel])
            let heard = Heard()
            let listening = Task {
                for await event in events {
                    switch event {
                    case .listening: heard.isListening = true
                    case .notification(let notification): heard.add(notification.payload)
                    case .disconnected: break
                    }
                }
            }
            let running = Task { await announcer.run() }
            _ = try await eventually("the listener", within: .seconds(60)) { heard.isListening ? true : nil }
            try await leases.register(node: UUID(), name: "a", url: "http://a", version: "1", maxDevices: 1)
            try await outbox.queue.announce(OutboxHint(webhooks: [ReadyWebhook(id: 7, tenantID: 3)], devices: [9]))
            #expect(heard.payloads.isEmpty)
            try await leases.register(node: UUID(), name: "b", url: "http://b", version: "1", maxDevices: 1)
            _ = try await eventually("the hint", within: .seconds(60)) {
                announcer.stored(StoredEvents(webhooks: [(7, 3)], devices: [9]))
                return heard.payloads.isEmpty ? nil : true
            }
            #expect(
                heard.payloads.first.map(OutboxHint.init)
                    == OutboxHint(
                        webhooks: [ReadyWebhook(id: 7, tenantID: 3)], devices: [9]))
            running.cancel()
            listening.cancel()
            await running.value
            await listening.value
        }
    }

    @Test("what another node stored is sent as soon as its hint comes")
    func hinted() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            var configuration = Outbox.quick
            configuration.pollInterval = .seconds(3600)
            let dispatcher = try outbox.dispatcher(configuration)
            try await running(dispatcher) {
                try await outbox.store(events: 1, webhook: webhook.id)
                _ = try await eventually("the delivery", within: .seconds(60)) {
                    dispatcher.stored(
                        OutboxHint(webhooks: [ReadyWebhook(id: webhook.id, tenantID: outbox.tenant)], devices: []))
                    return sink.deliveries.isEmpty ? nil : true
                }
            }
            try await sink.stop()
        }
    }

    @Test("a hint is bounded, and words it does not know are passed over")
    func payload() {
        var hint = OutboxHint()
        hint.add(StoredEvents(webhooks: (1...500).map { (Int64.max - $0, Int64.max - $0) }, devices: Set(1...500)))
        #expect(hint.webhooks.count == OutboxHint.limit)
        #expect(hint.payload.utf8.count < 8000)
        #expect(OutboxHint(payload: hint.payload) == hint)
        for odd in ["", " ", "w", "w1", "w1.", "w.1", "w1.2.3", "d", "dx", "x9", "w99999999999999999999.1", "\u{0}"] {
            #expect(OutboxHint(payload: odd).isEmpty)
        }
        #expect(OutboxHint(payload: "x1 w2.3 d4 \u{1F600}").webhooks == [ReadyWebhook(id: 2, tenantID: 3)])
    }

    @Test("a node whose hints are lost finds due deliveries by itself")
    func lostHint() async throws {
        try await withOutbox { outbox in
            let sink = try await WebhookSink.start()
            let webhook = try await outbox.subscribe(sink.url)
            let dispatcher = try outbox.dispatcher()
            let running = Task { await dispatcher.run() }
            // Made on another node: nobody calls `wake`, no notification comes.
            try await outbox.store(events: 1, webhook: webhook.id)
            _ = try await eventually("the delivery", within: .seconds(60)) { sink.deliveries.isEmpty ? nil : true }
            running.cancel()
            await running.value
            try await sink.stop()
        }
    }
}

private final class Heard: @unchecked Sendable {  // words guarded by the lock
    private let lock = NSLock()
    private var stored: [String] = []
    private var storedListening = false

    var payloads: [String] { lock.withLock { stored } }
    func add(_ payload: String) { lock.withLock { stored.append(payload) } }

    var isListening: Bool {
        get { lock.withLock { storedListening } }
        set { lock.withLock { storedListening = newValue } }
    }
}

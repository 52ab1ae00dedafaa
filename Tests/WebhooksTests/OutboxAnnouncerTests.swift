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
                repository: outbox.repository, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            let events = pool.listen([OutboxAnnouncer.channel])
            let heard = Heard()
            let listening = Task {
                for await event in events {
                    switch event {
                    case .listening: heard.isListening = true
                    case .notification: heard.count += 1
                    case .disconnected: break
                    }
                }
            }
            let running = Task { await announcer.run() }
            _ = try await eventually("the listener", within: .seconds(60)) { heard.isListening ? true : nil }
            try await leases.register(node: UUID(), name: "a", url: "http://a", version: "1", maxDevices: 1)
            try await outbox.repository.announceDeliveries()
            #expect(heard.count == 0)
            try await leases.register(node: UUID(), name: "b", url: "http://b", version: "1", maxDevices: 1)
            _ = try await eventually("the hint", within: .seconds(60)) {
                announcer.deliveriesMade()
                return heard.count > 0 ? true : nil
            }
            running.cancel()
            listening.cancel()
            await running.value
            await listening.value
        }
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
    private var storedCount = 0
    private var storedListening = false

    var count: Int {
        get { lock.withLock { storedCount } }
        set { lock.withLock { storedCount = newValue } }
    }
    var isListening: Bool {
        get { lock.withLock { storedListening } }
        set { lock.withLock { storedListening = newValue } }
    }
}

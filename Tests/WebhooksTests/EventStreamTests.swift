import Database
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Webhooks

@Suite("Event streams")
struct EventStreamTests {
    private final class Heard: Sendable {
        let ids = Mutex<[String]>([])
        var all: [String] { ids.withLock { $0 } }
    }

    private func listen(_ outbox: Outbox, from start: EventStreams.Start, patterns: [String] = []) -> (
        heard: Heard, task: Task<Void, any Error>
    ) {
        let heard = Heard()
        let streams = EventStreams(repository: outbox.repository)
        let task = Task {
            try await streams.run(
                tenant: outbox.tenant, did: outbox.did, from: start, patterns: patterns,
                pollInterval: .milliseconds(50)
            ) { item in
                if case .event(let event) = item { heard.ids.withLock { $0.append(event.id) } }
            }
        }
        return (heard, task)
    }

    @Test("a stream that was cut goes on behind the last event it saw, without gap or repetition")
    func resume() async throws {
        try await withOutbox { outbox in
            let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
            try await outbox.store(events: 250, webhook: webhook.id)
            let (heard, task) = listen(outbox, from: .after("evt_\(outbox.did)_30"))
            _ = try await eventually("220 events", within: .seconds(60)) { heard.all.count >= 220 ? true : nil }
            task.cancel()
            _ = await task.result
            #expect(heard.all == (31...250).map { "evt_\(outbox.did)_\($0)" })
        }
    }

    @Test("a stream begins now, keeps the device's events stored, and hears what it asked for")
    func live() async throws {
        try await withOutbox { outbox in
            let webhook = try await outbox.subscribe("http://127.0.0.1:9999/")
            try await outbox.store(events: 3, webhook: webhook.id)
            let (heard, task) = listen(outbox, from: .now, patterns: ["call.*"])
            _ = try await eventually("the stream", within: .seconds(60)) {
                let kept: Bool? = try await outbox.pool.query(
                    Statement("test.kept", "SELECT streamed_until > now() FROM sb.devices WHERE did = $1"),
                    [.int(outbox.did)]
                ).first?[0]
                return kept
            }
            try await outbox.execute(
                """
                INSERT INTO sb.webhook_events (event_id, day, tenant_id, did, seq, event_type, dedupe_key, body)
                SELECT 'late_' || n, current_date, \(outbox.tenant), \(outbox.did), 1000 + n,
                  CASE n WHEN 2 THEN 'call.offer' ELSE 'message.received' END, 'late' || n, '{}'
                FROM generate_series(1, 3) n
                """)
            _ = try await eventually("the call", within: .seconds(60)) { heard.all.isEmpty ? nil : true }
            task.cancel()
            _ = await task.result
            #expect(heard.all == ["late_2"])
        }
    }
}

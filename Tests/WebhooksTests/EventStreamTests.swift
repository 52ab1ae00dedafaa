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
        let streams = EventStreams(outbox.repository, pollInterval: .milliseconds(50))
        let task = Task {
            try await streams.run(
                tenant: outbox.tenant, did: outbox.did, from: start,
                wants: { WebhookEventCatalogue.wants(patterns, $0) }
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

    @Test("thirty idle streams cost one look at the outbox in an interval, and each finds what no hint told of")
    func onePoll() async throws {
        let source = CountingSource()
        let streams = EventStreams(source, pollInterval: .milliseconds(20))
        let heard = Heard()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<30 {
                group.addTask {
                    try await streams.run(tenant: 1, did: Int64(number % 10), from: .now, wants: { _ in true }) {
                        item in
                        if case .event(let event) = item { heard.ids.withLock { $0.append("\(number) \(event.id)") } }
                    }
                }
            }
            let before = try await eventually("thirty streams that read once, and some looks") {
                let counts = source.counts.withLock { $0 }
                return counts.reads == 30 && counts.looks >= 5 ? counts : nil
            }
            let after = try await eventually("more looks") {
                let counts = source.counts.withLock { $0 }
                return counts.looks >= before.looks + 10 ? counts : nil
            }
            #expect(after.reads == 30)
            source.add("a", to: 3)
            _ = try await eventually("the event at the device's three streams") { heard.all.count == 3 ? true : nil }
            // A commit of this node tells at once, whatever the looks do.
            source.add("b", to: 4)
            streams.stored(StoredEvents(webhooks: [], devices: [4]))
            _ = try await eventually("the other") { heard.all.count == 6 ? true : nil }
            #expect(Set(heard.all) == ["3 a", "13 a", "23 a", "4 b", "14 b", "24 b"])
            streams.close()
            try await group.waitForAll()
        }
    }

    @Test("a stream's check ends it within an interval though nothing comes")
    func checks() async throws {
        let streams = EventStreams(CountingSource(), pollInterval: .milliseconds(20))
        let asked = Mutex(0)
        await #expect(throws: StreamError.revoked) {
            try await streams.run(
                tenant: 1, did: 1, from: .now, wants: { _ in true },
                check: {
                    if asked.withLock({
                        $0 += 1; return $0
                    }) > 5 {
                        throw StreamError.revoked
                    }
                }, { _ in })
        }
    }
}

/// Events in memory, with a count of who asks for what.
private final class CountingSource: EventSource {
    struct Counts {
        var reads = 0
        var looks = 0
    }

    let counts = Mutex(Counts())
    private let events = Mutex<[(did: Int64, event: StoredEvent)]>([])

    func add(_ id: String, to did: Int64) {
        events.withLock { events in
            let event = StoredEvent(
                id: id, type: "call.offer", sequence: Int64(events.count + 1), body: Array("{}".utf8), createdAt: Date()
            )
            events.append((did, event))
        }
    }

    func events(after sequence: Int64, tenant: Int64, did: Int64, limit: Int) async throws -> [StoredEvent] {
        counts.withLock { $0.reads += 1 }
        return events.withLock { $0.filter { $0.did == did && $0.event.sequence > sequence }.map(\.event) }
    }

    func sequence(of id: String, tenant: Int64, did: Int64) async throws -> Int64? { nil }
    func newestSequence(tenant: Int64, did: Int64) async throws -> Int64 { 0 }

    func newestSequences(of dids: [Int64]) async throws -> [Int64: Int64] {
        counts.withLock { $0.looks += 1 }
        return events.withLock { events in
            events.filter { dids.contains($0.did) }.reduce(into: [:]) { $0[$1.did] = $1.event.sequence }
        }
    }

    func keepStream(tenant: Int64, did: Int64, seconds: Int64) async throws {}
}

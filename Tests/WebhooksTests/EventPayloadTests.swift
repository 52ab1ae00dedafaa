import Database
import Foundation
import Messaging
import Storage
import TestSupport
import Testing
import Transport

@testable import Webhooks

/// What the code really makes, held against the catalogue, which another test holds against webhook-events.tsv.
@Suite("Payloads of events")
struct EventPayloadTests {
    private static let shapes: [String: EventShape] = Dictionary(
        uniqueKeysWithValues: WebhookEventCatalogue.all.map { event in
            let members = event.members.map {
                EventShape.Member(name: $0.name, type: $0.kind.rawValue, isOptional: $0.isOptional)
            }
            return (event.name, EventShape(event: event.name, members: members))
        })

    /// Made by the outbox itself; their payloads are taken from there.
    private static let ofTheOutbox: Set = ["webhook.disabled", "webhook.backlog", "test.ping"]

    @Test("every event that sessions make has all members of the table, of their types, and none that is not told of")
    func members() throws {
        var made: Set<String> = []
        for sample in try EventSamples.all() {
            let type = sample.event.type
            made.insert(type)
            let shape = try #require(Self.shapes[type], "\(type) is not in the catalogue")
            #expect(shape.problems(in: try JSON(sample.event.data)) == [])
        }
        let emitted = Set(WebhookEventCatalogue.all.filter(\.isEmitted).map(\.name))
        #expect(made.union(Self.ofTheOutbox) == emitted)
    }

    @Test("an event names people by phone number and by LID where both are known")
    func bothIdentities() throws {
        for sample in try EventSamples.all() where sample.isFull {
            let text = "\(try JSON(sample.event.data))"
            let names = [EventSamples.pn, .lid(EventSamples.lid.user)].map { text.contains("\"\($0)\"") }
            #expect(names[0] == names[1], "\(sample.event.type): \(text)")
            let isOfPerson =
                !sample.event.type.hasPrefix("connection.") && !sample.event.type.hasPrefix("offline.")
                && sample.event.type != "group.leave"
            #expect(names[0] == isOfPerson, "\(sample.event.type): \(text)")
        }
    }

    @Test("what the outbox says of itself has the members of its table, too")
    func notices() async throws {
        try await withOutbox { outbox in
            let watching = try await outbox.subscribe("http://127.0.0.1:9999/w", events: ["webhook.*"])
            let failing = try await outbox.subscribe("http://127.0.0.1:9999/f")
            try await outbox.store(events: 5, webhook: failing.id)
            #expect(try await outbox.queue.trimBacklogs(to: 2, lowValue: []).cancelled == 3)
            try await outbox.queue.disable(failing.id, reason: "failing")
            _ = try await outbox.service().test(
                watching.id, tenant: outbox.tenant, did: outbox.did, deviceID: outbox.deviceID)
            let rows = try await outbox.pool.query(
                Statement(
                    "test.notices",
                    "SELECT event_type, body FROM sb.webhook_events WHERE event_type <> 'message.received'"))
            var seen: Set<String> = []
            for row in rows {
                let (type, body): (String, [UInt8]) = (try row[0], try row[1])
                seen.insert(type)
                let event = try JSON(body)
                #expect(event["event_type"].string == type)
                #expect(event["event_id"].string?.hasPrefix("evt_") == true)
                #expect(event["device_id"].string == outbox.deviceID.uuidString.lowercased())
                #expect(try #require(Self.shapes[type]).problems(in: event["data"]) == [])
            }
            #expect(seen == Self.ofTheOutbox)
        }
    }
}

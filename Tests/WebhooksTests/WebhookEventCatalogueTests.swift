import Foundation
import Testing

@testable import Webhooks

@Suite("Webhook event catalogue")
struct WebhookEventCatalogueTests {
    @Test("the 86 events are those of webhook-events.tsv, with its fields")
    func matchesTheTable() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let vectors = ProcessInfo.processInfo.environment["SWITCHBOARD_VECTORS"].map { URL(filePath: $0) }
        let folder = vectors?.deletingLastPathComponent() ?? root.appending(path: "../shared")
        let table = try String(contentsOf: folder.appending(path: "data/webhook-events.tsv"), encoding: .utf8)
        let rows = table.split(separator: "\n").dropFirst().map {
            $0.split(separator: "\t", omittingEmptySubsequences: false)
        }
        #expect(rows.count == 86)
        #expect(WebhookEventCatalogue.referenceEvents.map(\.name) == rows.map { String($0[0]) })
        for (event, row) in zip(WebhookEventCatalogue.referenceEvents, rows) {
            let fields = String(row[3]).matches(of: #/(?:^|, )(\w+) \(/#).map { String($0.1) }
            #expect(event.fields == fields, "\(event.name)")
        }
    }

    @Test("an empty subscription wants everything but the opt-in events")
    func emptySubscription() {
        #expect(WebhookEventCatalogue.wants([], "message.received"))
        #expect(!WebhookEventCatalogue.wants([], "message.sent"))
        #expect(WebhookEventCatalogue.wants(["message.*"], "message.sent"))
        #expect(!WebhookEventCatalogue.wants(["message.*"], "connection.qr"))
        #expect(WebhookEventCatalogue.wants(["connection.qr"], "connection.qr"))
    }

    @Test("unknown names and prefixes are not accepted")
    func patterns() {
        #expect(WebhookEventCatalogue.accepts(pattern: "message.received"))
        #expect(WebhookEventCatalogue.accepts(pattern: "chat.*"))
        for wrong in ["", "*", ".*", "message", "message.", "nothing.*", "message.received.*", "MESSAGE.RECEIVED"] {
            #expect(!WebhookEventCatalogue.accepts(pattern: wrong), "\(wrong)")
        }
    }
}

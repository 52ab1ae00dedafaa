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
            let fields = String(row[3]).matches(of: #/(?:^|, )(\w+) \(([^,)]+)([^)]*)\)/#)
            #expect(event.fields.map(\.name) == fields.map { String($0.1) }, "\(event.name)")
            #expect(event.fields.map(\.kind.rawValue) == fields.map { String($0.2) }, "\(event.name)")
            // One member is sent with connect failures only.
            #expect(event.fields.map(\.isOptional) == fields.map { $0.3.contains("only with") }, "\(event.name)")
            #expect(Set(event.members.map(\.name)).count == event.members.count, "\(event.name)")
        }
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Names in quotes in the code that learns of events, with the file that has them.
    private static func mentioned() throws -> [String: String] {
        var found: [String: String] = [:]
        for folder in ["Sources/Messaging", "Sources/Storage", "Sources/Tenancy", "Sources/Webhooks/Subscriptions"] {
            let files = FileManager.default.enumerator(
                at: root.appending(path: folder), includingPropertiesForKeys: nil)
            for case let file as URL in files ?? .init() where file.pathExtension == "swift" {
                for match in try String(contentsOf: file, encoding: .utf8).matches(of: #/"([a-z_]+\.[a-z_]+)"/#)
                where WebhookEventCatalogue.byName[String(match.1)] != nil {
                    found[String(match.1)] = file.lastPathComponent
                }
            }
        }
        return found
    }

    @Test("every event is either made by code of ours or stands in the list of those to come, with its capability")
    func emission() throws {
        let mentioned = try Self.mentioned()
        for event in WebhookEventCatalogue.all where event.isEmitted {
            #expect(mentioned[event.name] != nil, "\(event.name) counts as sent, but no code makes it")
        }
        #expect(Set(WebhookEventCatalogue.planned.keys).isSubset(of: WebhookEventCatalogue.byName.keys))
        for (name, file) in mentioned where WebhookEventCatalogue.planned[name] != nil {
            Issue.record("\(file) makes \(name): take it out of WebhookEventCatalogue.planned")
        }
    }

    @Test("docs/webhook-events.md is what the catalogue gives (SWITCHBOARD_WRITE_DOCS=1 writes it)")
    func isDocumented() throws {
        let path = Self.root.appending(path: "docs/webhook-events.md")
        if ProcessInfo.processInfo.environment["SWITCHBOARD_WRITE_DOCS"] != nil {
            try WebhookEventCatalogue.markdown.write(to: path, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: path, encoding: .utf8) == WebhookEventCatalogue.markdown)
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

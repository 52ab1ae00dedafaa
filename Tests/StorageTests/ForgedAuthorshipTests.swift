import Messaging
import Testing

@testable import Storage

@Suite("Claims about messages")
struct ForgedAuthorshipTests {
    @Test("an event about another's message is not stored: the stored row knows whose it is, not the stanza")
    func forgedAuthorship() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let webhooks = WebhookRepository(fixture.storage.database, sealing: fixture.envelope)
            _ = try await webhooks.insert(
                WebhookChange(url: "http://example", events: []), secret: "s", tenant: fixture.tenant.id,
                did: lease.did,
                limit: 5)
            func deletion(_ key: String, of message: String, fromMe: Bool, by author: [String]?) -> DeviceEvent {
                DeviceEvent(
                    type: "message.deleted", dedupeKey: key, data: Array("{}".utf8),
                    at: Timestamp(seconds: 1_700_000_000),
                    claim: AuthorshipClaim(chat: "g@g.us", messageID: message, fromMe: fromMe, author: author))
            }
            func stored(_ id: String, fromMe: Bool = false, alternative: String? = nil) -> MessageRow {
                var row = MessageRow.sample(id: id, chat: "g@g.us", fromMe: fromMe)
                row.sender = "1@lid"
                row.senderAlternative = alternative
                return row
            }
            // The message may come in the same batch, or have come before.
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.messages = [
                        stored("A"), stored("B", alternative: "1@s.whatsapp.net"), stored("C", fromMe: true),
                    ]
                    set.events = [deletion("forged, at once", of: "A", fromMe: false, by: ["2@lid"])]
                })
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.events = [
                        deletion("forged", of: "A", fromMe: false, by: ["2@lid", "2@s.whatsapp.net"]),
                        deletion("forged of one known by both names", of: "B", fromMe: false, by: ["2@lid"]),
                        deletion("forged of an own message", of: "C", fromMe: false, by: ["2@lid"]),
                        deletion("own of another's", of: "A", fromMe: true, by: nil),
                        deletion("author", of: "A", fromMe: false, by: ["1@lid"]),
                        deletion("author by number", of: "B", fromMe: false, by: ["1@s.whatsapp.net"]),
                        deletion("own", of: "C", fromMe: true, by: nil),
                        deletion("of a message that is not stored", of: "D", fromMe: false, by: ["2@lid"]),
                    ]
                })
            let keys: [String]? = try await fixture.storage.scalar(
                "SELECT array_agg(dedupe_key ORDER BY dedupe_key) FROM sb.webhook_events")
            #expect(keys == ["author", "author by number", "of a message that is not stored", "own"])
        }
    }
}

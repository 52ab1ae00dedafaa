import Messaging
import TestSupport
import Testing

@testable import Storage

@Suite("Reading stored messages")
struct MessageRepositoryTests {
    @Test("pages follow each other without gaps, forwards and backwards, across months and names of the chat")
    func paging() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let other = try await fixture.device()
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            let repository = MessageRepository(fixture.storage.database)
            let now = try #require(
                try await fixture.storage.scalar("SELECT date_trunc('second', now())", as: Timestamp.self)
            ).seconds
            // Three a second, two seconds per ten days, the oldest long before the first partition.
            let ids = (0..<30).map { "\(($0 * 7) % 31)M\($0)" }
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.messages = ids.enumerated().map { index, id in
                        .sample(
                            id: id, chat: index % 2 == 0 ? "1@s.whatsapp.net" : "9@lid",
                            at: now - 400_000 * Int64(10 - index / 3), type: index % 5 == 0 ? "image" : "text")
                    }
                })
            try await fixture.submit(ChangeSet(other) { $0.messages = [.sample(id: "X", at: now)] })
            var query = MessageQuery(chats: ["1@s.whatsapp.net", "9@lid"], limit: 7)
            var seen: [String] = []
            while true {
                let page = try await repository.messages(scope, query)
                if page.isEmpty { break }
                seen += page.map(\.row.messageID)
                query.before = page.last?.row.messageID
            }
            #expect(seen == ids.reversed())
            query = MessageQuery(chats: ["1@s.whatsapp.net", "9@lid"], after: ids[4], order: .oldestFirst, limit: 3)
            #expect(try await repository.messages(scope, query).map(\.row.messageID) == Array(ids[5...7]))
            query = MessageQuery(chats: ["1@s.whatsapp.net"], since: Timestamp(seconds: now - 900_000), type: "text")
            #expect(try await repository.messages(scope, query).allSatisfy { $0.row.type == "text" })
            #expect(
                try await repository.messages(scope, MessageQuery(chats: ["1@s.whatsapp.net"], before: "none")).isEmpty)
            #expect(try await repository.message(scope, id: ids[3])?.row.chat == "9@lid")
            #expect(try await repository.message(scope, id: "X") == nil)
            #expect(try await repository.newest(scope, chats: ["9@lid"])?.row.messageID == ids[29])
            #expect(try await repository.deleteChat(scope, chats: ["9@lid"]) == 15)
        }
    }

    @Test("chats are listed by their newest message")
    func chats() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.chats = [
                        ChatUpdate(
                            chat: "a", kind: .user, lastMessage: ("1", Timestamp(seconds: 10)), unreadIncrement: 2),
                        ChatUpdate(chat: "b", kind: .group, name: "Crew", lastMessage: ("2", Timestamp(seconds: 20))),
                    ]
                })
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            let chats = try await ChatRepository(fixture.storage.database).chats(scope)
            #expect(chats.map(\.chat) == ["b", "a"])
            #expect(chats.map(\.unreadCount) == [0, 2])
            #expect(chats.first?.name == "Crew")
        }
    }
}

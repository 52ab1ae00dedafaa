import Database
import Foundation
import Messaging
import TestSupport
import Testing

@testable import Storage

@Suite("Sends and their idempotency keys")
struct IdempotentSendTests {
    private static let chat = "1@s.whatsapp.net"

    private func begin(_ fixture: CommitFixture, _ lease: DeviceLease, _ id: String, key: String) async throws {
        try await fixture.submit(
            ChangeSet(lease) { set in
                set.messages = [.sample(id: id, chat: Self.chat, fromMe: true, status: .pending)]
                set.retries = [
                    RetryRow(
                        chat: Self.chat, messageID: id, plaintext: [1], sendBy: Timestamp(seconds: 4_000_000_000),
                        insertedAt: Timestamp(seconds: 8))
                ]
                set.idempotency = [
                    .begin(
                        key: key, requestHash: [1], message: MessageName(chat: Self.chat, messageID: id))
                ]
            })
    }

    @Test("the next owner of a device finds the key of an unsettled send, and its fate answers who asks again")
    func fate() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let keys = IdempotencyRepository(fixture.storage.database)
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            try await begin(fixture, lease, "A", key: "a")
            try await begin(fixture, lease, "B", key: "b")
            #expect(
                try await fixture.store.unsettledSends(did: lease.did, limit: 10).map(\.idempotencyKey) == ["a", "b"])
            guard case .running(_, _, let send)? = try await keys.state(scope, key: "a") else {
                Issue.record("the key is not running")
                return
            }
            #expect(send == IdempotentSend(messageID: "A", chat: Self.chat, fate: nil))
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.settledSends = [MessageName(chat: Self.chat, messageID: "A")]
                    set.idempotency = [.fate(key: "a", .sent(at: Timestamp(seconds: 99), serverID: 7))]
                })
            try await fixture.submit(
                ChangeSet(lease) { $0.idempotency = [.fate(key: "b", .failed(reason: .rejected, code: 463))] })
            guard case .running(_, _, let sent?)? = try await keys.state(scope, key: "a"),
                case .running(_, _, let failed?)? = try await keys.state(scope, key: "b")
            else {
                Issue.record("no fates")
                return
            }
            #expect(sent.fate == .sent(at: Timestamp(seconds: 99), serverID: 7))
            #expect(failed.fate == .failed(reason: .rejected, code: 463))
            #expect(try await fixture.store.unsettledSends(did: lease.did, limit: 10).map(\.messageID) == ["B"])
        }
    }

    @Test("a key given back is free, one of yesterday is new, and a finished one keeps its answer")
    func lifetimes() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let keys = IdempotencyRepository(fixture.storage.database)
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            try await begin(fixture, lease, "A", key: "a")
            try await fixture.submit(ChangeSet(lease) { $0.idempotency = [.abandon(key: "a")] })
            #expect(try await keys.state(scope, key: "a") == nil)

            try await begin(fixture, lease, "B", key: "b")
            let answer = StoredAnswer(code: 200, body: [7])
            try await fixture.submit(ChangeSet(lease) { $0.idempotency = [.finish(key: "b", answer: answer)] })
            try await fixture.submit(ChangeSet(lease) { $0.idempotency = [.abandon(key: "b")] })
            #expect(try await keys.state(scope, key: "b") == .done(requestHash: [1], answer: answer))

            try await fixture.storage.script(
                "UPDATE sb.idempotency_keys SET created_at = now() - interval '25 hours'")
            #expect(try await keys.state(scope, key: "b") == nil)
            try await begin(fixture, lease, "C", key: "b")
            guard case .running(_, _, let send?)? = try await keys.state(scope, key: "b") else {
                Issue.record("the key was not taken anew")
                return
            }
            #expect(send.messageID == "C")
        }
    }

    @Test("what became of a message can be asked by its id")
    func status() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let sends = SendRepository(fixture.storage.database)
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            try await begin(fixture, lease, "A", key: "a")
            try await begin(fixture, lease, "B", key: "b")
            #expect(
                try await sends.status(scope, messageID: "A")?.state
                    == .queued(until: Timestamp(seconds: 4_000_000_000)))
            #expect(try await sends.queued(scope).map(\.messageID) == ["A", "B"])
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.settledSends = [MessageName(chat: Self.chat, messageID: "A")]
                    set.messageUpdates = [
                        MessageUpdate(chat: Self.chat, messageID: "A", fromMe: true, status: .delivered)
                    ]
                })
            #expect(try await sends.status(scope, messageID: "A")?.state == .delivered)
            #expect(try await sends.queued(scope).map(\.messageID) == ["B"])
            let name = MessageName(chat: Self.chat, messageID: "B")
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.settledSends = [name]
                    set.failedSends = [FailedSend(name: name, fate: .failed(reason: .rejected, code: 463))]
                    set.messageUpdates = [
                        MessageUpdate(chat: Self.chat, messageID: "B", fromMe: true, status: .failed)
                    ]
                })
            #expect(try await sends.status(scope, messageID: "B")?.state == .failed(.rejected, code: 463))
            // Sent again under its id, it waits again.
            try await begin(fixture, lease, "B", key: "b2")
            #expect(try await sends.queued(scope).map(\.messageID) == ["B"])
            #expect(try await sends.status(scope, messageID: "unknown") == nil)
            let stranger = DeviceScope(tenantID: fixture.tenant.id, did: lease.did + 1)
            #expect(try await sends.status(stranger, messageID: "A") == nil)
        }
    }

    @Test("a logout keeps why sends failed, also those that nobody had loaded, and nothing of what they said")
    func loggedOut() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            let sends = SendRepository(fixture.storage.database)
            let keys = IdempotencyRepository(fixture.storage.database)
            for (id, key) in [("A", "a"), ("B", "b"), ("C", "c")] { try await begin(fixture, lease, id, key: key) }
            // One was refused before, one the session knows of, and one it had not read.
            func failure(_ id: String, _ fate: SendFate) -> (inout ChangeSet) -> Void {
                { set in
                    let name = MessageName(chat: Self.chat, messageID: id)
                    set.settledSends = [name]
                    set.failedSends = [FailedSend(name: name, fate: fate)]
                    set.messageUpdates = [
                        MessageUpdate(chat: Self.chat, messageID: id, fromMe: true, status: .failed)
                    ]
                }
            }
            try await fixture.submit(ChangeSet(lease, failure("A", .failed(reason: .rejected, code: 463))))
            try await fixture.submit(
                ChangeSet(lease) { set in
                    failure("B", .failed(reason: .loggedOut, code: nil))(&set)
                    set.credentials = .erase
                })
            #expect(try await sends.status(scope, messageID: "A")?.state == .failed(.rejected, code: 463))
            for id in ["B", "C"] {
                #expect(try await sends.status(scope, messageID: id)?.state == .failed(.loggedOut, code: nil))
                #expect(
                    try await fixture.store.message(did: lease.did, chat: Self.chat, messageID: id)?.status == .failed)
            }
            guard case .running(_, _, let unread?)? = try await keys.state(scope, key: "c") else {
                Issue.record("the key is gone")
                return
            }
            #expect(unread.fate == .failed(reason: .loggedOut, code: nil))
            #expect(try await fixture.store.unsettledSends(did: lease.did, limit: 10).isEmpty)
            let kept: Int? = try await fixture.storage.scalar(
                "SELECT count(*) FROM sb.retry_buffer WHERE plaintext <> ''")
            #expect(kept == 0)
            #expect(try await fixture.store.retry(did: lease.did, chats: [Self.chat], messageID: "A") == nil)
        }
    }

    @Test("an own message that failed and is sent again under its id is pending again, and can succeed")
    func sentAgain() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let chat = "1@s.whatsapp.net"
            func status() async throws -> MessageRow? {
                try await fixture.store.message(did: lease.did, chat: chat, messageID: "A")
            }
            let failed = MessageUpdate(chat: chat, messageID: "A", fromMe: true, status: .failed)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.messages = [.sample(id: "A", fromMe: true, status: .pending)]
                    set.messageUpdates = [failed]
                })
            #expect(try await status()?.status == .failed)
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.messages = [.sample(id: "A", fromMe: true, at: 1_700_000_060, body: "again", status: .pending)]
                })
            #expect(try await status()?.status == .pending)
            #expect(try await status()?.body == "again")
            // Failed and sent again before either is stored.
            let outcomes = try await fixture.submitTogether([
                ChangeSet(lease) { $0.messageUpdates = [failed] },
                ChangeSet(lease) { $0.messages = [.sample(id: "A", fromMe: true, status: .pending)] },
            ])
            #expect(outcomes == [nil, nil])
            #expect(try await status()?.status == .pending)
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.messageUpdates = [MessageUpdate(chat: chat, messageID: "A", fromMe: true, status: .sent)]
                })
            #expect(try await status()?.status == .sent)
            // One that was sent is not sent again by a row.
            try await fixture.submit(
                ChangeSet(lease) { $0.messages = [.sample(id: "A", fromMe: true, status: .pending)] })
            #expect(try await status()?.status == .sent)
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 1)
        }
    }
}

import Cryptography
import Database
import Foundation
import Messaging
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import Storage

/// A received message is there whole or not at all, wherever PostgreSQL goes away (03-signal, section 14.2).
@Suite("Batches that are cut")
struct CutBatchTests {
    /// Tables of a received message in the order of the batch. The backend dies in the middle of the statement that writes
    /// there; `nil`: in COMMIT.
    static let cuts: [String?] = [
        "signal_sessions", "signal_identities", "signal_prekeys", "inbound_buffer", "messages", "message_secrets",
        "chats", "webhook_dedupe", "webhook_events", "webhook_deliveries", nil,
    ]

    @Test("a received message that is cut anywhere leaves nothing, and then everything once", arguments: cuts)
    func cut(_ table: String?) async throws {
        let attempts = Attempts()
        try await CommitFixture.run(pause: { _ in await attempts.pause() }) { fixture in
            let lease = try await fixture.device()
            _ = try await WebhookRepository(fixture.storage.database, sealing: fixture.envelope).insert(
                WebhookChange(url: "http://example", events: []), secret: "s", tenant: fixture.tenant.id,
                did: lease.did, limit: 5)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.newPreKeys = [
                        PreKeyRow(id: 7, privateKey: SecretBytes(Array(repeating: 1, count: 32)), uploaded: true)
                    ]
                })
            #expect(try await rows(fixture) == .nothing)
            try await fixture.storage.script(Self.trap(table))

            let commit = Task { try await fixture.submit(Self.received(lease)) }
            await attempts.untilPaused()
            #expect(try await rows(fixture) == .nothing, "cut at \(table ?? "COMMIT")")
            attempts.goOn()
            try await commit.value
            #expect(try await rows(fixture) == .everything)
            let cuts: Int? = try await fixture.storage.scalar("SELECT last_value FROM sb.cuts")
            #expect(cuts ?? 0 >= 2, "the trap was never passed")
        }
    }

    /// What a received message changes, in one set.
    private static func received(_ lease: DeviceLease) -> ChangeSet {
        ChangeSet(lease) { set in
            set.handledCiphertexts = [
                HandledCiphertext(hash: Array(repeating: 3, count: 32), serverTimestamp: 1_700_000_000)
            ]
            set.sessions = [SessionImage(address: "a:1", rev: 1, record: [1])]
            set.identities = [IdentityRow(address: "a:1", identity: Array(repeating: 2, count: 32))]
            set.usedPreKeys = [7]
            set.messages = [.sample(id: "M1")]
            set.messageSecrets = [
                MessageSecretRow(
                    chat: "1@s.whatsapp.net", sender: "1@s.whatsapp.net", messageID: "M1",
                    secret: Array(repeating: 4, count: 32))
            ]
            set.chats = [ChatUpdate(chat: "1@s.whatsapp.net", kind: .user, unreadIncrement: 1)]
            set.events = [
                DeviceEvent(
                    type: "message.received", dedupeKey: "M1", data: Array("{}".utf8),
                    at: Timestamp(seconds: 1_700_000_000))
            ]
        }
    }

    /// The first statement that writes the table, or the first COMMIT, kills its own backend. A sequence keeps count, since
    /// nothing that is rolled back does.
    private static func trap(_ table: String?) -> String {
        let kind = table == nil ? "CONSTRAINT TRIGGER" : "TRIGGER"
        let moment = table == nil ? "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW" : "FOR EACH STATEMENT"
        return """
            CREATE SEQUENCE sb.cuts;
            GRANT ALL ON SEQUENCE sb.cuts TO PUBLIC;
            CREATE FUNCTION sb.cut() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
              IF nextval('sb.cuts') = 1 THEN
                PERFORM pg_terminate_backend(pg_backend_pid());
                PERFORM pg_sleep(60);
              END IF;
              RETURN NULL;
            END $$;
            CREATE \(kind) cut AFTER INSERT OR UPDATE OR DELETE ON sb.\(table ?? "signal_sessions")
              \(moment) EXECUTE FUNCTION sb.cut();
            """
    }

    private struct Rows: Equatable {
        var counts: [Int]
        static let nothing = Rows(counts: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0])
        static let everything = Rows(counts: [1, 1, 0, 1, 1, 1, 1, 1, 1, 1])
    }

    private func rows(_ fixture: CommitFixture) async throws -> Rows {
        var counts: [Int] = []
        for table in Self.cuts.compactMap(\.self) {
            counts.append(try await fixture.storage.scalar("SELECT count(*)::int FROM sb.\(table)") ?? -1)
        }
        return Rows(counts: counts)
    }
}

/// Stops the worker before its second attempt until a test has looked.
private final class Attempts: Sendable {
    private let paused = AsyncStream.makeStream(of: Void.self)
    private let resumed = AsyncStream.makeStream(of: Void.self)

    func pause() async {
        paused.continuation.yield()
        for await _ in resumed.stream { break }
    }

    func untilPaused() async {
        for await _ in paused.stream { break }
    }

    func goOn() { resumed.continuation.finish() }
}

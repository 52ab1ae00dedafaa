import Cryptography
import Database
import Foundation
import Messaging
import Testing

@testable import Storage

/// What a dump of the database gives away (13-configuration, section 15).
@Suite("Sealed at rest")
struct SealedAtRestTests {
    /// 32 bytes that stand nowhere else.
    private static func secret(_ name: String) -> [UInt8] { SHA256Digest.hash(Array("at rest \(name)".utf8)) }

    private static let names = [
        "noise", "identity", "signed prekey", "adv", "prekey", "session", "archive", "sender key", "app state",
        "message secret", "webhook", "retry",
    ]

    private static func fill(_ fixture: CommitFixture) async throws -> DeviceLease {
        let lease = try await fixture.device()
        var credentials = DeviceCredentials.sample(jid: "15550001111:7@s.whatsapp.net")
        credentials.noiseKey = SecretBytes(secret("noise"))
        credentials.identityKey = SecretBytes(secret("identity"))
        credentials.signedPreKey.privateKey = SecretBytes(secret("signed prekey"))
        credentials.advSecret = SecretBytes(secret("adv"))
        try await fixture.submit(ChangeSet(lease) { $0.credentials = .store(credentials) })
        try await fixture.submit(
            ChangeSet(lease) { set in
                set.newPreKeys = [PreKeyRow(id: 9, privateKey: SecretBytes(secret("prekey")), uploaded: true)]
                set.sessions = [
                    SessionImage(
                        address: "1:0", rev: 1, record: secret("session"),
                        archived: [ArchivedSessionState(baseKey: [1], record: secret("archive"))])
                ]
                set.senderKeys = [SenderKeyImage(group: "g", sender: "1:0", rev: 1, record: secret("sender key"))]
                set.appStateKeys = [
                    AppStateKeyRow(
                        keyID: [1], keyData: SecretBytes(secret("app state")), fingerprint: [], timestamp: 1)
                ]
                set.messageSecrets = [
                    MessageSecretRow(chat: "c", sender: "s", messageID: "m", secret: secret("message secret"))
                ]
                set.retries = [
                    RetryRow(
                        chat: "c", messageID: "m", format: "waE2E", plaintext: secret("retry"), sendBy: nil,
                        insertedAt: Timestamp(milliseconds: 1))
                ]
            })
        let webhooks = WebhookRepository(fixture.storage.database, sealing: fixture.envelope)
        _ = try await webhooks.insert(
            WebhookChange(url: "http://127.0.0.1/"), secret: Hex.encode(secret("webhook")), tenant: fixture.tenant.id,
            did: lease.did, limit: 5)
        return lease
    }

    /// Every value of every table, as PostgreSQL writes it: bytes in hex.
    private static func dump(_ fixture: CommitFixture) async throws -> String {
        let tables: [String] =
            try await fixture.storage.scalar(
                """
                SELECT array_agg(c.relname::text) FROM pg_class c
                WHERE c.relnamespace = 'sb'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                """) ?? []
        var text = ""
        for table in tables {
            let rows: String? = try await fixture.storage.scalar("SELECT string_agg(t::text, ' ') FROM sb.\(table) t")
            text += rows ?? ""
        }
        return text
    }

    @Test("with a data key no secret stands in any column of any table; without one the records do")
    func nothingInClear() async throws {
        for isSealing in [true, false] {
            try await CommitFixture.run(sealsSessionData: isSealing) { fixture in
                _ = try await Self.fill(fixture)
                let dump = try await Self.dump(fixture)
                let optional: Set = ["session", "archive", "sender key", "app state", "message secret", "retry"]
                for name in Self.names {
                    let isThere = dump.contains(Hex.encode(Self.secret(name)))
                    #expect(isThere == (!isSealing && optional.contains(name)), "\(name), sealing \(isSealing)")
                }
            }
        }
    }

    @Test("a new data key takes over everything while the old one still opens, and then the old one can go")
    func rotation() async throws {
        try await CommitFixture.run(sealsSessionData: false) { fixture in
            let lease = try await Self.fill(fixture)
            // A sender chooses these: two may be the same.
            let twins = ["T1", "T2"].map {
                MessageSecretRow(chat: "c", sender: "s", messageID: $0, secret: Self.secret("message secret"))
            }
            try await fixture.submit(ChangeSet(lease) { $0.messageSecrets = twins })
            let pool = fixture.storage.database.system
            let (old, new) = (
                SecretBytes(Array(repeating: 7, count: 32)), SecretBytes(Array(repeating: 8, count: 32))
            )
            let rotating = try SecretEnvelope(key: new, previous: [old], sealsSessionData: true)
            let rotation = KeyRotation(pool: pool, envelope: rotating, batch: 2)
            let before = try await rotation.remaining()
            #expect(before["wa_credentials.noise_key_enc"] == 1 && before["webhooks.secret_enc"] == 1)
            #expect(before["signal_sessions.record"] == 1 && before["app_state_keys.key_data"] == 1)
            #expect(try await rotation.fit() == .fits)
            let progress = try await rotation.run()
            #expect(progress == KeyRotation.Progress(sealed: before.values.reduce(0, +), unreadable: 0))
            #expect(try await rotation.remaining().isEmpty)
            #expect(try await rotation.run() == KeyRotation.Progress())

            let alone = try SecretEnvelope(key: new, sealsSessionData: true)
            let store = PostgresDeviceStore(fixture.storage.database, envelope: alone)
            let credentials = try #require(try await store.credentials(did: lease.did))
            #expect(credentials.noiseKey.bytes == Self.secret("noise"))
            #expect(credentials.advSecret.bytes == Self.secret("adv"))
            #expect(try await store.preKey(did: lease.did, id: 9)?.bytes == Self.secret("prekey"))
            for twin in twins {
                let secret = try await store.messageSecret(
                    did: lease.did, chat: twin.chat, sender: twin.sender, messageID: twin.messageID)
                #expect(secret == twin.secret)
            }
            // What was stored in clear stays so for its few days, and is read as it is.
            let retry = try await store.retry(did: lease.did, chats: ["c"], messageID: "m")
            #expect(retry?.plaintext == Self.secret("retry"))
            let session = try await store.sessions(did: lease.did, addresses: ["1:0"])["1:0"]
            #expect(session?.record == Self.secret("session"))
            #expect(session?.archived.map(\.record) == [Self.secret("archive")])
            #expect(
                try await store.senderKey(did: lease.did, group: "g", sender: "1:0")?.record
                    == Self.secret("sender key"))
            let webhook = try await WebhookRepository(fixture.storage.database, sealing: alone)
                .list(tenant: fixture.tenant.id, did: lease.did, limit: 10).first
            #expect(webhook?.secret == Hex.encode(Self.secret("webhook")))
        }
    }

    @Test(
        "a message that waits to be sent again is sealed, taken over by a new data key, and gone with the last that opens it"
    )
    func retries() async throws {
        try await CommitFixture.run(sealsSessionData: true) { fixture in
            let lease = try await Self.fill(fixture)
            func envelope(_ key: UInt8, _ previous: [UInt8] = []) throws -> SecretEnvelope {
                func bytes(_ byte: UInt8) -> SecretBytes { SecretBytes(Array(repeating: byte, count: 32)) }
                return try SecretEnvelope(
                    key: bytes(key), previous: previous.map(bytes), sealsSessionData: true)
            }
            func plaintext(_ envelope: SecretEnvelope) async throws -> [UInt8]? {
                try await PostgresDeviceStore(fixture.storage.database, envelope: envelope)
                    .retry(did: lease.did, chats: ["c"], messageID: "m")?.plaintext
            }
            #expect(try await plaintext(try envelope(7)) == Self.secret("retry"))
            #expect(try await plaintext(try envelope(8)) == nil)
            let rotating = try envelope(8, [7])
            _ = try await KeyRotation(pool: fixture.storage.database.system, envelope: rotating, batch: 2).run()
            #expect(try await plaintext(try envelope(8)) == Self.secret("retry"))
            #expect(try await plaintext(try envelope(7)) == nil)
        }
    }

    @Test("a QR or a pairing code that waits for a webhook is sealed, and whoever reads the event gets it whole")
    func codes() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let webhooks = WebhookRepository(fixture.storage.database, sealing: fixture.envelope)
            _ = try await webhooks.insert(
                WebhookChange(url: "http://127.0.0.1/"), secret: "s", tenant: fixture.tenant.id, did: lease.did,
                limit: 5)
            let types = ["connection.qr", "connection.pairing_code", "message.received"]
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.events = types.map { type in
                        DeviceEvent(
                            type: type, dedupeKey: type, data: Array(#"{"code":"a-code-of-\#(type)"}"#.utf8),
                            at: Timestamp(milliseconds: 1_700_000_000_123))
                    }
                })
            let dump = try await Self.dump(fixture)
            for type in types {
                let hex = Hex.encode(Array("a-code-of-\(type)".utf8))
                #expect(dump.contains(hex) == (type == "message.received"), "\(type)")
            }
            let events = try await webhooks.events(after: 0, tenant: fixture.tenant.id, did: lease.did, limit: 10)
            #expect(events.map(\.type) == types)
            for event in events {
                let text = String(decoding: event.body ?? [], as: UTF8.self)
                #expect(text.hasPrefix("{") && text.contains("a-code-of-\(event.type)"), "\(text)")
            }
        }
    }

    @Test("a value that no known key opens is counted and left alone")
    func unreadable() async throws {
        try await CommitFixture.run { fixture in
            _ = try await Self.fill(fixture)
            let stranger = try SecretEnvelope(key: SecretBytes(Array(repeating: 9, count: 32)))
            let rotation = KeyRotation(pool: fixture.storage.database.system, envelope: stranger, batch: 1)
            let before = try await Self.dump(fixture)
            let progress = try await rotation.run()
            #expect(progress.sealed == 0 && progress.unreadable > 5)
            #expect(try await rotation.fit() == .nothing)
            #expect(try await Self.dump(fixture) == before)
        }
    }
}

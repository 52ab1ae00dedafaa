import Cryptography
import Database
import Foundation
import Messaging
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import Storage

@Suite("Group commit: what is written is what is read")
struct CommitTests {
    @Test("credentials, prekeys and counters survive, sealed", arguments: [true, false])
    func credentials(sealsSessionData: Bool) async throws {
        try await CommitFixture.run(sealsSessionData: sealsSessionData) { fixture in
            let lease = try await fixture.device()
            var credentials = DeviceCredentials.sample()
            try await fixture.submit(ChangeSet(lease) { $0.credentials = .store(credentials) })
            #expect(try await fixture.store.credentials(did: lease.did) == credentials)
            credentials = .sample(jid: "155:7@s.whatsapp.net")
            credentials.previousSignedPreKey = credentials.signedPreKey
            credentials.account = AccountIdentity(
                details: [1], accountSignature: Array(repeating: 1, count: 64),
                accountSignatureKey: Array(repeating: 2, count: 32), deviceSignature: Array(repeating: 3, count: 64))
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.credentials = .paired(credentials)
                    set.device.status = .active
                    set.device.jid = credentials.jid
                    set.newPreKeys = (1...3).map {
                        PreKeyRow(
                            id: $0, privateKey: SecretBytes(Array(repeating: UInt8($0), count: 32)), uploaded: false)
                    }
                    set.nextPreKeyID = 20
                })
            credentials.nextPreKeyID = 20
            #expect(try await fixture.store.credentials(did: lease.did) == credentials)
            #expect(try await fixture.store.preKeysToUpload(did: lease.did, limit: 2).map(\.id) == [1, 2])
            #expect(try await Set(fixture.store.preKeys(did: lease.did, ids: [1, 2, 99]).keys) == [1, 2])
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.uploadedPreKeys = [1, 2, 3]
                    set.usedPreKeys = [2]
                })
            #expect(try await fixture.store.uploadedPreKeyCount(did: lease.did) == 2)
            #expect(try await fixture.store.preKey(did: lease.did, id: 2) == nil)
            #expect(try await fixture.store.preKey(did: lease.did, id: 3)?.bytes == Array(repeating: 3, count: 32))
            let plain: Int? = try await fixture.storage.scalar(
                "SELECT count(*) FROM sb.wa_credentials WHERE noise_key_enc = decode(repeat('01', 32), 'hex')")
            #expect(plain == 0)
            #expect(
                try await DeviceRepository(fixture.storage.database).overview(lease.deviceID)?.device.status == .active)
        }
    }

    @Test("a prekey that cannot be opened counts as used up and is kept aside")
    func unreadablePreKey() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let keys = (UInt32(1)...3).map {
                PreKeyRow(id: $0, privateKey: SecretBytes(Array(repeating: UInt8($0), count: 32)), uploaded: false)
            }
            try await fixture.submit(ChangeSet(lease) { $0.newPreKeys = keys })
            try await fixture.storage.script("UPDATE sb.signal_prekeys SET key_enc = '\\x00' WHERE key_id = 2")
            #expect(try await fixture.store.preKey(did: lease.did, id: 2) == nil)
            #expect(try await Set(fixture.store.preKeys(did: lease.did, ids: [1, 2, 3]).keys) == [1, 3])
            #expect(try await fixture.store.preKeysToUpload(did: lease.did, limit: 5).map(\.id) == [1, 3])
            let aside: String? = try await fixture.storage.scalar(
                "SELECT kind || ' ' || name FROM sb.signal_quarantine WHERE record = '\\x00'")
            #expect(aside == "prekey 2")
        }
    }

    @Test("what nobody waits for is stored with the next that somebody waits for, in one transaction and in its order")
    func patient() async throws {
        try await CommitFixture.run(options: CommitOptions(gathering: .seconds(3600))) { fixture in
            let (lease, other) = (try await fixture.device(), try await fixture.device())
            let first = try await fixture.submitPatiently(ChangeSet(lease) { $0.device.pushName = "first" })
            let second = try await fixture.submitPatiently(ChangeSet(other) { $0.device.pushName = "other" })
            try await fixture.submit(ChangeSet(lease) { $0.device.pushName = "second" })
            try await first.get()
            try await second.get()
            let batches: Int? = try await fixture.storage.scalar("SELECT max(batch)::int FROM sb.commit_positions")
            #expect(batches == 1)
            let names: String? = try await fixture.storage.scalar(
                "SELECT string_agg(push_name, ',' ORDER BY did) FROM sb.devices")
            #expect(names == "second,other")
        }
    }

    @Test("what nobody waits for is stored after a moment though nothing follows, and before the queue ends")
    func patientAlone() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            try await fixture.submitPatiently(ChangeSet(lease) { $0.device.pushName = "alone" }).get()
        }
        try await CommitFixture.run(options: CommitOptions(gathering: .seconds(3600))) { fixture in
            let lease = try await fixture.device()
            let stored = try await fixture.submitPatiently(ChangeSet(lease) { $0.device.pushName = "last" })
            try await fixture.commits.shutdown(timeout: .seconds(60))
            try await stored.get()
        }
    }

    @Test("sessions keep the newest image, their archive in order, and tombstones")
    func sessions() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            func archived(_ key: UInt8, _ byte: UInt8) -> ArchivedSessionState {
                ArchivedSessionState(baseKey: [key], record: [byte])
            }
            // Two images of one record in one batch: the second wins, the archive of both counts.
            let outcomes = try await fixture.submitTogether([
                ChangeSet(lease) {
                    $0.sessions = [SessionImage(address: "a:1", rev: 1, record: [1], archived: [archived(1, 1)])]
                },
                ChangeSet(lease) {
                    $0.sessions = [
                        SessionImage(address: "a:1", rev: 2, record: [2], archived: [archived(2, 2), archived(3, 3)])
                    ]
                },
            ])
            #expect(outcomes == [nil, nil])
            var stored = try await fixture.store.sessions(did: lease.did, addresses: ["a:1", "b:1"])
            #expect(
                stored == [
                    "a:1": StoredSession(
                        rev: 2, record: [2], archived: [archived(2, 2), archived(3, 3), archived(1, 1)])
                ])
            // An older image changes nothing; a promoted state leaves the archive.
            try await fixture.submit(
                ChangeSet(lease) { $0.sessions = [SessionImage(address: "a:1", rev: 1, record: [9])] })
            try await fixture.submit(
                ChangeSet(lease) {
                    $0.sessions = [
                        SessionImage(
                            address: "a:1", rev: 3, record: [4], archived: [archived(1, 7)], droppedArchive: [[3]])
                    ]
                })
            stored = try await fixture.store.sessions(did: lease.did, addresses: ["a:1"])
            #expect(stored["a:1"] == StoredSession(rev: 3, record: [4], archived: [archived(1, 7), archived(2, 2)]))
            // Deleted and made anew in one batch: nothing of the old archive is left.
            _ = try await fixture.submitTogether([
                ChangeSet(lease) { $0.sessions = [SessionImage(address: "a:1", rev: 4, record: nil)] },
                ChangeSet(lease) { $0.sessions = [SessionImage(address: "a:1", rev: 5, record: [5])] },
            ])
            stored = try await fixture.store.sessions(did: lease.did, addresses: ["a:1"])
            #expect(stored["a:1"] == StoredSession(rev: 5, record: [5], archived: []))
            try await fixture.submit(
                ChangeSet(lease) { $0.sessions = [SessionImage(address: "a:1", rev: 6, record: nil)] })
            #expect(try await fixture.store.sessions(did: lease.did, addresses: ["a:1"]).isEmpty)
        }
    }

    @Test("sender keys, marks, identities, users and groups")
    func signalRest() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let store = fixture.store
            let now = Timestamp(seconds: 1_700_000_000)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.senderKeys = [
                        SenderKeyImage(group: "g", sender: "a:1", rev: 1, record: [1]),
                        SenderKeyImage(group: "h", sender: "a:1", rev: 1, record: [2]),
                    ]
                    set.senderKeyMarks = [
                        SenderKeyMark(group: "g", address: "a:1", keyID: 1),
                        SenderKeyMark(group: "g", address: "b:1", keyID: 1),
                        SenderKeyMark(group: "h", address: "a:1", keyID: 4_000_000_000),
                    ]
                    set.identities = [IdentityRow(address: "a:1", identity: Array(repeating: 1, count: 32))]
                    set.sessions = [
                        SessionImage(address: "a_1:3", rev: 1, record: [1]),
                        SessionImage(address: "a:2", rev: 1, record: [1]),
                    ]
                    set.lidPairs = [LIDPair(lid: "l1", pn: "p1"), LIDPair(lid: "l2", pn: "p2")]
                    set.userDevices = [
                        UserDeviceList(
                            user: "u", devices: [0, 7, 99], hosted: [99], hash: "2:x", rawID: 4_000_000_000,
                            fetchedAt: now)
                    ]
                    set.privacyTokens = [PrivacyTokenRow(user: "u", token: [1], timestamp: 5, senderTimestamp: 6)]
                    set.contacts = [ContactUpdate(jid: "u", pushName: "Dana")]
                    set.groups = [GroupCacheRow(group: "g", info: Array(#"{"name": "a\u0000b"}"#.utf8), fetchedAt: now)]
                })
            #expect(try await store.senderKeys(did: lease.did, sender: "a:1").count == 2)
            #expect(try await store.addresses(did: lease.did, signalUser: "a") == ["a:1", "a:2"])
            #expect(try await store.senderKeyMarks(did: lease.did, group: "h").first?.keyID == 4_000_000_000)
            #expect(try await store.userDevices(did: lease.did, users: ["u"])["u"]?.devices == [0, 7, 99])
            #expect(try await store.group(did: lease.did, group: "g")?.info == Array(#"{"name": "a�b"}"#.utf8))
            // In one batch: marks made, removed and made again end as the last one says.
            _ = try await fixture.submitTogether([
                ChangeSet(lease) { $0.senderKeyMarks = [SenderKeyMark(group: "g", address: "c:1", keyID: 1)] },
                ChangeSet(lease) { $0.senderKeyMarkRemovals = [.group("g"), .device(group: "h", address: "a:1")] },
                ChangeSet(lease) { set in
                    set.senderKeyMarks = [SenderKeyMark(group: "g", address: "b:1", keyID: 2)]
                    set.senderKeys = [SenderKeyImage(group: "g", sender: "a:1", rev: 2, record: nil)]
                    set.identities = [IdentityRow(address: "a:1", identity: nil)]
                    set.lidPairs = [LIDPair(lid: "l1", pn: "p2")]
                    set.privacyTokens = [PrivacyTokenRow(user: "u", token: [2], timestamp: 4, senderTimestamp: nil)]
                    set.contacts = [ContactUpdate(jid: "u", businessName: "Shop")]
                    set.forgottenUserDevices = ["u"]
                },
            ])
            #expect(
                try await store.senderKeyMarks(did: lease.did, group: "g") == [
                    SenderKeyMark(group: "g", address: "b:1", keyID: 2)
                ])
            #expect(try await store.senderKeyMarks(did: lease.did, group: "h").isEmpty)
            #expect(try await store.senderKey(did: lease.did, group: "g", sender: "a:1") == nil)
            #expect(try await store.identities(did: lease.did, addresses: ["a:1"]).isEmpty)
            #expect(try await store.lids(did: lease.did, pns: ["p1", "p2"]) == ["p2": "l1"])
            #expect(try await store.pns(did: lease.did, lids: ["l1", "l2"]) == ["l1": "p2"])
            #expect(
                try await store.privacyToken(did: lease.did, user: "u")
                    == PrivacyTokenRow(user: "u", token: [1], timestamp: 5, senderTimestamp: 6))
            #expect(
                try await store.contact(did: lease.did, jid: "u")
                    == ContactUpdate(jid: "u", pushName: "Dana", businessName: "Shop"))
            #expect(try await store.userDevices(did: lease.did, users: ["u"]).isEmpty)
        }
    }

    @Test("messages are stored once, placeholders give way, states only rise, counters add up")
    func messages() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            let store = fixture.store
            let chat = "1@s.whatsapp.net"
            func message(_ id: String) async throws -> MessageRow? {
                try await store.message(did: lease.did, chat: chat, messageID: id)
            }
            _ = try await fixture.submitTogether([
                ChangeSet(lease) { set in
                    set.messages = [
                        .sample(id: "A", type: "undecryptable", body: nil),
                        .sample(id: "B", fromMe: true, status: .pending),
                    ]
                    set.chats = [
                        ChatUpdate(
                            chat: chat, kind: .user, lastMessage: ("A", Timestamp(seconds: 10)), unreadIncrement: 1)
                    ]
                    set.handledCiphertexts = [
                        HandledCiphertext(hash: Array(repeating: 1, count: 32), serverTimestamp: 1)
                    ]
                },
                ChangeSet(lease) { set in
                    set.messageUpdates = [MessageUpdate(chat: chat, messageID: "B", fromMe: true, status: .sent)]
                    set.chats = [
                        ChatUpdate(
                            chat: chat, kind: .user, lastMessage: ("B", Timestamp(seconds: 20)), unreadIncrement: 1)
                    ]
                },
                ChangeSet(lease) { set in
                    set.messageUpdates = [
                        MessageUpdate(
                            chat: chat, messageID: "B", fromMe: true, status: .failed,
                            serverTimestamp: Timestamp(seconds: 1_700_000_500))
                    ]
                },
            ])
            #expect(try await message("A")?.type == "undecryptable")
            #expect(try await message("B")?.status == .sent)
            #expect(try await message("B")?.timestamp.seconds == 1_700_000_500)
            #expect(try await store.isHandled(did: lease.did, ciphertextHash: Array(repeating: 1, count: 32)))
            // The retry brings the message with another time; a second copy changes nothing.
            try await fixture.submit(
                ChangeSet(lease) { $0.messages = [.sample(id: "A", at: 1_700_000_009, body: "real\0")] })
            try await fixture.submit(
                ChangeSet(lease) { $0.messages = [.sample(id: "A", at: 1_700_000_019, body: "copy")] })
            #expect(try await message("A")?.body == "real\u{FFFD}")
            let count: Int? = try await fixture.storage.scalar("SELECT count(*) FROM sb.messages")
            #expect(count == 2)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.messageUpdates = [
                        MessageUpdate(
                            chat: chat, messageID: "A", fromMe: false, author: ["1@lid", "1@s.whatsapp.net"],
                            edit: MessageEdit(body: "new", content: [1], at: Timestamp(seconds: 5))),
                        MessageUpdate(
                            chat: chat, messageID: "A", fromMe: false, author: ["2@s.whatsapp.net"],
                            edit: MessageEdit(body: "forged", content: [2], at: Timestamp(seconds: 6))),
                        MessageUpdate(
                            chat: chat, messageID: "A", fromMe: false, author: ["2@lid", "2@s.whatsapp.net"],
                            deletedAt: Timestamp(seconds: 7)),
                    ]
                    set.receipts = [
                        ReceiptRow(
                            chat: chat, messageID: "B", recipient: "2", kind: .delivered, at: Timestamp(seconds: 1)),
                        ReceiptRow(chat: chat, messageID: "B", recipient: "2", kind: .read, at: Timestamp(seconds: 2)),
                        ReceiptRow(
                            chat: chat, messageID: "B", recipient: "2", kind: .delivered, at: Timestamp(seconds: 3)),
                    ]
                    set.messageSecrets = [
                        MessageSecretRow(chat: chat, sender: "1", messageID: "A", secret: [1]),
                        MessageSecretRow(chat: chat, sender: "1", messageID: "A", secret: [2]),
                    ]
                    set.retries = [
                        RetryRow(
                            chat: chat, messageID: "B", plaintext: [1], sendBy: Timestamp(seconds: 9),
                            insertedAt: Timestamp(seconds: 8))
                    ]
                    set.chats = [
                        ChatUpdate(chat: chat, kind: .user, markRead: true, ephemeral: (86400, Timestamp(seconds: 3)))
                    ]
                    set.jobs = [JobRow(kind: .historySync, key: "k", payload: [1], createdAt: Timestamp(seconds: 1))]
                    set.idempotency = [.begin(key: "i", requestHash: [1])]
                })
            #expect(try await message("A")?.body == "new")
            #expect(try await store.messageSecret(did: lease.did, chat: chat, sender: "1", messageID: "A") == [1])
            #expect(try await store.unsettledSends(did: lease.did, limit: 10).map(\.messageID) == ["B"])
            #expect(try await store.ephemeralSeconds(did: lease.did, chat: chat) == 86400)
            let delivered: Timestamp? = try await fixture.storage.scalar("SELECT delivered_at FROM sb.message_receipts")
            #expect(delivered == Timestamp(seconds: 1))
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.settledSends = [MessageName(chat: chat, messageID: "B")]
                    set.idempotency = [.finish(key: "i", answer: StoredAnswer(code: 200, body: [7]))]
                    set.chats = [ChatUpdate(chat: chat, kind: .user, unreadIncrement: 3)]
                })
            #expect(try await store.unsettledSends(did: lease.did, limit: 10).isEmpty)
            #expect(try await store.retry(did: lease.did, chats: ["x", chat], messageID: "B")?.plaintext == [1])
            let unread: Int? = try await fixture.storage.scalar("SELECT unread_count FROM sb.chats")
            #expect(unread == 3)
            let last: String? = try await fixture.storage.scalar("SELECT last_message_id FROM sb.chats")
            #expect(last == "B")
            let scope = DeviceScope(tenantID: fixture.tenant.id, did: lease.did)
            #expect(
                try await IdempotencyRepository(fixture.storage.database).state(scope, key: "i")
                    == .done(requestHash: [1], answer: StoredAnswer(code: 200, body: [7])))
        }
    }

    @Test("logging out erases keys and keeps messages; pairing another number erases what belonged to the old one")
    func eraseAndRenumber() async throws {
        try await CommitFixture.run { fixture in
            let lease = try await fixture.device()
            func count(_ table: String) async throws -> Int? {
                try await fixture.storage.scalar("SELECT count(*) FROM sb.\(table) WHERE did = \(lease.did)")
            }
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.credentials = .paired(.sample(jid: "155:7@s.whatsapp.net"))
                    set.device.jid = "155:7@s.whatsapp.net"
                    set.sessions = [SessionImage(address: "a:1", rev: 1, record: [1])]
                    set.messages = [.sample(id: "A")]
                    set.contacts = [ContactUpdate(jid: "u", pushName: "x")]
                })
            // A session written before the erasure in the same batch must not outlive it.
            _ = try await fixture.submitTogether([
                ChangeSet(lease) { $0.sessions = [SessionImage(address: "b:1", rev: 2, record: [1])] },
                ChangeSet(lease) { set in
                    set.credentials = .erase
                    set.device.status = .loggedOut
                    set.device.wish = .stopped
                },
            ])
            #expect(try await count("signal_sessions") == 0)
            #expect(try await count("wa_credentials") == 0)
            #expect(try await count("messages") == 1)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.credentials = .paired(.sample(jid: "155:9@s.whatsapp.net"))
                    set.device.jid = "155:9@s.whatsapp.net"
                })
            #expect(try await count("messages") == 1)
            try await fixture.submit(
                ChangeSet(lease) { set in
                    set.credentials = .paired(.sample(jid: "166:1@s.whatsapp.net"))
                    set.device.jid = "166:1@s.whatsapp.net"
                })
            #expect(try await count("messages") == 0)
            #expect(try await count("contacts") == 0)
        }
    }
}

import Cryptography
import Sandbox
import Testing
import Transport

@Suite("Prekeys, device lists and profiles of the sandbox server")
struct KeyServerTests {
    private static func fetch(_ client: ScriptedClient, _ jid: JID) async throws -> Stanza? {
        let answer = try await client.query(
            "get", "encrypt", Stanza("key", children: [Stanza("user", ["jid": .jid(jid), "reason": "identity"])]))
        guard let list = answer.child("list") else { throw TestFailure("no list: \(answer)") }
        return list.child("user")
    }

    @Test(
        "keys are handed out once, oldest first; below ten the owner is told once; without one the bundle still comes")
    func fetchAndRefill() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let reader = try await sandbox.online(one)
            let owner = try await sandbox.online(two, keys: 12)
            let lid = try #require(two.lid)
            for number in 1...12 {
                let user = try #require(try await Self.fetch(reader, lid))
                #expect(user.attributes["jid"] == .jid(lid))
                #expect(user.child("key", "id")?.bytesContent == [0, 0, UInt8(number)])
                #expect(user.child("key", "value")?.bytesContent == two.oneTimePreKeys[number - 1].publicKey.raw)
                #expect(user.child("device-identity") != nil)
            }
            let notice = try await owner.next("count") { $0["type"] == "encrypt" }
            #expect(notice.child("count")?["value"] == "9" && notice.attributes["from"] == .jid(.serverJID))
            #expect(await owner.pending.contains { $0["type"] == "encrypt" } == false)
            let dry = try #require(try await Self.fetch(reader, lid))
            #expect(dry.child("key") == nil && dry.child("skey", "signature")?.bytesContent?.count == 64)
            #expect(try await Self.fetch(reader, lid.device(7)) == nil)
            let phone = try #require(try await Self.fetch(reader, lid.bare))
            #expect(phone.child("key") != nil && phone.child("device-identity") == nil)
        }
    }

    @Test("the digest is that of the stored keys; a foreign identity or a bad signature is refused with 406")
    func digestAndValidation() async throws {
        try await TestSandbox.with { sandbox in
            let companion = try await sandbox.pair(try await sandbox.account("12025550100"))
            let client = try await sandbox.online(companion, keys: 5)
            let digest = try #require(try await client.query("get", "encrypt", Stanza("digest")).child("digest"))
            #expect(digest.child("list")?.children("id").count == 5)
            let input =
                companion.identity.publicKey.raw + companion.signedPreKey.publicKey.raw
                + (digest.child("skey", "signature")?.bytesContent ?? [])
                + companion.oneTimePreKeys.flatMap(\.publicKey.raw)
            #expect(digest.child("hash")?.bytesContent == SHA1Digest.hash(input))

            try await client.send(
                Stanza(
                    "iq", ["id": "bad", "type": "set", "xmlns": "encrypt", "to": .jid(.serverJID)],
                    children: Companion().upload(count: 1)))
            #expect(try await client.next("refusal") { $0.id == "bad" }.child("error")?["code"] == "406")
            let rotated = try await client.query(
                "set", "encrypt",
                Stanza(
                    "rotate",
                    children: [
                        Stanza(
                            "skey",
                            children: [
                                Stanza("id", bytes: [0, 0, 2]),
                                Stanza("value", bytes: KeyPair.generate().publicKey.raw),
                                Stanza("signature", bytes: Bytes(repeating: 1, count: 64)),
                            ])
                    ]))
            #expect(rotated.child("error")?["code"] == "406")
        }
    }

    @Test("a device list is answered in the space it was asked in, and its readers hear of changes in that space")
    func deviceLists() async throws {
        try await TestSandbox.with { sandbox in
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(bob)
            let reader = try await sandbox.online(one)
            func devices(_ jid: JID) async throws -> Stanza {
                let answer = try await reader.query(
                    "get", "usync",
                    Stanza(
                        "usync", ["sid": "1", "mode": "query", "last": "true", "index": "0", "context": "message"],
                        children: [
                            Stanza("query", children: [Stanza("devices", ["version": "2"]), Stanza("lid")]),
                            Stanza("list", children: [Stanza("user", ["jid": .jid(jid)])]),
                        ]))
                return try #require(answer.child("usync", "list")?.child("user"))
            }
            let byPN = try await devices(bob.pn)
            #expect(byPN.attributes["jid"] == .jid(bob.pn))
            #expect(byPN.child("lid")?.attributes["val"] == .jid(bob.lidJID))
            let byLID = try await devices(bob.lidJID)
            #expect(byLID.attributes["jid"] == .jid(bob.lidJID) && byLID.child("lid") == nil)
            let list = try #require(byLID.child("devices", "device-list"))
            #expect(list.children("device").compactMap(\.id) == ["0", "1"])
            #expect(list.children("device")[1]["key-index"] == "1")
            #expect(byLID.child("devices", "key-index-list")?.bytesContent?.isEmpty == false)

            let three = try await sandbox.pair(bob)
            let notices = try await [
                reader.next("devices") { $0["type"] == "devices" }, reader.next("devices") { $0["type"] == "devices" },
            ]
            let lidNotice = try #require(notices.first { $0.from == bob.lidJID })
            let pnNotice = try #require(notices.first { $0.from == bob.pn })
            #expect(lidNotice["lid"] == nil && lidNotice.child("add", "device")?.jid("jid") == three.lid)
            #expect(lidNotice.child("add")?["device_lid_hash"] == nil)
            #expect(pnNotice.jid("lid") == bob.lidJID && pnNotice.child("add", "device")?.jid("lid") == three.lid)
            let hash = try await devices(bob.lidJID).child("devices", "device-list")?["hash"]
            #expect(lidNotice.child("add")?["device_hash"] == hash)
            #expect(pnNotice.child("add")?["device_lid_hash"] == hash)
            _ = two
        }
    }

    @Test("is-on-WhatsApp echoes the number and tells in, out and invalid apart, in the wanted space")
    func contacts() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let client = try await sandbox.online(try await sandbox.pair(ada))
            func ask(_ text: String, lid: Bool) async throws -> Stanza {
                let answer = try await client.query(
                    "get", "usync",
                    Stanza(
                        "usync", ["sid": "1", "mode": "query", "last": "true", "index": "0", "context": "interactive"],
                        children: [
                            Stanza("query", children: [Stanza("contact", lid ? ["addressing_mode": "lid"] : [:])]),
                            Stanza(
                                "list",
                                children: [Stanza("user", children: [Stanza("contact", bytes: Bytes(text.utf8))])]),
                        ]))
                return try #require(answer.child("usync", "list")?.child("user"))
            }
            let known = try await ask("+12025550100@c.us", lid: true)
            #expect(known.attributes["jid"] == .jid(ada.lidJID) && known.attributes["pn_jid"] == .jid(ada.pn))
            #expect(known.child("contact")?["type"] == "in")
            #expect(known.child("contact")?.bytesContent == Bytes("+12025550100@c.us".utf8))
            let plain = try await ask("+12025550100", lid: false)
            #expect(plain.attributes["jid"] == .jid(ada.pn))
            let unknown = try await ask("+12025550177@c.us", lid: true)
            #expect(unknown["jid"] == nil && unknown.jid("pn_jid") == .user("12025550177"))
            #expect(unknown.child("contact")?["type"] == "out")
            #expect(try await ask("+0", lid: false).child("contact")?["type"] == "invalid")
        }
    }

    @Test("presence goes to available subscribers, in the space they asked in; chat states to the other party")
    func presence() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let subject = try await sandbox.online(one)
            let watcher = try await sandbox.online(two)
            try await watcher.send(Stanza("presence", ["type": "available", "name": "Bob"]))
            try await watcher.send(Stanza("presence", ["type": "subscribe", "to": .jid(ada.lidJID)]))
            let now = try await watcher.next("presence") { $0.tag == "presence" }
            #expect(now.attributes["from"] == .jid(ada.lidJID) && now["type"] == "unavailable")
            try await subject.send(Stanza("presence", ["type": "available", "name": "Countess"]))
            #expect(try await watcher.next("presence") { $0.tag == "presence" }["type"] == nil)
            #expect(await ada.pushName == "Countess")
            try await subject.send(
                Stanza("chatstate", ["to": .jid(try #require(two.jid?.bare))], children: [Stanza("composing")]))
            let typing = try await watcher.next("chatstate") { $0.tag == "chatstate" }
            #expect(typing.attributes["from"] == .jid(ada.pn) && typing.child("composing") != nil)
            await subject.drop()
            let gone = try await watcher.next("presence") { $0.tag == "presence" }
            #expect(gone["type"] == "unavailable" && gone.int("last") != nil)
        }
    }
}

import Cryptography
import Sandbox
import Testing
import Transport

@Suite("Messages, receipts and queues through the sandbox server")
struct RelayServerTests {
    private static func devices(_ companion: Companion, lid: Bool = true) -> [JID] {
        let jid = lid ? companion.lid : companion.jid
        return [jid?.bare, jid].compactMap(\.self)
    }

    @Test(
        "a direct message reaches phone and companion of the other side, and the sender's own phone, each with its enc")
    func direct() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let everybody = Self.devices(two) + [try #require(one.lid?.bare)]
            let ack = try await sender.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: everybody))
            #expect(ack["class"] == "message" && ack.from == two.lid?.bare)
            #expect(ack["error"] == nil && ack["phash"] == nil)

            let copy = try await receiver.next("message") { $0.tag == "message" }
            #expect(copy.attributes["from"] == .jid(try #require(one.lid)))
            #expect(copy.attributes["sender_pn"] == .jid(.user("12025550100")))
            #expect(copy["t"] == ack["t"] && copy["notify"] == "User 0100" && copy["addressing_mode"] == "lid")
            #expect(copy.children("enc").map(\.bytesContent) == [[1, 2, 3, 1]])
            #expect(copy.child("participants") == nil)

            let own = try #require(await sandbox.phone.stanzas("message", for: ada).first)
            #expect(own.jid("recipient") == two.lid?.bare && own.jid("peer_recipient_pn") == .user("12025550101"))
            #expect(own["sender_pn"] == nil && own["sender_lid"] == nil)
            #expect(own.child("enc")?.bytesContent == [1, 2, 3, 0])
            #expect(await sandbox.phone.stanzas("message", for: bob).count == 1)

            try await receiver.send(copy.deliveryReceipt)
            let receipt = try await sender.next("receipt") { $0.tag == "receipt" }
            #expect(receipt.attributes["from"] == .jid(try #require(two.lid?.bare)))
            #expect(receipt.id == "M1" && receipt["type"] == nil && receipt.int("t") != nil)
            _ = try await receiver.next("ack of the receipt") { $0.tag == "ack" && $0["class"] == "receipt" }
            #expect(await bob.device(1)?.queueLength == 0)
        }
    }

    @Test("a message in PN space is delivered in PN space with the sender's LID beside it")
    func phoneNumberSpace() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            _ = try await sender.sendForAck(
                .message("M1", to: try #require(two.jid?.bare), devices: Self.devices(two, lid: false)))
            let copy = try await receiver.next("message") { $0.tag == "message" }
            #expect(copy.attributes["from"] == .jid(try #require(one.jid)))
            #expect(copy.attributes["sender_lid"] == .jid(try #require(one.lid?.bare)))
            let mixed = try await sender.sendForAck(
                .message("M2", to: try #require(two.jid?.bare), devices: Self.devices(two)))
            #expect(mixed["error"] == "400")
        }
    }

    @Test("a message that misses a device is acked with the right phash")
    func phash() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let ack = try await sender.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: [try #require(two.lid)]))
            #expect(ack["phash"]?.hasPrefix("2:") == true)
            #expect(ack["phash"]?.utf8.count == 10)
        }
    }

    @Test("the same bytes again get the same ack and are not delivered twice, the same id with other bytes is")
    func duplicates() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let message = Stanza.message("M1", to: try #require(two.lid?.bare), devices: Self.devices(two))
            let first = try await sender.sendForAck(message)
            await sender.drop()
            let again = try await sandbox.online(one, keys: 0)
            #expect(try await again.sendForAck(message) == first)
            _ = try await again.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: Self.devices(two), body: [9]))
            _ = try await receiver.next("first copy") { $0.tag == "message" }
            let second = try await receiver.next("second copy") { $0.tag == "message" }
            #expect(second.child("enc")?.bytesContent == [9, 1])
            #expect(await receiver.pending.filter { $0.tag == "message" }.isEmpty)
        }
    }

    @Test("1 000 queued messages come in order with preview, offline numbers and marker, and stay until acknowledged")
    func offlineQueue() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let bob = try await sandbox.account("12025550101")
            let two = try await sandbox.pair(bob)
            let sender = try await sandbox.online(one)
            for number in 0..<1000 {
                try await sender.send(
                    .message("M\(number)", to: try #require(two.lid?.bare), devices: [try #require(two.lid)]))
            }
            _ = try await sender.next("last ack") { $0.tag == "ack" && $0.id == "M999" }

            for round in 0..<2 {
                let receiver = try await sandbox.login(two)
                let preview = try await receiver.next("preview") { $0.child("offline_preview") != nil }
                #expect(preview.child("offline_preview")?["count"] == "1000")
                #expect(preview.child("offline_preview")?["message"] == "1000")
                #expect(await receiver.pending.contains { $0.tag == "message" } == false)
                let marker = try await sandbox.activate(receiver)
                #expect(marker.child("offline")?["count"] == "1000")
                let messages = await receiver.pending.filter { $0.tag == "message" }
                #expect(messages.compactMap(\.id) == (0..<1000).map { "M\($0)" })
                #expect(messages.compactMap { $0.int("offline") } == Array(0..<1000))
                if round == 1 {
                    for message in messages { try await receiver.send(message.deliveryReceipt) }
                    _ = try await receiver.next("last ack") { $0.tag == "ack" && $0.id == "M999" }
                    #expect(await bob.device(1)?.queueLength == 0)
                }
                await receiver.drop()
            }
        }
    }

    @Test("nothing is delivered before active, except after five seconds")
    func passive() async throws {
        for limit in [3_600_000, 1] {
            try await TestSandbox.with({ $0.settings.passiveLimit = limit }) { sandbox in
                let one = try await sandbox.pair(try await sandbox.account("12025550100"))
                let bob = try await sandbox.account("12025550101")
                let two = try await sandbox.pair(bob)
                let sender = try await sandbox.online(one)
                let to = try #require(two.lid)
                _ = try await sender.sendForAck(.message("M1", to: to.bare, devices: [to]))
                let receiver = try await sandbox.login(two)
                if limit == 1 {
                    #expect(try await receiver.next("message") { $0.tag == "message" }["offline"] == "0")
                    _ = try await receiver.next("marker") { $0.child("offline") != nil }
                } else {
                    _ = try await receiver.query("get", "w:p")
                    #expect(await receiver.pending.contains { $0.tag == "message" } == false)
                    #expect(await bob.device(1)?.isActive == false)
                }
            }
        }
    }

    @Test("a retry receipt goes to the sending device alone, the resend to the asking device alone")
    func retry() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let one = try await sandbox.pair(ada)
            let idle = try await sandbox.pair(ada)
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let sender = try await sandbox.online(one)
            let bystander = try await sandbox.online(idle)
            let receiver = try await sandbox.online(two)
            _ = try await sender.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: [try #require(two.lid)]))
            _ = try await receiver.next("message") { $0.tag == "message" }
            try await receiver.send(
                Stanza(
                    "receipt", ["id": "M1", "type": "retry", "to": .jid(try #require(one.lid))],
                    children: [
                        Stanza("retry", ["count": "1", "id": "M1", "t": "1", "v": "1"]),
                        Stanza("registration", bytes: [0, 0, 0x12, 0x34]),
                    ]))
            let request = try await sender.next("retry") { $0["type"] == "retry" }
            #expect(request.attributes["from"] == .jid(try #require(two.lid)))
            #expect(request.child("retry")?["count"] == "1" && request.child("registration") != nil)
            try await sender.send(
                Stanza(
                    "message",
                    [
                        "id": "M1", "to": .jid(try #require(two.lid)), "type": "text", "device_fanout": "false",
                    ], children: [Stanza("enc", ["v": "2", "type": "pkmsg", "count": "1"], bytes: [7])]))
            let resent = try await receiver.next("resend") { $0.tag == "message" }
            #expect(resent.child("enc")?["count"] == "1" && resent["sender_pn"] != nil)
            #expect(await bystander.pending.contains { $0.tag == "receipt" || $0.tag == "message" } == false)
        }
    }

    @Test("read goes to the author and to the reader's other devices, read-self only to the latter")
    func readReceipts() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let bob = try await sandbox.account("12025550101")
            let two = try await sandbox.pair(bob)
            let sibling = try await sandbox.pair(bob)
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let other = try await sandbox.online(sibling)
            _ = try await sender.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: [try #require(two.lid)]))
            func read(_ type: String) -> Stanza {
                Stanza(
                    "receipt", ["id": "M1", "type": .text(type), "to": .jid(one.lid?.bare ?? .serverJID), "t": "5"],
                    children: [Stanza("list", children: [Stanza("item", ["id": "M0"])])])
            }
            _ = try await receiver.sendForAck(read("read"))
            let atAuthor = try await sender.next("read") { $0["type"] == "read" }
            #expect(atAuthor.from == two.lid?.bare)
            #expect(atAuthor.child("list")?.children("item").compactMap(\.id) == ["M0"])
            let atSibling = try await other.next("own read") { $0["type"] == "read" }
            #expect(atSibling.from == two.lid?.bare && atSibling.jid("recipient") == one.lid?.bare)
            _ = try await receiver.sendForAck(read("read-self"))
            _ = try await other.next("read-self") { $0["type"] == "read-self" }
            #expect(await sender.pending.contains { $0["type"] == "read-self" } == false)
        }
    }

    @Test("a group message reaches every device of every member, pairwise enc first; others are refused")
    func group() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let eve = try await sandbox.account("12025550102")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            let three = try await sandbox.pair(eve)
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let outsider = try await sandbox.online(three)
            let id = await sandbox.world.createGroup(creator: ada, subject: "Tea", participants: [bob.pn]).group.jid
            let created = try await receiver.next("create") { $0.child("create") != nil }
            #expect(created.attributes["from"] == .jid(id) && created["type"] == "w:gp2")
            #expect(created.child("create", "group")?.attributes["id"] == .text(id.user))

            let info = try await receiver.query("get", "w:g2", to: id, Stanza("query", ["request": "interactive"]))
            #expect(info.child("group")?.children("participant").count == 2)
            #expect(info.child("group", "member_add_mode")?.content == .bytes(Array("all_member_add".utf8)))
            let forbidden = try await outsider.query("get", "w:g2", to: id, Stanza("query"))
            #expect(forbidden.child("error")?["code"] == "403")
            let joined = try await receiver.query(
                "get", "w:g2", to: .groupServer, Stanza("participating", children: [Stanza("participants")]))
            #expect(joined.child("groups")?.children("group").count == 1)

            let key = Stanza("enc", ["v": "2", "type": "pkmsg"], bytes: [4])
            let message = Stanza(
                "message",
                ["id": "G1", "to": .jid(id), "type": "text", "addressing_mode": "lid", "phash": "2:AAAAAAAA"],
                children: [
                    Stanza("enc", ["v": "2", "type": "skmsg"], bytes: [5]),
                    Stanza(
                        "participants", children: [Stanza("to", ["jid": .jid(try #require(two.lid))], children: [key])]),
                    Stanza("device-identity", bytes: [6]),
                ])
            let ack = try await sender.sendForAck(message)
            #expect(ack["error"] == nil && ack["phash"]?.hasPrefix("2:") == true && ack["phash"] != "2:AAAAAAAA")
            let copy = try await receiver.next("group message") { $0.tag == "message" }
            #expect(copy.children("enc").compactMap { $0["type"] } == ["pkmsg", "skmsg"])
            #expect(copy.attributes["participant"] == .jid(try #require(one.lid)))
            #expect(copy.attributes["participant_pn"] == .jid(.user("12025550100")))
            #expect(copy.child("device-identity") != nil)
            let atPhone = try #require(await sandbox.phone.stanzas("message", for: bob).last)
            #expect(atPhone.children("enc").compactMap { $0["type"] } == ["skmsg"])
            #expect(atPhone.child("device-identity") == nil)

            var foreign = message
            foreign["id"] = "G2"
            #expect(try await outsider.sendForAck(foreign)["error"] == "403")
            try await receiver.send(copy.deliveryReceipt)
            let receipt = try await sender.next("group receipt") { $0.tag == "receipt" }
            #expect(receipt.from == id && receipt.jid("participant") == two.lid?.bare)
        }
    }

    @Test("the result of a group change precedes its notification on the asking connection")
    func resultFirst() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let client = try await sandbox.online(try await sandbox.pair(ada))
            try await client.send(
                Stanza(
                    "iq", ["id": "new", "type": "set", "xmlns": "w:g2", "to": .jid(.groupServer)],
                    children: [
                        Stanza(
                            "create", ["subject": "Tea", "key": "K"],
                            children: [
                                Stanza("participant", ["jid": .jid(bob.lidJID)]),
                                Stanza("participant", ["jid": .jid(.user("19995550000"))]),
                            ])
                    ]))
            let first = try await client.next("first stanza") { _ in true }
            #expect(first.id == "new" && first.type == "result")
            let group = try #require(first.child("group"))
            #expect(group["key"] == "K" && group["jid"] == nil)
            #expect(group.children("participant").compactMap { $0["error"] } == ["404"])
            let notice = try await client.next("create") { $0.child("create") != nil }
            #expect(notice.child("create")?["key"] == "K" && notice.child("create")?["type"] == "new")
            #expect(notice.child("create", "group")?.children("participant").count == 2)
            #expect(await sandbox.phone.stanzas("notification", for: bob).count == 1)
        }
    }

    @Test("a blocked sender gets an ack and the message is dropped")
    func blocked() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            let sender = try await sandbox.online(one)
            let receiver = try await sandbox.online(two)
            let list = try await receiver.query(
                "set", "blocklist", Stanza("item", ["jid": .jid(ada.lidJID), "action": "block"]))
            #expect(list.child("list")?.children("item").count == 1)
            let ack = try await sender.sendForAck(
                .message("M1", to: try #require(two.lid?.bare), devices: Self.devices(two)))
            #expect(ack["error"] == nil)
            #expect(try await receiver.query("get", "w:p").type == "result")
            #expect(await receiver.pending.contains { $0.tag == "message" } == false)
        }
    }
}

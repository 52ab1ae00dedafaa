import Cryptography
import Sandbox
import Testing
import Transport

@Suite("Accounts, identity and permission to write")
struct AccountServerTests {
    @Test("an account that registers again loses its companions, and those who knew it are told in both spaces")
    func reregister() async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            let lost = try await sandbox.online(one)
            let friend = try await sandbox.online(two)
            _ = try await friend.sendForAck(.message("M1", to: ada.lidJID, devices: [try #require(one.lid)]))
            let before = await ada.identity.publicKey
            try await SandboxActor.run { try sandbox.world.reregister(ada) }
            #expect(await ada.identity.publicKey != before)
            #expect(try await lost.next("401") { $0.tag == "stream:error" }["code"] == "401")
            var from: Set<JID> = []
            for _ in 0..<2 {
                let notice = try await friend.next("identity") { $0.child("identity") != nil }
                from.insert(notice.from ?? .serverJID)
            }
            #expect(from == [ada.pn, ada.lidJID])
            let bundle = try await friend.query(
                "get", "encrypt", Stanza("key", children: [Stanza("user", ["jid": .jid(ada.lidJID)])]))
            let current = await ada.identity.publicKey.raw
            #expect(bundle.child("list", "user")?.child("identity")?.bytesContent == current)
        }
    }

    @Test("questions about standing and catalogues have answers; an unknown operation has errors and is reported")
    func smallQueries() async throws {
        try await TestSandbox.with { sandbox in
            let client = try await sandbox.online(try await sandbox.pair(try await sandbox.account("12025550100")))
            func ask(_ id: String) async throws -> JSONValue {
                let answer = try await client.query(
                    "get", "w:mex", Stanza("query", ["query_id": .text(id)], bytes: Array(#"{"variables":{}}"#.utf8)))
                return JSONValue.parse(answer.child("result")?.bytesContent ?? []) ?? .null
            }
            let lock = try await ask("23983697327930364")["data"]?["xwa2_fetch_account_reachout_timelock"]
            #expect(lock?["is_active"] == false && lock?["enforcement_type"] == "DEFAULT")
            let capping = try await ask("24503548349331633")["data"]?["xwa2_message_capping_info"]
            #expect(capping?["capping_status"] == "NONE")
            let unknown = try await ask("1")["errors"]?.arrayValue?.first
            #expect(unknown?["extensions"]?["error_code"] == 400)
            let catalog = try await client.query("get", "w:biz:catalog", Stanza("product_catalog"))
            #expect(catalog.child("product_catalog", "paging") != nil)
            let edit = try await client.query("set", "w:biz:catalog", Stanza("product_catalog_add"))
            #expect(edit.child("error")?["code"] == "501")
        }
    }

    @Test("in strict mode a first message needs a token or an earlier message of the other side, else 463")
    func tokens() async throws {
        try await TestSandbox.with({ $0.settings.strictTokens = true }) { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            let adas = try await sandbox.online(one)
            let bobs = try await sandbox.online(two)
            let bare = Stanza.message("M1", to: bob.lidJID, devices: [try #require(two.lid)])
            #expect(try await adas.sendForAck(bare)["error"] == "463")
            let now = await sandbox.world.clock.seconds
            let issued = try await bobs.query(
                "set", "privacy",
                Stanza(
                    "tokens",
                    children: [Stanza("token", ["jid": .jid(ada.lidJID), "t": .int(now), "type": "trusted_contact"])]))
            #expect(issued.type == "result")
            let notice = try await adas.next("token") { $0["type"] == "privacy_token" }
            #expect(notice.from == bob.pn && notice.jid("sender_lid") == bob.lidJID)
            let token = try #require(notice.child("tokens", "token")?.bytesContent)
            var allowed = Stanza.message("M2", to: bob.lidJID, devices: [try #require(two.lid)])
            allowed.content = .children(allowed.childrenContent + [Stanza("tctoken", bytes: token)])
            #expect(try await adas.sendForAck(allowed)["error"] == nil)
            let copy = try await bobs.next("message") { $0.tag == "message" }
            #expect(copy.child("tctoken") == nil)
            #expect(
                try await bobs.sendForAck(.message("M3", to: ada.lidJID, devices: [try #require(one.lid)]))["error"]
                    == nil)
        }
    }

    @Test("a status post reaches the named users' devices as from the status feed")
    func status() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let two = try await sandbox.pair(try await sandbox.account("12025550101"))
            let poster = try await sandbox.online(one)
            let viewer = try await sandbox.online(two)
            let post = Stanza(
                "message", ["id": "S1", "to": .jid(.status), "type": "text"],
                children: [
                    Stanza(
                        "participants",
                        children: [
                            Stanza(
                                "to", ["jid": .jid(try #require(two.jid))],
                                children: [Stanza("enc", ["v": "2", "type": "msg"], bytes: [1])])
                        ]),
                    Stanza("enc", ["v": "2", "type": "skmsg"], bytes: [2]),
                ])
            #expect(try await poster.sendForAck(post)["error"] == nil)
            let copy = try await viewer.next("status") { $0.tag == "message" }
            #expect(copy.attributes["from"] == .jid(.status) && copy.jid("participant") == one.lid)
            #expect(copy.children("enc").compactMap { $0["type"] } == ["msg", "skmsg"])
        }
    }

    @Test("a call is passed to the other party's devices and acked")
    func call() async throws {
        try await TestSandbox.with { sandbox in
            let one = try await sandbox.pair(try await sandbox.account("12025550100"))
            let bob = try await sandbox.account("12025550101")
            let client = try await sandbox.online(one)
            let ack = try await client.sendForAck(
                Stanza(
                    "call", ["id": "C1", "from": .jid(try #require(one.lid?.bare)), "to": .jid(bob.lidJID)],
                    children: [Stanza("reject", ["call-id": "X", "call-creator": .jid(bob.lidJID), "count": "0"])]))
            #expect(ack["class"] == "call" && ack["type"] == "reject")
            #expect(await sandbox.phone.stanzas("call", for: bob).first?.child("reject")?["call-id"] == "X")
        }
    }
}

import Sandbox
import Testing
import Transport

@Suite("Groups: links, invites, requests, communities, pictures")
struct GroupInviteTests {
    /// Ada's and Bob's companions, both online.
    private struct Pair {
        let ada: Account
        let bob: Account
        let one: ScriptedClient
        let two: ScriptedClient
        let world: World

        func query(_ client: ScriptedClient, _ type: String, _ to: JID, _ child: Stanza) async throws -> Stanza {
            try await client.query(type, "w:g2", to: to, child)
        }
    }

    private func with(_ body: (Pair) async throws -> Void) async throws {
        try await TestSandbox.with { sandbox in
            let ada = try await sandbox.account("12025550100")
            let bob = try await sandbox.account("12025550101")
            let one = try await sandbox.pair(ada)
            let two = try await sandbox.pair(bob)
            try await body(
                Pair(
                    ada: ada, bob: bob, one: try await sandbox.online(one), two: try await sandbox.online(two),
                    world: sandbox.world))
        }
    }

    private func create(_ pair: Pair, _ children: [Stanza] = [], subject: String = "Group") async throws -> JID {
        let answer = try await pair.query(
            pair.one, "set", .groupServer, Stanza("create", ["subject": .text(subject)], children: children))
        let id = try #require(answer.child("group")?["id"])
        _ = try await pair.one.next("create") { $0.child("create") != nil && $0.from == .group(id) }
        return .group(id)
    }

    private func notice(_ client: ScriptedClient, _ tag: String, _ group: JID) async throws -> Stanza {
        let stanza = try await client.next(tag) { $0.from == group && $0.child(tag) != nil }
        return try #require(stanza.child(tag))
    }

    private func code(_ answer: Stanza) -> Int? { answer.child("error")?.int("code") }

    @Test("a link previews and joins; reset, it is gone; a removed member does not come back by it")
    func link() async throws {
        try await with { pair in
            let group = try await create(pair)
            let invite = try await pair.query(pair.one, "get", group, Stanza("invite"))
            let link = try #require(invite.child("invite")?["code"])
            #expect(link.count == 22)
            #expect(code(try await pair.query(pair.two, "get", group, Stanza("invite"))) == 403)
            let preview = try await pair.query(pair.two, "get", .groupServer, Stanza("invite", ["code": .text(link)]))
            #expect(preview.child("group")?["subject"] == "Group" && preview.child("group")?["size"] == "1")
            let joined = try await pair.query(pair.two, "set", .groupServer, Stanza("invite", ["code": .text(link)]))
            #expect(joined.child("group")?.jid("jid") == group)
            #expect(try await notice(pair.one, "add", group)["reason"] == "invite")
            #expect(try await notice(pair.two, "create", group)["reason"] == "invite")
            #expect(
                code(try await pair.query(pair.two, "set", .groupServer, Stanza("invite", ["code": .text(link)])))
                    == 304)
            #expect(code(try await pair.query(pair.two, "get", group, Stanza("invite"))) == 401)

            _ = try await pair.query(
                pair.one, "set", group,
                Stanza("remove", children: [Stanza("participant", ["jid": .jid(pair.bob.lidJID)])]))
            #expect(
                code(try await pair.query(pair.two, "set", .groupServer, Stanza("invite", ["code": .text(link)])))
                    == 405)
            let reset = try await pair.query(pair.one, "set", group, Stanza("invite"))
            #expect(reset.child("invite")?["code"] != link)
            #expect(try await notice(pair.one, "invite", group)["code"] == reset.child("invite")?["code"])
            #expect(
                code(try await pair.query(pair.two, "get", .groupServer, Stanza("invite", ["code": .text(link)])))
                    == 410)
            #expect(
                code(try await pair.query(pair.two, "get", .groupServer, Stanza("invite", ["code": "short"]))) == 406)
        }
    }

    @Test("with approval on, a link files a request that an admin sees, approves or rejects")
    func approval() async throws {
        try await with { pair in
            let group = try await create(
                pair, [Stanza("membership_approval_mode", children: [Stanza("group_join", ["state": "on"])])])
            let invite = try await pair.query(pair.one, "get", group, Stanza("invite"))
            let link = Stanza("invite", ["code": invite.child("invite")?.attributes["code"]])
            for verb in ["reject", "approve"] {
                let filed = try await pair.query(pair.two, "set", .groupServer, link)
                #expect(filed.child("membership_approval_request")?.jid("jid") == group)
                let told = try await notice(pair.one, "created_membership_requests", group)
                #expect(told["request_method"] == "invite_link")
                #expect(told.child("requested_user")?.jid("jid") == pair.bob.lidJID)
                let list = try await pair.query(pair.one, "get", group, Stanza("membership_approval_requests"))
                let requests = list.child("membership_approval_requests")?.children("membership_approval_request")
                #expect(requests?.map { $0.jid("jid") } == [pair.bob.lidJID])
                let acted = try await pair.query(
                    pair.one, "set", group,
                    Stanza(
                        "membership_requests_action",
                        children: [
                            Stanza(verb, children: [Stanza("participant", ["jid": .jid(pair.bob.lidJID)])])
                        ]))
                let node = acted.child("membership_requests_action", verb)?.child("participant")
                #expect(node?.jid("jid") == pair.bob.lidJID && node?["error"] == nil)
            }
            #expect(try await notice(pair.two, "revoked_membership_requests", group).child("participant") != nil)
            #expect(try await notice(pair.two, "create", group)["reason"] == "invite")
            let list = try await pair.query(pair.one, "get", group, Stanza("membership_approval_requests"))
            #expect(list.child("membership_approval_requests")?.childrenContent.isEmpty == true)
        }
    }

    @Test("who may not be added gets a personal invite, which lets exactly them in, once")
    func personalInvite() async throws {
        try await with { pair in
            try await pair.world.setPrivacy("groupadd", "none", of: pair.bob, by: nil)
            let group = try await create(pair)
            let added = try await pair.query(
                pair.one, "set", group,
                Stanza("add", children: [Stanza("participant", ["jid": .jid(pair.bob.lidJID)])]))
            let refused = try #require(added.child("add")?.child("participant"))
            #expect(refused["error"] == "403")
            let offer = try #require(refused.child("add_request"))
            let attributes: StanzaAttributes = [
                "code": offer.attributes["code"], "expiration": offer.attributes["expiration"],
                "admin": .jid(pair.ada.lidJID),
            ]
            let preview = try await pair.query(
                pair.two, "get", group,
                Stanza("query", children: [Stanza("add_request", attributes)]))
            #expect(preview.child("group")?["subject"] == "Group")
            let accepted = try await pair.query(pair.two, "set", group, Stanza("accept", attributes))
            #expect(accepted.type == "result")
            #expect(try await notice(pair.one, "add", group)["reason"] == "accept")
            _ = try await pair.query(
                pair.two, "set", .groupServer,
                Stanza("leave", children: [Stanza("group", ["id": .jid(group)])]))
            #expect(code(try await pair.query(pair.two, "set", group, Stanza("accept", attributes))) == 404)
        }
    }

    @Test("a community has an announcement group; groups are linked to it and unlinked, and everybody hears of it")
    func community() async throws {
        try await with { pair in
            let community = try await create(
                pair, [Stanza("parent", ["default_membership_approval_mode": "request_required"])], subject: "Town")
            let first = try await pair.query(pair.one, "get", community, Stanza("sub_groups"))
            let announcements = try #require(first.child("sub_groups")?.child("group"))
            #expect(announcements["subject"] == "Town" && announcements.child("default_sub_group") != nil)
            let group = try await create(
                pair, [Stanza("participant", ["jid": .jid(pair.bob.lidJID)])], subject: "Street")
            let linked = try await pair.query(
                pair.one, "set", community,
                Stanza(
                    "links",
                    children: [
                        Stanza(
                            "link", ["link_type": "sub_group"], children: [Stanza("group", ["jid": .jid(group)])])
                    ]))
            #expect(linked.child("links", "link")?.child("group")?["error"] == nil)
            #expect(try await notice(pair.two, "link", group)["link_type"] == "parent_group")
            let info = try await pair.query(pair.two, "get", group, Stanza("query", ["request": "interactive"]))
            #expect(info.child("group", "linked_parent")?.jid("jid") == community)
            let people = try await pair.query(pair.two, "get", community, Stanza("linked_groups_participants"))
            #expect(people.child("linked_groups_participants")?.children("participant").count == 2)
            let unlinked = try await pair.query(
                pair.one, "set", community,
                Stanza(
                    "unlink", ["unlink_type": "sub_group"], children: [Stanza("group", ["jid": .jid(group)])]))
            #expect(unlinked.child("unlink")?.child("group")?["error"] == nil)
            #expect(try await notice(pair.two, "unlink", group)["unlink_reason"] == "unlink_group")
            let rest = try await pair.query(pair.one, "get", community, Stanza("sub_groups"))
            #expect(rest.child("sub_groups")?.children("group").count == 1)
            let within = try await pair.query(
                pair.one, "set", .groupServer,
                Stanza(
                    "create", ["subject": "Lane"],
                    children: [
                        Stanza("participant", ["jid": .jid(pair.bob.lidJID)]),
                        Stanza("linked_parent", ["jid": .jid(community)]),
                    ]))
            let lane = JID.group(try #require(within.child("group")?["id"]))
            #expect(within.child("group", "linked_parent")?.jid("jid") == community)
            let told = try await notice(pair.two, "create", lane)
            #expect(told.child("group", "linked_parent")?.jid("jid") == community)
            #expect(try await notice(pair.two, "link", lane)["link_type"] == "parent_group")
        }
    }

    @Test("a group's picture is set by a member, told to all, and fetched; no JPEG is refused")
    func picture() async throws {
        try await with { pair in
            let group = try await create(pair, [Stanza("participant", ["jid": .jid(pair.bob.lidJID)])])
            func set(_ bytes: [UInt8]) async throws -> Stanza {
                try await pair.two.query(
                    "set", "w:profile:picture", Stanza("picture", ["type": "image"], bytes: bytes),
                    attributes: ["target": .jid(group)])
            }
            #expect(code(try await set([1, 2, 3])) == 406)
            let id = try #require(try await set([0xFF, 0xD8, 0xFF, 1]).child("picture")?["id"])
            let told = try await pair.one.next("picture") { $0.type == "picture" && $0.from == group }
            #expect(told.child("set")?["id"] == id && told.child("set")?.jid("author") == pair.bob.lidJID)
            let fetched = try await pair.one.query(
                "get", "w:profile:picture", Stanza("picture", ["query": "url", "type": "image"]),
                attributes: ["target": .jid(group)])
            #expect(fetched.child("picture")?["id"] == id)
            #expect(fetched.child("picture")?["direct_path"]?.hasPrefix("/v/") == true)
        }
    }
}

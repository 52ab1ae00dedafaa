import TestSupport
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Which stanza makes which event (11-webhooks, section 9). What the events hold is looked at where webhooks are.
@Suite("Events of what comes in", .timeLimit(.minutes(3)))
struct EventEmissionTests {
    private static let group = JID.group("120363040000000001")

    /// The first event of this name, once it is stored.
    private func event(_ type: String, on bench: Bench) async throws -> JSON {
        try await bench.until(type) { !bench.events(type).isEmpty }
        return try JSON(try #require(bench.events(type).first).data)
    }

    private func key(_ id: String, fromMe: Bool) -> ProtoMessage {
        MessageKey(chat: Bench.lid.bare, fromMe: fromMe, messageID: id).protobuf
    }

    /// A message of `phone` in its own chat, receipted.
    private func deliver(
        _ id: String, _ message: ProtoMessage, from phone: FakeDevice, on bench: Bench,
        extra: StanzaAttributes = [:]
    ) async throws {
        bench.server.deliver(
            bench.message(id, from: phone, encs: [try phone.encrypt(message, to: Bench.lid)], extra: extra))
        _ = try await bench.server.stanza("receipt for \(id)") { $0.tag == "receipt" && $0.id == id }
    }

    private func phone(on bench: Bench) throws -> FakeDevice {
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        return phone
    }

    @Test("a file, a poll, a vote, a reaction and a deletion have events of their own")
    func contents() async throws {
        let bench = try await Bench.ready()
        let phone = try phone(on: bench)
        let image = ProtoMessage(.message) { message in
            message.update("imageMessage") { image in
                image[string: "mimetype"] = "image/jpeg"
                image[string: "caption"] = "the harbour"
            }
        }
        try await deliver("M1", image, from: phone, on: bench)
        let media = try await event("media.received", on: bench)
        #expect(media["message_id"].string == "M1" && media["media_type"].string == "image")
        #expect(media["chat"].string == "15550001111@s.whatsapp.net" && media["caption"].string == "the harbour")

        let poll = try ProtoMessage(
            .message,
            json: #"""
                {"pollCreationMessageV3":{"name":"Lunch?","selectableOptionsCount":1,
                  "options":[{"optionName":"Soup"},{"optionName":"Salad"}]}}
                """#)
        try await deliver("M2", poll, from: phone, on: bench)
        let created = try await event("poll.created", on: bench)
        #expect(created["message_id"].string == "M2" && created["poll_name"].string == "Lunch?")
        #expect(created["options"].array.map(\.string) == ["Soup", "Salad"] && created["options_count"].int == 2)

        let vote = ProtoMessage(.message) { message in
            message.update("pollUpdateMessage") { update in
                update[message: "pollCreationMessageKey"] = key("M2", fromMe: true)
                update.update("vote") { vote in
                    vote[bytes: "encPayload"] = [UInt8](repeating: 1, count: 40)
                    vote[bytes: "encIV"] = [UInt8](repeating: 2, count: 12)
                }
            }
        }
        try await deliver("M3", vote, from: phone, on: bench)
        for type in ["poll.vote", "poll.update"] {
            let voted = try await event(type, on: bench)
            #expect(voted["message_id"].string == "M3" && voted["poll_id"].string == "M2", "\(type)")
            #expect(voted["voter"].string == "15550001111@s.whatsapp.net", "\(type)")
        }

        let reaction = ProtoMessage(.message) { message in
            message.update("reactionMessage") { reaction in
                reaction[message: "key"] = key("M1", fromMe: true)
                reaction[string: "text"] = "👍"
            }
        }
        try await deliver("M4", reaction, from: phone, on: bench)
        let reacted = try await event("message.reaction", on: bench)
        #expect(reacted["message_id"].string == "M1" && reacted["emoji"].string == "👍")

        try await deliver("M5", revocation(of: "M1"), from: phone, on: bench, extra: ["edit": "7"])
        let deleted = try await event("message.deleted", on: bench)
        #expect(deleted["message_id"].string == "M1")
        #expect(deleted["deleted_by"].string == "15550001111@s.whatsapp.net")
        #expect(bench.events("status.deleted").isEmpty && bench.events("status.posted").isEmpty)
    }

    private func revocation(of id: String) -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("protocolMessage") { body in
                body[int: "type"] = 0
                body[message: "key"] = key(id, fromMe: true)
            }
        }
    }

    @Test("a status post, its deletion, and somebody who saw one of ours")
    func status() async throws {
        let bench = try await Bench.ready()
        let phone = try phone(on: bench)
        let status = try #require(JID("status@broadcast"))
        let stanza: StanzaAttributes = [
            "from": .jid(status), "participant": .jid(phone.jid), "participant_pn": "15550001111@s.whatsapp.net",
        ]
        try await deliver("S1", conversation("Back on Monday"), from: phone, on: bench, extra: stanza)
        let posted = try await event("status.posted", on: bench)
        #expect(posted["message_id"].string == "S1" && posted["from"].string == "15550001111@s.whatsapp.net")
        try await deliver("S2", revocation(of: "S1"), from: phone, on: bench, extra: stanza.merging(["edit": "7"]))
        #expect(try await event("status.deleted", on: bench)["message_id"].string == "S1")
        #expect(bench.events("status.posted").count == 1, "a deletion is no post")
        bench.server.deliver(
            Stanza("receipt", stanza.merging(["id": "OWN1", "t": "1767323060", "type": "read"])))
        let viewed = try await event("status.viewed", on: bench)
        #expect(viewed["message_id"].string == "OWN1" && viewed["sender"].string == "15550001111@s.whatsapp.net")
        #expect(try await event("message.read", on: bench)["message_id"].string == "OWN1")
    }

    @Test("a voice message that was played, and a name that changed")
    func people() async throws {
        let bench = try await Bench.ready()
        let phone = try phone(on: bench)
        bench.server.deliver(
            Stanza("receipt", ["id": "V1", "from": .jid(phone.jid), "t": "1767323060", "type": "played"]))
        let played = try await event("message.played", on: bench)
        #expect(played["message_id"].string == "V1" && played["timestamp"].int == 1_767_323_060)
        try await deliver("M1", conversation("one"), from: phone, on: bench)
        try await deliver("M2", conversation("two"), from: phone, on: bench, extra: ["notify": "Dana Fox"])
        let renamed = try await event("pushname.update", on: bench)
        #expect(renamed["old"].string == "Dana" && renamed["new"].string == "Dana Fox")
        #expect(bench.events("pushname.update").count == 1)
    }

    private func notify(_ change: Stanza, id: String, on bench: Bench) {
        bench.server.deliver(
            Stanza(
                "notification",
                [
                    "id": .text(id), "from": .jid(Self.group), "t": "1767323050", "type": "w:gp2",
                    "participant": "222333444555666@lid", "participant_pn": "15550001111@s.whatsapp.net",
                ], children: [change]))
    }

    @Test("a group that one is put into, that changes, and that one is taken out of")
    func groups() async throws {
        let bench = try await Bench.ready()
        let own = Stanza("participant", ["jid": .jid(Bench.lid.bare)])
        let info = Stanza(
            "group", ["id": .text(Self.group.user), "subject": "Friends", "addressing_mode": "lid"], children: [own])
        notify(Stanza("create", ["reason": "invite", "type": "new"], children: [info]), id: "G1", on: bench)
        let joined = try await event("group.join", on: bench)
        #expect(joined["group_jid"].string == Self.group.description && joined["reason"].string == "invite")
        #expect(joined["sender"].string == "222333444555666@lid")
        #expect(joined["sender_pn"].string == "15550001111@s.whatsapp.net")
        #expect(bench.events("group.info_update").isEmpty)
        notify(Stanza("subject", ["subject": "Old friends"]), id: "G2", on: bench)
        let changed = try await event("group.info_update", on: bench)
        #expect(changed["name"].string == "Old friends" && changed["timestamp"].int == 1_767_323_050)
        notify(Stanza("remove", ["reason": "kicked"], children: [own]), id: "G3", on: bench)
        let left = try await event("group.leave", on: bench)
        #expect(left["group_jid"].string == Self.group.description && left["reason"].string == "kicked")
        let members = try await event("group.participant_update", on: bench)
        #expect(members["leave"].array.map(\.string) == [Bench.lid.bare.description])
    }

    @Test("a stream error of an unknown code, and a phone that cannot link")
    func connection() async throws {
        let bench = try await Bench.ready()
        bench.server.deliver(
            Stanza("ib", ["from": .jid(.serverJID)], children: [Stanza("downgrade_webclient")]))
        #expect(try await event("connection.qr_scanned_without_multidevice", on: bench).keys == ["jid"])
        bench.server.deliver(Stanza("stream:error", ["code": "599"]))
        #expect(try await event("connection.stream_error", on: bench)["code"].string == "599")
    }
}

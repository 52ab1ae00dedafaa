import Cryptography
import Sandbox
import Testing
import Transport

@Suite @SandboxActor struct PhoneMessagingTests {
    @Test("two phones talk, and each sent message ends as delivered and then as read")
    func conversation() async throws {
        let home = try PhoneWorld()
        let ada = try home.phone("12025550100")
        let bob = try home.phone("12025550101") { $0.read = true }
        let first = try ada.send(.text("hello"), to: .user("12025550101"))
        #expect(first.error == nil)
        await home.settle()
        #expect(bob.received == ["hello"])
        #expect(ada.sent.map(\.status) == [.read])
        _ = try bob.send(.text("and hello to you"), to: .user("12025550100"))
        _ = try bob.send(.text("how are you?"), to: .user("12025550100"))
        await home.settle()
        #expect(ada.received == ["and hello to you", "how are you?"])
        #expect(bob.sent.map(\.status) == [.delivered, .delivered])
        #expect(home.events(.phoneDecryptFailed).isEmpty)
        #expect(home.events(.violation).isEmpty)
    }

    @Test("an echoing phone answers with the same text, and two of them do not answer each other for ever")
    func echo() async throws {
        let home = try PhoneWorld()
        let ada = try home.phone("12025550100")
        let bob = try home.phone("12025550101") { $0.echo = true }
        try home.phone("12025550102") { $0.echo = true }
        _ = try ada.send(.text("ping"), to: .user("12025550101"))
        await home.settle()
        #expect(ada.received == ["ping"])
        _ = try bob.send(.text("loop?"), to: .user("12025550102"))
        await home.settle()
        #expect(bob.received == ["ping"])
    }

    @Test("edits, reactions and revokes change the message they are about, at both ends")
    func changes() async throws {
        let home = try PhoneWorld()
        let ada = try home.phone("12025550100")
        let bob = try home.phone("12025550101")
        let chat = JID.user("12025550101")
        let id = try ada.send(.text("frist"), to: chat).id
        await home.settle()
        _ = try ada.send(.edit(id, in: chat, content: .text("first"), time: 1), to: chat)
        _ = try bob.send(
            .reaction("👍", to: id, in: .user("12025550100"), fromMe: false, participant: nil, time: 2),
            to: .user("12025550100"))
        await home.settle()
        let adaLID = try home.world.account(named: "12025550100").lidJID
        let bobLID = try home.world.account(named: "12025550101").lidJID
        let atBob = try #require(bob.log.message(id, in: adaLID))
        #expect(atBob.edited.map { MessageContent($0).text } == "first")
        let atAda = try #require(ada.log.message(id, in: bobLID))
        #expect(atAda.reactions == [bobLID.description: "👍"])
        _ = try ada.send(.revoke(id, in: chat, fromMe: true, participant: nil), to: chat)
        await home.settle()
        #expect(bob.log.message(id, in: adaLID)?.isRevoked == true)
        #expect(ada.log.message(id, in: bobLID)?.isRevoked == true)
    }

    @Test("a group shares one sender key, and a removed member cannot read what comes after")
    func group() async throws {
        let home = try PhoneWorld()
        let ada = try home.phone("12025550100")
        let bob = try home.phone("12025550101")
        let eve = try home.phone("12025550102")
        let world = home.world
        let (group, _) = world.createGroup(
            creator: try world.account(named: "12025550100"), subject: "Three",
            participants: [.user("12025550101"), .user("12025550102")])
        _ = try ada.send(.text("one"), to: group.jid)
        _ = try ada.send(.text("two"), to: group.jid)
        _ = try eve.send(.text("three"), to: group.jid)
        await home.settle()
        #expect(bob.received == ["one", "two", "three"])
        #expect(eve.received == ["one", "two"])
        #expect(ada.received == ["three"])
        world.removeParticipants([.user("12025550102")], from: group, by: nil)
        _ = try ada.send(.text("four"), to: group.jid)
        await home.settle()
        #expect(bob.received == ["one", "two", "three", "four"])
        #expect(eve.received == ["one", "two"])
        #expect(try eve.send(.text("five"), to: group.jid).error == 403)
        #expect(home.events(.phoneDecryptFailed).isEmpty)
    }

    @Test("a restarted world goes on with the sessions, sender keys and messages its phones had")
    func restart() async throws {
        let store = MemoryStore()
        let group: JID
        do {
            let home = try PhoneWorld(store: store)
            let ada = try home.phone("12025550100")
            try home.phone("12025550101")
            group =
                home.world.createGroup(
                    creator: try home.world.account(named: "12025550100"), subject: "Two",
                    participants: [.user("12025550101")]
                ).group.jid
            _ = try ada.send(.text("before"), to: .user("12025550101"))
            _ = try ada.send(.text("in the group"), to: group)
            await home.settle()
        }
        let home = try PhoneWorld(store: store)
        home.world.load()
        let ada = home.phones.phone(of: try home.world.account(named: "12025550100"))
        let bob = home.phones.phone(of: try home.world.account(named: "12025550101"))
        #expect(bob.received == ["before", "in the group"])
        _ = try bob.send(.text("after"), to: .user("12025550100"))
        _ = try ada.send(.text("still here"), to: .user("12025550101"))
        _ = try ada.send(.text("still in the group"), to: group)
        await home.settle()
        #expect(ada.received == ["after"])
        #expect(bob.received == ["before", "in the group", "still here", "still in the group"])
        #expect(home.events(.phoneDecryptFailed).isEmpty)
    }

    @Test("equal seeds give equal worlds, whose stores are the same to the byte")
    func determinism() async throws {
        func run(_ seed: String) async throws -> [String: Bytes] {
            let store = MemoryStore()
            let home = try PhoneWorld(seed: seed, store: store)
            let ada = try home.phone("12025550100")
            try home.phone("12025550101") { $0.echo = true }
            _ = try ada.send(.text("hello"), to: .user("12025550101"))
            await home.settle()
            return Dictionary(store.all(under: "").map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        }
        let first = try await run("seed")
        let second = try await run("seed")
        #expect(Set(second.keys) == Set(first.keys))
        #expect(second.filter { $0.value != first[$0.key] }.keys.sorted() == [])
        #expect(try await run("other") != first)
    }

    @Test("what cannot be sent is refused with its reason")
    func refusals() throws {
        let home = try PhoneWorld()
        let ada = try home.phone("12025550100")
        #expect(throws: PhoneError.unknownRecipient("999@s.whatsapp.net")) {
            try ada.send(.text("x"), to: .user("999"))
        }
        #expect(throws: PhoneError.unknownGroup("120363000000000000@g.us")) {
            try ada.send(.text("x"), to: .group("120363000000000000"))
        }
        #expect(throws: PhoneError.unsupportedDestination("status@broadcast")) {
            try ada.send(.text("x"), to: .status)
        }
    }

    @Test("padding is 1 to 15 equal bytes, and any other tail is refused")
    func padding() {
        for byte in UInt8.min...UInt8.max {
            let padded = MessagePadding.pad([1, 2, 3], random: byte)
            #expect(MessagePadding.unpad(padded) == [1, 2, 3])
            #expect((4...18).contains(padded.count))
        }
        for broken in [[], [0], [1, 2, 3, 2], [17, 17], [Bytes.Element](repeating: 17, count: 17)] as [Bytes] {
            #expect(MessagePadding.unpad(broken) == nil)
        }
    }
}

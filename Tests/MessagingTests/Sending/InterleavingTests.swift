import Cryptography
import Signal
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Much at once on the same records (03-signal, section 17, invariants 23 and 24).
@Suite("Interleaved use of sessions", .timeLimit(.minutes(10)))
struct InterleavingTests {
    private static let rounds = 84
    private static let each = 40

    @Test("10,000 sends, receives and retries beside each other on one address lose no update: every counter is new")
    func oneAddress() async throws {
        let bench = try await Bench.ready()
        let phone = bench.contact()
        try phone.start(with: Bench.lid, bundle: try bench.bundle())
        var highest: [String: UInt32] = [:]
        var chains = 0
        var asked: [String] = []
        var received = 0
        for round in 0..<Self.rounds {
            for number in 0..<Self.each {
                let enc = try phone.encrypt(conversation("in \(round) \(number)"), to: Bench.lid)
                bench.server.deliver(bench.message("I\(round).\(number)", from: phone, encs: [enc]))
                if asked.indices.contains(number) { bench.server.deliver(Self.retry(of: asked[number], from: phone)) }
            }
            let (session, chat) = (bench.session, phone.jid.description)
            let sent = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<Self.each {
                    group.addTask {
                        try await session.sendText(TextMessage(chat: chat, text: "out \(round) \(number)")).messageID
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let retries = asked.count
            try await bench.until("everything of round \(round) is answered") {
                let log = bench.server.sent
                return log.count { $0.tag == "receipt" } == Self.each
                    && log.count { $0.tag == "ack" && $0["class"] == "receipt" } == retries
            }
            let frames = bench.server.sent.filter { $0.tag == "message" }
            #expect(frames.count == Self.each + retries)
            for frame in frames {
                let enc = try #require(Self.copy(of: frame, for: phone))
                let message = try Self.signalMessage(enc)
                let chain = message.ratchetKey.description
                if let before = highest[chain] { #expect(message.counter > before) } else { chains += 1 }
                highest[chain] = message.counter
                let text = try phone.decrypt(enc, from: Bench.lid)[string: "conversation"]
                #expect(text?.hasPrefix("out ") == true)
            }
            asked = sent
            bench.server.clearLog()
            received += bench.device.messages.count { !$0.fromMe }
            // What the store in memory would search through, again and again.
            bench.store.edit(1) { device in
                (device.messages, device.events) = ([], [])
                device.retries = device.retries.filter { sent.contains($0.key.messageID) }
            }
        }
        // Both sides went on with fresh ratchet keys all the time.
        #expect(chains >= Self.rounds)
        #expect(received == Self.rounds * Self.each)
    }

    @Test("fan-outs to the same devices in opposite order, at once and to devices without sessions, all come to an end")
    func oppositeOrders() async throws {
        let bench = try await Bench.ready()
        let members = (0..<24).map { bench.contact("1555000\(1000 + $0)", lid: "90000000000\(1000 + $0)") }
        let groups = [JID.group("120363040000000001"), JID.group("120363040000000002")]
        for (group, members) in zip(groups, [members, members.reversed()]) {
            var participants = members.map { Stanza("participant", ["jid": .jid($0.jid.bare)]) }
            participants.append(
                Stanza(
                    "participant",
                    ["jid": .jid(Bench.lid.bare), "phone_number": .jid(Bench.pn.bare), "type": "admin"]))
            bench.server.world.groups[group] = Stanza(
                "group",
                [
                    "id": .text(group.user), "subject": "Friends", "creation": "1700000000", "addressing_mode": "lid",
                    "size": .int(participants.count),
                ], children: participants)
        }
        let session = bench.session
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for number in 0..<20 {
                let chat = groups[number % 2].description
                tasks.addTask { _ = try await session.sendText(TextMessage(chat: chat, text: "\(number)")) }
            }
            try await tasks.waitForAll()
        }
        let frames = bench.server.sent.filter { $0.tag == "message" }
        #expect(frames.count == 20)
        for frame in frames {
            let group = try #require(frame.jid("to"))
            for member in members {
                if let enc = Self.copy(of: frame, for: member) {
                    try member.learnSenderKey(try member.decrypt(enc, from: Bench.lid), group: group, from: Bench.lid)
                }
                let enc = try #require(frame.child("enc"))
                _ = try member.decryptGroup(enc, group: group, from: Bench.lid)
            }
        }
    }

    private static func retry(of id: String, from phone: FakeDevice) -> Stanza {
        Stanza(
            "receipt", ["id": .text(id), "from": .jid(phone.jid), "t": "1767323050", "type": "retry"],
            children: [
                Stanza("retry", ["count": "1", "id": .text(id), "t": "1767323045", "v": "1"]),
                Stanza("registration", bytes: bigEndian(phone.registrationID, 4)),
            ])
    }

    /// The copy for one device: of a fan-out, or of a resend to it alone.
    private static func copy(of frame: Stanza, for device: FakeDevice) -> Stanza? {
        guard let participants = frame.child("participants") else {
            return frame.child("enc").flatMap { $0.type == "skmsg" ? nil : $0 }
        }
        return participants.children("to").first { $0.jid("jid") == device.jid }?.child("enc")
    }

    private static func signalMessage(_ enc: Stanza) throws -> SignalMessage {
        let bytes = try #require(enc.bytesContent)
        return enc.type == "pkmsg"
            ? try PreKeySignalMessage(parsing: bytes).message : try SignalMessage(parsing: bytes)
    }
}

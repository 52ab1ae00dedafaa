import Cryptography
import OrderedCollections
import Testing
import Transport
import WhatsAppProtobuf

@testable import Sandbox

@Suite("History: chunks, files, requests")
struct HistoryTests {
    private func notification(_ plaintext: Bytes) throws -> ProtoFields {
        try #require(ProtoFields(lenient: plaintext).message(12)?.message(6))
    }

    /// The `HistorySync` inside of stored zlib blocks.
    private func inflate(_ data: Bytes) -> Bytes {
        var result = Bytes()
        var position = 2
        while position + 5 <= data.count {
            let isLast = data[position] == 1
            let count = Int(data[position + 1]) | Int(data[position + 2]) << 8
            result += data[(position + 5)..<(position + 5 + count)]
            position += 5 + count
            if isLast { break }
        }
        return result
    }

    private func seed(_ phone: Phone, _ chat: JID, count: Int) async {
        for number in 0..<count {
            _ = await phone.remember(
                PhoneMessage(
                    sequence: 0, id: "S\(number)", chat: chat, sender: chat, direction: .incoming,
                    time: 1_700_000_000 + Int64(number), pushName: nil, content: .text("\(number)")))
        }
    }

    @Test("older messages come in chunks of the set size, with rising progress, beyond those of the first chunk")
    func chunks() async throws {
        try await LinkedSandbox.with({
            $0.settings.historyChunkMessages = 15
            $0.settings.historyInlining = .bootstrap
        }) { home in
            let account = try await home.world.createAccount(AccountDraft(phone: "12025550100"))
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            await seed(home.phones.phone(of: account), bob.lidJID, count: 60)
            let (companion, client) = try await home.link(to: account)
            var seen: [(type: UInt64, order: UInt64, progress: UInt64, messages: Int)] = []
            while seen.count < 6 {
                let message = try await home.message(companion, client, "history")
                guard let node = ProtoFields(lenient: message.plaintext).message(12)?.message(6) else { continue }
                let content: Bytes
                if let inline = node.bytes(11) {
                    #expect(node.uint(6) == 0)
                    content = inflate(inline)
                } else {
                    let path = try #require(node.string(5))
                    let file = try #require(await home.world.mediaBytes(atPath: path))
                    #expect(node.bytes(4) == SHA256Digest.hash(file))
                    let cipher = MediaCipher(key: try #require(node.bytes(3)), info: "WhatsApp History Keys")
                    let plain = try cipher.decrypt(file)
                    #expect(node.bytes(1) == SHA256Digest.hash(plain))
                    content = inflate(plain)
                }
                let history = try ProtoFields(content)
                #expect(history.uint(1) == node.uint(6))
                seen.append(
                    (
                        node.uint(6) ?? 99, node.uint(7) ?? 0, node.uint(9) ?? 0,
                        history.messages(2).reduce(0) { $0 + $1.messages(2).count }
                    ))
            }
            #expect(seen.map(\.type) == [0, 4, 5, 3, 3, 3])
            #expect(seen.map(\.order) == [1, 1, 1, 1, 2, 3])
            #expect(seen.map(\.progress) == [100, 100, 100, 33, 66, 100])
            #expect(seen.map(\.messages) == [20, 0, 0, 15, 15, 10])
        }
    }

    @Test("a companion asks for what is before its oldest message, and for a lost chunk again")
    func onDemand() async throws {
        try await LinkedSandbox.with { home in
            let (companion, client, account) = try await home.link("12025550100")
            let bob = try await home.world.createAccount(AccountDraft(phone: "12025550101"))
            let phone = await home.phones.phone(of: account)
            await seed(phone, bob.lidJID, count: 10)
            let device = try #require(await account.devices[1])
            var request = ProtoWriter()
            request.string(1, bob.pn.description)
            request.string(2, "S6")
            request.varint(4, 4)
            let fields = try ProtoFields(request.bytes)
            try await phone.answerHistoryOnDemand(fields, id: "ASKED", to: device)
            let answer = try await home.message(companion, client, "on demand") { stanza in
                stanza["category"] == "peer"
            }
            var plaintext = answer.plaintext
            while try notificationType(plaintext) != 6 {
                plaintext = try await home.message(companion, client, "on demand").plaintext
            }
            let node = try notification(plaintext)
            #expect(node.string(8) == "ASKED")
            let history = try ProtoFields(inflate(try #require(node.bytes(11))))
            let conversation = try #require(history.messages(2).first)
            let ids = conversation.messages(2).compactMap { $0.message(1)?.message(1)?.string(3) }
            #expect(ids == ["S5", "S4", "S3", "S2"])
            #expect(conversation.uint(11) == 2)

            let lost = try #require(await phone.sentHistory.first { $0.value.type == .onDemand }?.key)
            try await client.send(
                Stanza(
                    "receipt",
                    [
                        "id": .text(lost), "to": .jid(account.pn), "type": "server-error", "category": "peer",
                    ]))
            let again = try notification(try await home.message(companion, client, "again").plaintext)
            #expect(again.uint(6) == 6 && again.string(8) == lost)
        }
    }

    private func notificationType(_ plaintext: Bytes) throws -> UInt64? {
        ProtoFields(lenient: plaintext).message(12)?.message(6)?.uint(6)
    }
}

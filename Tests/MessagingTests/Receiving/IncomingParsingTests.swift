import Testing
import Transport

@testable import Messaging

@Suite("Who wrote where, and what receipts say")
struct IncomingParsingTests {
    private let own = OwnAddresses(pn: Bench.pn, lid: Bench.lid)
    private let now = Timestamp(seconds: 1_767_323_045)

    private func info(_ attributes: StanzaAttributes) -> MessageInfo? {
        let base: StanzaAttributes = ["id": "M1", "t": "1767323045", "type": "text"]
        return MessageInfo(Stanza("message", base.merging(attributes)), own: own)
    }

    @Test("a person's message belongs to their chat; the other address takes the sender's device")
    func person() throws {
        let message = try #require(info(["from": "222:3@lid", "sender_pn": "15550001111@s.whatsapp.net"]))
        #expect(message.chat == .lid("222") && message.sender == .lid("222", device: 3) && !message.isFromMe)
        #expect(message.senderAlternative == .user("15550001111", device: 3))
        #expect(message.senderPair == LIDPair(lid: "222", pn: "15550001111"))
    }

    @Test("hosted devices are their person's devices")
    func hosted() throws {
        let message = try #require(info(["from": "15550001111:99@hosted"]))
        #expect(message.chat == .user("15550001111") && message.sender == .user("15550001111", device: 99))
    }

    @Test("an own copy belongs to the chat it names, under either own address")
    func ownCopy() throws {
        for from in [Bench.pn.bare, Bench.lid.device(9)] {
            let message = try #require(
                info([
                    "from": .jid(from), "recipient": "222@lid", "peer_recipient_pn": "15550001111@s.whatsapp.net",
                ]))
            #expect(message.isFromMe && message.chat == .lid("222"))
            #expect(message.recipientPair == LIDPair(lid: "222", pn: "15550001111"))
        }
    }

    @Test("groups need their participant; broadcast lists of others belong to the sender's chat")
    func groups() throws {
        #expect(info(["from": "1203@g.us"]) == nil)
        let message = try #require(
            info(["from": "1203@g.us", "participant": "222:3@lid", "participant_pn": "15550001111@s.whatsapp.net"]))
        #expect(message.isGroup && message.sender == .lid("222", device: 3))
        let broadcast = try #require(info(["from": "99@broadcast", "participant": "222:3@lid"]))
        #expect(broadcast.chat == .lid("222"))
        let status = try #require(info(["from": "status@broadcast", "participant": "222@lid"]))
        #expect(status.chat.isStatus)
    }

    @Test(
        "what lacks an attribute is not understood",
        arguments: [
            ["id": "M1", "from": "222@lid"] as StanzaAttributes, ["from": "222@lid", "t": "1"],
            ["id": "M1", "t": "1"], ["id": "M1", "t": "x", "from": "222@lid"], ["id": "M1", "t": "1", "from": "g.us"],
        ])
    func malformed(attributes: StanzaAttributes) {
        #expect(MessageInfo(Stanza("message", attributes), own: own) == nil)
    }

    @Test("delivery receipts copy the addresses; own messages get `sender`, inactive devices say so")
    func delivery() throws {
        let message = try #require(info(["from": "1203@g.us", "participant": "222:3@lid"]))
        let receipt = Acknowledgement.delivery(for: message, isActive: false)
        #expect(
            receipt
                == Stanza("receipt", ["id": "M1", "to": "1203@g.us", "participant": "222:3@lid", "type": "inactive"])
                || receipt.type == "inactive")
        #expect(receipt.to == .group("1203") && receipt.jid("participant") == .lid("222", device: 3))
        #expect(Acknowledgement.delivery(for: message, isActive: true).type == nil)
        let own = try #require(info(["from": .jid(Bench.lid.bare), "recipient": "222@lid"]))
        #expect(Acknowledgement.delivery(for: own, isActive: true).type == "sender")
    }

    @Test("receipts name one message, a list, or people by message")
    func receipts() throws {
        let single = try #require(
            IncomingReceipt(Stanza("receipt", ["id": "A", "from": "222:3@lid", "t": "5"]), own: own, now: now))
        #expect(single.kind == .delivered && single.entries.map(\.messageID) == ["A"])
        #expect(single.entries.first?.at == Timestamp(seconds: 5))
        let list = try #require(
            IncomingReceipt(
                Stanza(
                    "receipt", ["id": "A", "from": "222@lid", "type": "read"],
                    children: [Stanza("list", children: [Stanza("item", ["id": "B"]), Stanza("item", ["id": "C"])])]),
                own: own, now: now))
        #expect(list.kind == .read && list.entries.map(\.messageID) == ["A", "B", "C"])
        let grouped = try #require(
            IncomingReceipt(
                Stanza(
                    "receipt", ["id": "A", "from": "1203@g.us", "type": "read"],
                    children: [
                        Stanza(
                            "participants", ["key": "A"],
                            children: [
                                Stanza("user", ["jid": "222@lid", "t": "9"]), Stanza("user", ["jid": "333@lid"]),
                            ])
                    ]), own: own, now: now))
        #expect(grouped.entries.map(\.sender) == [.lid("222"), .lid("333")])
        #expect(IncomingReceipt(Stanza("receipt", ["id": "A", "from": "1203@g.us"]), own: own, now: now) == nil)
        let selfRead = try #require(
            IncomingReceipt(
                Stanza(
                    "receipt", ["id": "A", "from": .jid(Bench.lid.bare), "recipient": "222@lid", "type": "read"]),
                own: own, now: now))
        #expect(selfRead.isFromMe && selfRead.chat == .lid("222"))
    }

    @Test("retry counters stop at four, and go on from the number of the resend")
    func counters() throws {
        let message = try #require(info(["from": "222@lid"]))
        var counters = RetryCounters()
        let numbers = (0..<6).map { _ in counters.next(for: message, resendCount: 0) }
        #expect(numbers == [1, 2, 3, 4, nil, nil])
        counters.forget(message)
        let last = counters.next(for: message, resendCount: 3)
        #expect(last == 4)
    }

    @Test(
        "a refused login means what its reason says, and ends the device without one",
        arguments: [
            (400, .end(.refused(code: 400, text: "generic"))),
            (401, .end(.loggedOut(code: 401, text: "logged out", onConnect: true))),
            (402, .end(.banned(code: 104, until: Timestamp(seconds: 1_767_323_105)))),
            (403, .end(.loggedOut(code: 403, text: "main device gone", onConnect: true))), (405, .outdated),
            (406, .end(.loggedOut(code: 406, text: "banned", onConnect: true))),
            (409, .end(.refused(code: 409, text: "bad user agent"))),
            (500, .retry(after: 0, reason: "server error 500")),
            (501, .end(.refused(code: 501, text: "experimental"))),
            (503, .retry(after: 30, reason: "service unavailable")),
            (nil, .end(.refused(code: 0, text: "unknown error"))),
        ] as [(Int?, StreamVerdict)])
    func failures(reason: Int?, verdict: StreamVerdict) {
        let failure = Stanza(
            "failure", ["reason": reason.map(AttributeValue.int), "code": "104", "expire": "60"])
        #expect(StreamVerdict(failure: failure, now: now) == verdict)
    }

    @Test(
        "the end of a stream means what its code says",
        arguments: [
            (Stanza("stream:error", ["code": "515"]), StreamVerdict.restart),
            (Stanza("stream:error", ["code": "503"]), .retry(after: 30, reason: "service unavailable")),
            (Stanza("stream:error", children: [Stanza("conflict", ["type": "replaced"])]), .end(.replaced)),
            (
                Stanza("stream:error", ["code": "401"], children: [Stanza("conflict", ["type": "device_removed"])]),
                .end(.loggedOut(code: 401, text: "device_removed", onConnect: false))
            ),
            (
                Stanza("stream:error", children: [Stanza("xml-not-well-formed")]),
                .retry(after: 0, reason: "stream error xml-not-well-formed")
            ),
        ])
    func verdicts(stanza: Stanza, verdict: StreamVerdict) {
        #expect(StreamVerdict(streamError: stanza) == verdict)
    }
}

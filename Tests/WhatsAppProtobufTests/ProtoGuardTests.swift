import Testing
import WhatsAppProtobuf

@Suite("Hostile protobufs")
struct ProtoGuardTests {
    /// `levels` messages wrapped in each other through ephemeralMessage(40).message(1).
    private func nest(_ levels: Int) -> [UInt8] {
        var body: [UInt8] = [0x0A, 0x01, 0x61]
        for _ in 0..<levels / 2 {
            var inner = ProtoWriter()
            inner.bytes(1, body)
            var outer = ProtoWriter()
            outer.bytes(40, inner.bytes)
            body = outer.bytes
        }
        return body
    }

    @Test("64 levels are read, 65 and 10 000 are refused")
    func depth() throws {
        #expect(try ProtoMessage(.message, parsing: nest(62)).has("ephemeralMessage"))
        #expect(throws: ProtoError.tooDeep) { try ProtoMessage(.message, parsing: nest(64)) }
        #expect(throws: ProtoError.tooDeep) { try ProtoMessage(.message, parsing: nest(10_000)) }
    }

    @Test("more bytes, submessages, elements or fields than allowed are refused")
    func counts() {
        #expect(throws: ProtoError.tooLarge(bytes: (1 << 20) + 1)) {
            try ProtoMessage(.message, parsing: [UInt8](repeating: 0, count: (1 << 20) + 1))
        }
        var submessages = ProtoWriter()
        for _ in 0..<10_001 { submessages.bytes(1, [] as [UInt8]) }
        #expect(throws: ProtoError.tooManyMessages) {
            try ProtoMessage(ProtoType.named("WAWebProtobufsServerSync.SyncdMutations")!, parsing: submessages.bytes)
        }
        var packed = ProtoWriter()
        packed.bytes(4, [UInt8](repeating: 1, count: 500_000))
        #expect(throws: ProtoError.tooManyFields) { try ProtoMessage(.advKeyIndexList, parsing: packed.bytes) }
        var unknown = ProtoWriter()
        for _ in 0..<100_001 { unknown.varint(9_999, 1) }
        #expect(throws: ProtoError.tooManyFields) { try ProtoMessage(.message, parsing: unknown.bytes) }
    }

    @Test("merging the same submessage again and again runs into the memory limit, not out of memory")
    func merges() {
        var context = ProtoWriter()
        for _ in 0..<200 { context.string(15, "1@lid") }
        var text = ProtoWriter()
        for _ in 0..<48 { text.bytes(17, context.bytes) }
        var limits = ProtoLimits.default
        limits.memory = 100_000
        #expect(throws: ProtoError.unpackFailed) {
            try ProtoMessage(.extendedTextMessage, parsing: text.bytes, limits: limits)
        }
    }

    @Test("a known field with another wire type is refused")
    func wireType() {
        #expect(throws: ProtoError.wireTypeMismatch(field: 1)) { try ProtoMessage(.message, parsing: [0x08, 0x01]) }
        #expect(throws: ProtoError.wireTypeMismatch(field: 2)) {
            try ProtoMessage(.messageKey, parsing: [0x12, 0x01, 0x01])
        }
    }

    @Test("a NUL in a string reads as a space and hides nothing behind it")
    func embeddedNUL() throws {
        let message = try ProtoMessage(.message, parsing: [0x0A, 0x05, 0x61, 0x00, 0x62, 0x00, 0x63])
        #expect(message[string: "conversation"] == "a b c")
    }

    @Test("bytes that are not UTF-8 read as replacement characters and are written as they came")
    func invalidUTF8() throws {
        let bytes: [UInt8] = [0x0A, 0x03, 0x61, 0xFF, 0x62]
        let message = try ProtoMessage(.message, parsing: bytes)
        #expect(message[string: "conversation"] == "a\u{FFFD}b")
        #expect(message.serialized() == bytes)
    }

    @Test("mutated, cut and random bytes are parsed or refused, never more", arguments: 0..<8)
    func mutations(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1)
        let seeds = [sample().serialized(), history().serialized(), nest(40)]
        let types: [ProtoType] = [.message, .historySync, .message]
        var parsed = 0
        for round in 0..<1_500 {
            let which = round % 3
            var bytes = seeds[which]
            for _ in 0...Int(random.next() % 6) {
                switch random.next() % 4 {
                case 0: bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeLast(Int(random.next() % UInt64(bytes.count)))
                case 2:
                    bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: Int(random.next() % UInt64(bytes.count)))
                default: bytes[Int(random.next() % UInt64(bytes.count))] ^= 1 << UInt8(random.next() % 8)
                }
                if bytes.isEmpty { bytes = [UInt8(truncatingIfNeeded: random.next())] }
            }
            guard let message = try? ProtoMessage(types[which], parsing: bytes) else { continue }
            parsed += 1
            let again = try ProtoMessage(types[which], parsing: message.serialized())
            #expect(again.jsonValue == message.jsonValue)
            var changed = message
            changed.clear(types[which].fields[0].name)
            _ = changed.json()
        }
        #expect(parsed > 100)
    }

    private func sample() -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("imageMessage") { image in
                image[string: "URL"] = "https://mmg.whatsapp.net/x"
                image[bytes: "mediaKey"] = [UInt8](repeating: 7, count: 32)
                image[uint: "fileLength"] = 1 << 40
                image[uints: "scanLengths"] = [1, 2, 3]
                image.update("contextInfo") { context in
                    context[strings: "mentionedJID"] = ["1@lid"]
                    context.update("quotedMessage") { $0[string: "conversation"] = "quoted" }
                }
            }
            message.update("messageContextInfo") { $0[bytes: "messageSecret"] = [UInt8](repeating: 9, count: 32) }
        }
    }

    private func history() -> ProtoMessage {
        ProtoMessage(.historySync) { history in
            history[enumName: "syncType"] = "RECENT"
            history[messages: "conversations"] = (0..<3).map { number in
                ProtoMessage(ProtoType.named("WAWebProtobufsHistorySync.Conversation")!) { chat in
                    chat[string: "ID"] = "\(number)@s.whatsapp.net"
                    chat[uint: "lastMsgTimestamp"] = 1_700_000_000
                }
            }
        }
    }
}

/// A small seeded generator, so that a failing round can be run again.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

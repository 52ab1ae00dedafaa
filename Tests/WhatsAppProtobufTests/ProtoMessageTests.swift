import Testing
import WhatsAppProtobuf

@Suite("Protobuf messages")
struct ProtoMessageTests {
    private func reply() -> ProtoMessage {
        ProtoMessage(.message) { message in
            message.update("extendedTextMessage") { text in
                text[string: "text"] = "hello"
                text.update("contextInfo") { context in
                    context[string: "stanzaID"] = "3EB0"
                    context[strings: "mentionedJID"] = ["1@s.whatsapp.net", "2@lid"]
                    context.update("quotedMessage") { $0[string: "conversation"] = "quoted" }
                }
            }
        }
    }

    @Test("a message built by name reads back after the wire")
    func roundTrip() throws {
        let read = try ProtoMessage(.message, parsing: reply().serialized())
        #expect(read == reply())
        #expect(read.presentFields.map(\.name) == ["extendedTextMessage"])
        let text = try #require(read[message: "extendedTextMessage"])
        #expect(text[string: "text"] == "hello")
        #expect(text[string: "matchedText"] == nil)
        let context = try #require(text[message: "contextInfo"])
        #expect(context[strings: "mentionedJID"] == ["1@s.whatsapp.net", "2@lid"])
        #expect(context[message: "quotedMessage"]?[string: "conversation"] == "quoted")
        #expect(context[uint: "forwardingScore"] == nil)
    }

    @Test("every kind of scalar keeps its value, its absence and its zero")
    func scalars() throws {
        var payload = ProtoMessage(.clientPayload)
        #expect(payload[bool: "passive"] == nil)
        payload[bool: "passive"] = false
        payload[uint: "username"] = .max
        payload[int: "sessionID"] = -5
        payload[enumName: "connectType"] = "WIFI_UNKNOWN"
        payload[bytes: "fbAppID"] = nil
        payload[bytes: "paddingBytes"] = []
        let read = try ProtoMessage(.clientPayload, parsing: payload.serialized())
        #expect(read[bool: "passive"] == false)
        #expect(read[uint: "username"] == .max)
        #expect(read[int: "sessionID"] == -5)
        #expect(read[enumName: "connectType"] == "WIFI_UNKNOWN")
        #expect(read[bytes: "paddingBytes"] == [])
        #expect(!read.has("fbAppID"))
        payload.clear("username")
        #expect(payload[uint: "username"] == nil)
    }

    @Test("a change to a copy, or to a submessage taken out, does not show in the original")
    func valueSemantics() throws {
        let original = reply()
        var copy = original
        copy.update("extendedTextMessage") { $0[string: "text"] = "changed" }
        copy[string: "conversation"] = "both"
        #expect(original[message: "extendedTextMessage"]?[string: "text"] == "hello")
        #expect(!original.has("conversation"))
        var inner = try #require(copy[message: "extendedTextMessage"])
        inner[string: "text"] = "inner"
        #expect(copy[message: "extendedTextMessage"]?[string: "text"] == "changed")
        #expect(inner[string: "text"] == "inner")
    }

    @Test("a submessage outlives the message it was read from")
    func submessageLifetime() {
        var context: ProtoMessage?
        do {
            let message = reply()
            context = message[message: "extendedTextMessage"]?[message: "contextInfo"]
        }
        #expect(context?[string: "stanzaID"] == "3EB0")
    }

    @Test("setting a member of a oneof removes the other one")
    func oneof() {
        var header = ProtoMessage(ProtoType.named("WAWebProtobufsE2E.InteractiveMessage.Header")!)
        header.update("imageMessage") { $0[string: "caption"] = "a" }
        header[bytes: "JPEGThumbnail"] = [1]
        #expect(!header.has("imageMessage"))
        #expect(header[bytes: "JPEGThumbnail"] == [1])
        header.clear("imageMessage")
        #expect(header.has("JPEGThumbnail"))
        header[bytes: "JPEGThumbnail"] = nil
        #expect(header.isEmpty)
    }

    @Test("unknown fields and enum numbers are kept and written again, also by copies")
    func unknown() throws {
        var writer = ProtoWriter()
        writer.string(1, "hi")
        writer.varint(9_999, 42)
        writer.bytes(9_998, [1, 2] as [UInt8])
        var message = try ProtoMessage(.message, parsing: writer.bytes)
        #expect(message.unknownFieldNumbers == [9_999, 9_998])
        let before = message
        message[string: "conversation"] = "ho"
        #expect(message.unknownFieldNumbers == [9_999, 9_998])
        #expect(message.serialized().suffix(7) == before.serialized().suffix(7))

        var futureEnum = ProtoWriter()
        futureEnum.varint(2, 77)
        let protocolMessage = try ProtoMessage(.protocolMessage, parsing: futureEnum.bytes)
        #expect(protocolMessage[enumName: "type"] == "77")
        #expect(protocolMessage.serialized() == futureEnum.bytes)
    }

    @Test("a repeated number is read packed and unpacked")
    func packed() throws {
        let type = try #require(ProtoType.named("WAAdv.ADVKeyIndexList"))
        let packed: [UInt8] = [0x22, 0x03, 0x01, 0x02, 0x03]
        let unpacked: [UInt8] = [0x20, 0x01, 0x20, 0x02, 0x20, 0x03]
        #expect(try ProtoMessage(type, parsing: packed)[uints: "validIndexes"] == [1, 2, 3])
        #expect(try ProtoMessage(type, parsing: unpacked)[uints: "validIndexes"] == [1, 2, 3])
        #expect(try ProtoMessage(type, parsing: unpacked).serialized() == packed)
    }

    @Test("every type of the schema can be made, written and read")
    func everyType() throws {
        #expect(ProtoType.all.count == 662)
        for type in ProtoType.all {
            let message = ProtoMessage(type)
            #expect(message.isEmpty)
            #expect(message.serialized() == [])
            #expect(try ProtoMessage(type, parsing: []).jsonValue == .object([]))
        }
        #expect(ProtoType.named("WAWebProtobufsE2E.NoSuchMessage") == nil)
    }

    @Test("descriptions tell type and size, never content")
    func description() {
        #expect(reply().description.hasPrefix("WAWebProtobufsE2E.Message("))
        #expect(!reply().description.contains("hello"))
    }
}

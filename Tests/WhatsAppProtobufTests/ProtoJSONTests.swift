import Testing
import WhatsAppProtobuf

@Suite("Protobuf JSON")
struct ProtoJSONTests {
    @Test("JSON names fields as the schema does, 64-bit integers as text, bytes as Base64, enums by name")
    func rendering() throws {
        let message = ProtoMessage(.message) { message in
            message.update("imageMessage") { image in
                image[uint: "fileLength"] = 18_446_744_073_709_551_615
                image[uint: "height"] = 480
                image[bytes: "mediaKey"] = [0xFB, 0xFF]
            }
            message.update("locationMessage") { $0[double: "degreesLatitude"] = 52.5 }
            message.update("protocolMessage") { $0[enumName: "type"] = "REVOKE" }
        }
        let expected = """
            {"imageMessage":{"fileLength":"18446744073709551615","height":480,"mediaKey":"+/8="},\
            "locationMessage":{"degreesLatitude":52.5},"protocolMessage":{"type":"REVOKE"}}
            """
        #expect(message.json() == expected)
        #expect(try ProtoMessage(.message, json: expected) == message)
    }

    @Test("JSON of other writers is taken: numbers for 64 bits, URL-safe Base64, enum numbers, null")
    func lenient() throws {
        let text = """
            {"imageMessage": {"fileLength": 1.0e3, "mediaKey": "-_8", "caption": null, "scanLengths": [1, "2"]},
             "protocolMessage": {"type": 0}}
            """
        let message = try ProtoMessage(.message, json: text)
        #expect(message[message: "imageMessage"]?[uint: "fileLength"] == 1_000)
        #expect(message[message: "imageMessage"]?[bytes: "mediaKey"] == [0xFB, 0xFF])
        #expect(message[message: "imageMessage"]?[uints: "scanLengths"] == [1, 2])
        #expect(message[message: "protocolMessage"]?[enumName: "type"] == "REVOKE")
    }

    @Test("maps are objects")
    func maps() throws {
        let type = try #require(ProtoType.all.first { $0.fullName == "WAWebProtobufsReporting.Config" })
        let text = #"{"field":{"7":{"minVersion":3}},"version":2}"#
        let message = try ProtoMessage(type, json: text)
        #expect(message.json() == text)
        #expect(try ProtoMessage(type, parsing: message.serialized()).json() == text)
    }

    @Test(
        "JSON that does not describe the message is refused with the place and the reason",
        arguments: [
            ("[]", "an object was expected"),
            (#"{"nope":1}"#, "nope: WAWebProtobufsE2E.Message has no such member"),
            (#"{"conversation":1}"#, "conversation: text was expected"),
            (#"{"imageMessage":{"height":-1}}"#, "imageMessage.height: an integer in range was expected"),
            (
                #"{"imageMessage":{"scanLengths":[1,{}]}}"#,
                "imageMessage.scanLengths[1]: an integer in range was expected"
            ),
            (#"{"imageMessage":{"mediaKey":"*"}}"#, "imageMessage.mediaKey: Base64 was expected"),
            (#"{"protocolMessage":{"type":"NOPE"}}"#, "protocolMessage.type: not a value of the enum"),
            (#"{"conversation":"a"} x"#, "byte 21: text after the document"),
            (#"{"conversation":"a"#, "byte 18: end of text in a string"),
            (#"{"conversation":01}"#, "byte 18: not a value"),
            (#"{"conversation":"\ud800"}"#, "byte 23: lone surrogate"),
        ])
    func refused(text: String, reason: String) {
        #expect(throws: ProtoError.invalidJSON(reason)) { try ProtoMessage(.message, json: text) }
    }

    @Test("JSON nested too deep is refused")
    func depth() {
        let deep = String(repeating: "[", count: 10_000)
        #expect(throws: ProtoError.self) { try ProtoJSON(parsing: deep) }
        let wrapped =
            String(repeating: #"{"ephemeralMessage":{"message":"#, count: 50) + "{}"
            + String(repeating: "}}", count: 50)
        #expect(throws: ProtoError.tooDeep) { try ProtoMessage(.message, json: wrapped) }
    }

    @Test("strings survive JSON whatever they hold")
    func strings() throws {
        let text = "\"\\/\u{8}\u{1F}\n\t é 👍🏽 \u{2028}"
        let message = ProtoMessage(.message) { $0[string: "conversation"] = text }
        #expect(try ProtoMessage(.message, json: message.json())[string: "conversation"] == text)
        #expect(try ProtoJSON(parsing: #""\ud83d\udc4d\u00e9""#) == .string("👍é"))
    }
}

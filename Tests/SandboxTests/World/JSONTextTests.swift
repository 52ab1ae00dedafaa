import Foundation
import Testing
import Transport

@testable import Sandbox

@Suite("JSON text of the sandbox")
struct JSONTextTests {
    private static let documents = [
        "null", " true ", "false", "0", "-0", "12", "-7", "1.5", "-2.25e3", "1e2", "9223372036854775807",
        "9223372036854775808", "\"\"", #""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 é😀""#, "[]", "[ 1 , [ ] , \"x\" ]", "{}",
        #"{"b": 1, "a": {"é": [null, false]}, "A": "x/y", "a b": 0.1}"#, #"{"control":"\u0001\u001f"}"#,
    ]

    @Test("documents are read and written as Foundation's coders do", arguments: documents)
    func same(document: String) throws {
        let value = try #require(JSONValue.parse(document.utf8))
        let decoded = try JSONDecoder().decode(JSONValue.self, from: Data(document.utf8))
        #expect(value == decoded)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(value.text == String(decoding: try encoder.encode(value), as: UTF8.self))
        #expect(JSONValue.parse(value.bytes) == value)
    }

    @Test(
        "what is no JSON is refused",
        arguments: [
            "", " ", "nul", "truex", "01", "-", "1.", ".5", "1e", "+1", "\"", "\"\\x\"", "\"\\u12\"", #""\ud800""#,
            "\"\n\"",
            "[", "[1", "[1,]", "[1 2]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "1 2", "{}{}",
        ])
    func refused(document: String) {
        #expect(JSONValue.parse(document.utf8) == nil)
    }

    @Test("text that is not UTF-8 is refused, and so is nesting without end")
    func hostile() {
        #expect(JSONValue.parse([0x22, 0xFF, 0x22] as [UInt8]) == nil)
        #expect(JSONValue.parse(Array(repeating: UInt8(ascii: "["), count: 100_000)) == nil)
    }

    @Test("a stored message of a phone is read back as it was")
    func message() throws {
        let chat = try #require(JID("100@lid"))
        var message = PhoneMessage(
            sequence: 7, id: "3EB0", chat: chat, sender: try #require(JID("100:3@lid")), direction: .incoming,
            time: 1_700_000_000, pushName: "A \"b\"", content: .text("hello é"))
        #expect(try JSONDecoder().decode(PhoneMessage.self, from: Data(message.stored)) == message)
        message.pushName = nil
        message.edited = [1, 2, 255]
        message.isRevoked = true
        message.status = .read
        message.reactions = ["5@lid": "👍"]
        #expect(try JSONDecoder().decode(PhoneMessage.self, from: Data(message.stored)) == message)
    }
}

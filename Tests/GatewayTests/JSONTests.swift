import Foundation
import NIOCore
import Testing

@testable import Gateway

@Suite("JSON reader and writer")
struct JSONTests {
    @Test("what the writer writes is read by Foundation, whatever the text")
    func writer() throws {
        let texts = [
            "", "plain", "quote \" back \\ slash", "line\nbreak\ttab\r", "\u{0}\u{1}\u{1F}", "é漢👍🏽", "</script>",
        ]
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("texts", texts)
            writer.member("min", Int64.min)
            writer.member("max", UInt64.max)
            writer.member("zero", 0)
            writer.member("half", 0.5)
            writer.member("nan", Double.nan)
            writer.member("none", nil as String?)
            writer.key("nested")
            writer.array { writer in
                writer.object { _ in }
                writer.array { _ in }
                writer.bool(true)
            }
        }
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(writer.buffer.readableBytesView)) as? [String: Any])
        #expect(object["texts"] as? [String] == texts)
        #expect(object["min"] as? Int64 == .min)
        #expect(object["max"] as? Int64 == .max)
        #expect(object["half"] as? Double == 0.5)
        #expect(object["nan"] is NSNull && object["none"] is NSNull)
        #expect((object["nested"] as? [Any])?.count == 3)
    }

    @Test(
        "valid documents",
        arguments: [
            (
                #"{"a":1,"b":[true,false,null]}"#,
                JSONValue.object([("a", .integer(1)), ("b", .array([.bool(true), .bool(false), .null]))])
            ),
            (#" "\u0041\ud83d\udc4d\n" "#, .string("A👍\n")),
            ("-0.5e1", .integer(-5)),
            ("1e400x", .null), ("12345678901234567890", .number(12_345_678_901_234_567_168)),
        ])
    func valid(text: String, expected: JSONValue) {
        let parsed = try? JSONParser.parse(text.utf8)
        #expect(text.hasSuffix("x") ? parsed == nil : parsed == expected)
    }

    @Test(
        "malformed documents are refused",
        arguments: [
            "", "{", #"{"a":"#, "[1,]", "{\"a\":1,}", "01", "+1", ".5", "1.", "tru", "\"\u{1}\"", "\"\\x\"", "[1] 2",
            "nul", "\"abc", "{1:2}",
            "'a'", "NaN",
        ])
    func malformed(text: String) {
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(text.utf8) }
    }

    @Test("invalid UTF-8 is refused")
    func utf8() {
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0x22, 0xFF, 0x22]) }
        #expect(throws: JSONParser.Failure.self) { try JSONParser.parse([0x22, 0x5C, 0x6E, 0xC3, 0x22]) }
    }

    @Test("ten thousand levels of nesting are refused without harm")
    func depth() {
        #expect(throws: JSONParser.Failure.tooDeep) { try JSONParser.parse(String(repeating: "[", count: 10_000).utf8) }
        let allowed = String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
        #expect(throws: Never.self) { try JSONParser.parse(allowed.utf8) }
    }

    @Test("strings above one mebibyte are refused")
    func stringLength() {
        let text = "\"" + String(repeating: "a", count: (1 << 20) + 1) + "\""
        #expect(throws: JSONParser.Failure.stringTooLong) { try JSONParser.parse(text.utf8) }
    }

    @Test(
        "times have no zeros at the end of their fraction",
        arguments: [
            (1_767_225_600_123_456, "2026-01-01T00:00:00.123456Z"), (1_767_225_600_500_000, "2026-01-01T00:00:00.5Z"),
            (1_767_225_600_000_000, "2026-01-01T00:00:00Z"),
        ] as [(Int64, String)])
    func times(microseconds: Int64, expected: String) {
        let date = Date(timeIntervalSince1970: Double(microseconds) / 1_000_000)
        #expect(RFC3339.text(date) == expected)
        #expect(RFC3339.text(date, fraction: false) == "2026-01-01T00:00:00Z")
    }
}

@Suite("Bodies")
struct BodyTests {
    private let error = APIError(400, "invalid_body", "Failed parse body request")

    private func parse(_ text: String, _ type: String?) throws -> BodyFields {
        try BodyParser.parse(Array(text.utf8), contentType: type, parseError: error)
    }

    @Test("keys match ignoring case, underscores and dashes")
    func keys() throws {
        let fields = try parse(
            #"{"Chat_JID":"a","REPLY-message-id":"b","viewonce":true}"#, "application/json; charset=utf-8")
        #expect(try fields.string("chat_jid") == "a")
        #expect(try fields.string("replyMessageID") == "b")
        #expect(try fields.bool("view_once") == true)
        #expect(try fields.string("absent") == nil)
    }

    @Test("a wrong type is the route's parse error and names the field")
    func wrongTypes() throws {
        let fields = try parse(#"{"text":5,"flag":"yes","list":["a",1],"n":1.5}"#, "application/json")
        for check in [
            { _ = try fields.string("text") }, { _ = try fields.bool("flag") }, { _ = try fields.strings("list") },
            { _ = try fields.integer("n") },
        ] as [() throws -> Void] {
            do {
                try check()
                Issue.record("was accepted")
            } catch let error as APIError {
                #expect(error.message == "Failed parse body request")
                #expect(error.field != nil)
            }
        }
    }

    @Test("forms and multipart bodies carry the same fields")
    func forms() throws {
        let form = try parse("a=1+2&b=%C3%A9&typing_simulation=YES&n=7", "application/x-www-form-urlencoded")
        #expect(try form.string("a") == "1 2" && form.string("b") == "é")
        #expect(try form.bool("typing_simulation") == true && form.integer("n") == 7)
        let text =
            "--xx\r\nContent-Disposition: form-data; name=\"caption\"\r\n\r\nhello\r\n--xx\r\n"
            + "Content-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\u{1}\r\n--x\r\n--xx--\r\n"
        let multipart = try parse(text, "multipart/form-data; boundary=xx")
        #expect(try multipart.string("caption") == "hello")
        #expect(
            multipart.files.first?.fileName == "a.png"
                && multipart.files.first?.bytes == [1, 0x0D, 0x0A, 0x2D, 0x2D, 0x78])
    }

    @Test("an empty body is an empty object, an unknown type is 415")
    func types() throws {
        #expect(try parse("", nil).string("a") == nil)
        #expect(try parse("null", "application/json").string("a") == nil)
        for (text, type, status) in [
            ("x", nil, 415), ("x", "text/plain", 415), ("[]", "application/json", 400),
            ("a=%zz", "application/x-www-form-urlencoded", 400), ("--y", "multipart/form-data; boundary=x", 400),
        ] as [(String, String?, Int)] {
            do {
                _ = try parse(text, type)
                Issue.record("\(text) was accepted")
            } catch let error as APIError {
                #expect(error.status == status)
            }
        }
    }
}

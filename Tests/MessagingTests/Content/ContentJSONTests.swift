import Testing
import WhatsAppProtobuf

@testable import Messaging

@Suite("A message as JSON")
struct ContentJSONTests {
    @Test("a reply shows type, text, quote and mentions, and the whole message without its secret")
    func reply() throws {
        let json = """
            {"extendedTextMessage":{"text":"yes @1","contextInfo":{"stanzaID":"A","participant":"1:3@lid",
             "quotedMessage":{"conversation":"q"},"mentionedJID":["1@lid"]}},
             "messageContextInfo":{"messageSecret":"AAAA"}}
            """
        let content = ContentJSON(try ProtoMessage(.message, json: json))
        let expected = """
            {"type":"text","text":"yes @1","is_edit":false,"is_ephemeral":false,"is_view_once":false,\
            "quoted":{"message_id":"A","sender":"1@lid","type":"text","text":"q"},"mentions":["1@lid"],\
            "message":{"extendedTextMessage":{"text":"yes @1","contextInfo":{"stanzaID":"A","participant":"1:3@lid",\
            "quotedMessage":{"conversation":"q"},"mentionedJID":["1@lid"]}}}}
            """
        #expect(ProtoJSON.object(content.members).text == expected)
    }

    @Test("media are described, and available only with path and key")
    func media() throws {
        let key = ProtoJSON.string(String(repeating: "A", count: 43) + "=").text
        let json = """
            {"viewOnceMessage":{"message":{"audioMessage":{"PTT":true,"mimetype":"audio/ogg; codecs=opus","seconds":3,
             "fileLength":"1234","directPath":"/v/x?y","mediaKey":\(key),"fileSHA256":"AAAA"}}}}
            """
        let content = ContentJSON(try ProtoMessage(.message, json: json))
        #expect(content.isViewOnce)
        #expect(
            content.media?.json.text == """
                {"type":"ptt","mimetype":"audio/ogg; codecs=opus","file_length":1234,"file_sha256":"AAAA","seconds":3,\
                "direct_path":"/v/x?y","available":true}
                """)
        #expect(content.media?.kind == .audio)
        let without = ContentJSON(try ProtoMessage(.message, json: #"{"documentMessage":{"fileName":"a.pdf"}}"#))
        #expect(without.media?.isAvailable == false)
        #expect(without.media?.fileName == "a.pdf")
    }

    @Test("edits and disappearing messages are marked, wrapped or not")
    func marks() throws {
        let edit = #"{"protocolMessage":{"type":"MESSAGE_EDIT","key":{"ID":"A"},"editedMessage":{"conversation":"n"}}}"#
        #expect(ContentJSON(try ProtoMessage(.message, json: edit)).isEdit)
        let wrapped = #"{"editedMessage":{"message":\#(edit)}}"#
        #expect(ContentJSON(try ProtoMessage(.message, json: wrapped)).isEdit)
        let timer = #"{"extendedTextMessage":{"text":"a","contextInfo":{"expiration":60}}}"#
        #expect(ContentJSON(try ProtoMessage(.message, json: timer)).isEphemeral)
    }
}

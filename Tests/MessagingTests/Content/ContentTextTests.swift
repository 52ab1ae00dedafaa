import Testing
import WhatsAppProtobuf

@testable import Messaging

@Suite("The text of a message")
struct ContentTextTests {
    @Test(
        "each kind shows what a person would read",
        arguments: [
            (#"{"conversation":"hi"}"#, "hi"),
            (#"{"extendedTextMessage":{"text":"t","matchedText":"m"}}"#, "t"),
            (#"{"extendedTextMessage":{"matchedText":"https://x"}}"#, "https://x"),
            (#"{"imageMessage":{"caption":"c"}}"#, "c"),
            (#"{"documentMessage":{"caption":"d","fileName":"a.pdf"}}"#, "d"),
            (#"{"stickerMessage":{"accessibilityLabel":"cat"}}"#, "cat"),
            (#"{"buttonsResponseMessage":{"selectedDisplayText":"Yes"}}"#, "Yes"),
            (#"{"listResponseMessage":{"title":"Row"}}"#, "Row"),
            (#"{"interactiveResponseMessage":{"body":{"text":"b"}}}"#, "b"),
            (#"{"pollCreationMessageV3":{"name":"Lunch?"}}"#, "Lunch?"),
            (#"{"eventMessage":{"name":"Party"}}"#, "Party"),
            (#"{"groupInviteMessage":{"groupName":"G"}}"#, "G"),
            (
                #"{"contactMessage":{"displayName":"Ada","vcard":"BEGIN:VCARD\nTEL;type=CELL;waid=15550001111:+1 555\nEND:VCARD"}}"#,
                "Ada (15550001111)"
            ),
            (#"{"contactMessage":{"displayName":"Ada","vcard":"TEL:+1 (555)\r\n 000"}}"#, "Ada (1555000)"),
            (
                #"{"contactsArrayMessage":{"displayName":"2","contacts":[{"displayName":"A"},{"displayName":"B"}]}}"#,
                "A +1"
            ),
            (#"{"locationMessage":{"degreesLatitude":1.5,"degreesLongitude":-2,"name":"N","address":"A"}}"#, "N, A"),
            (#"{"locationMessage":{"degreesLatitude":1.5,"degreesLongitude":-2}}"#, "1.5,-2.0"),
            (#"{"templateMessage":{"hydratedTemplate":{"hydratedTitleText":"T","hydratedContentText":"C"}}}"#, "T\nC"),
            (#"{"interactiveMessage":{"header":{"title":"H"},"body":{"text":"B"}}}"#, "H\nB"),
            (#"{"richResponseMessage":{"submessages":[{"messageText":"a"},{},{"messageText":"b"}]}}"#, "a\nb"),
            (#"{"commentMessage":{"message":{"ephemeralMessage":{"message":{"conversation":"in"}}}}}"#, "in"),
            (#"{"sendPaymentMessage":{"noteMessage":{"conversation":"note"}}}"#, "note"),
            (#"{"protocolMessage":{"type":"MESSAGE_EDIT","editedMessage":{"conversation":"new"}}}"#, "new"),
            (#"{"orderMessage":{"orderTitle":"O"}}"#, "O"),
            (#"{"productMessage":{"product":{"title":"P"}}}"#, "P"),
            (#"{"reactionMessage":{"text":"👍"}}"#, "👍"),
        ])
    func texts(json: String, text: String) throws {
        #expect(try ContentText.of(ProtoMessage(.message, json: json)) == text)
    }

    @Test(
        "a message without words has none",
        arguments: [
            #"{"audioMessage":{"PTT":true}}"#, #"{"imageMessage":{"caption":""}}"#, "{}", #"{"conversation":""}"#,
        ])
    func none(json: String) throws {
        #expect(try ContentText.of(ProtoMessage(.message, json: json)) == nil)
    }
}

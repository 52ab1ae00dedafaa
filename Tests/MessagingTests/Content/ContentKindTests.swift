import Testing
import WhatsAppProtobuf

@testable import Messaging

@Suite("What a message is")
struct ContentKindTests {
    @Test("every field of Message has a kind, is a wrapper, or is key material")
    func everyField() {
        let wrappers = Set(MessageWrapper.allCases.map(\.rawValue))
        let keyMaterial: Set = [
            "senderKeyDistributionMessage", "fastRatchetKeySenderKeyDistributionMessage", "messageContextInfo",
            "deviceSentMessage",
        ]
        let empty = ProtoMessage(.message)
        for field in ProtoType.message.fields {
            let isWrapper =
                ProtoType.message.declaration(of: field.name).typeName == "WAWebProtobufsE2E.FutureProofMessage"
            #expect(wrappers.contains(field.name) == isWrapper, "\(field.name)")
            let isKnown = isWrapper || keyMaterial.contains(field.name) || ContentKind.byField[field.name] != nil
            #expect(isKnown, "\(field.name)")
            guard field.name != "conversation", ContentKind.byField[field.name] != nil else { continue }
            // Readers and builders must bear a message of which nothing is filled in.
            let message = ProtoMessage(.message) { $0[message: field.name] = ProtoMessage(empty.type(of: field.name)) }
            #expect(ContentKind(of: message) == ContentKind.byField[field.name])
            _ = (ContentText.of(message), ContentMedia(message), ContentJSON(message).members, StanzaTraits(message))
            _ = ContentContext.reduced(message)
        }
        #expect(ContentKind.byField.keys.allSatisfy { ProtoType.message.hasField($0) })
    }

    @Test(
        "the lowest field makes the kind, after protocol messages and add-ons",
        arguments: [
            (#"{"conversation":"a"}"#, ContentKind.text),
            (#"{"imageMessage":{},"extendedTextMessage":{}}"#, .image),
            (#"{"conversation":"a","reactionMessage":{}}"#, .reaction),
            (#"{"imageMessage":{},"secretEncryptedMessage":{}}"#, .secretEncrypted),
            (#"{"protocolMessage":{},"conversation":"x"}"#, .protocolMessage),
            (#"{"pollCreationMessageV3":{"name":"?"}}"#, .poll),
            (#"{"ptvMessage":{}}"#, .videoNote),
            (#"{"messageContextInfo":{},"senderKeyDistributionMessage":{}}"#, .empty),
            ("{}", .empty),
        ])
    func kinds(json: String, kind: ContentKind) throws {
        #expect(try ContentKind(of: ProtoMessage(.message, json: json)) == kind)
    }

    @Test("a message of fields from the future is unknown and says which")
    func unknown() throws {
        var writer = ProtoWriter()
        writer.bytes(999, [0x0A, 0x01, 0x61] as [UInt8])
        let content = ContentJSON(try ProtoMessage(.message, parsing: writer.bytes))
        #expect(content.kind == .unknown)
        let members = ProtoJSON.object(content.members)
        #expect(members["unknown_fields"] == .array([.number("999")]))
        #expect(members["message"] == nil)
    }

    @Test("wrappers are removed outermost first, each of them told, and the context moves inwards")
    func wrappers() throws {
        let json = """
            {"ephemeralMessage":{"message":{"viewOnceMessageV2":{"message":{"imageMessage":{"caption":"c"}}}}},
             "messageContextInfo":{"messageAddOnDurationInSecs":7}}
            """
        let (message, removed) = MessageWrapper.unwrap(try ProtoMessage(.message, json: json))
        #expect(removed == [.ephemeral, .viewOnceV2])
        #expect(message[message: "imageMessage"]?[string: "caption"] == "c")
        #expect(message[message: "messageContextInfo"]?[uint: "messageAddOnDurationInSecs"] == 7)
    }

    @Test("no more than eight wrappers are removed, and an empty one is left alone")
    func wrapperLimit() throws {
        var message = ProtoMessage(.message) { $0[string: "conversation"] = "deep" }
        for _ in 0..<9 {
            let inner = message
            message = ProtoMessage(.message) { $0.update("ephemeralMessage") { $0[message: "message"] = inner } }
        }
        #expect(MessageWrapper.unwrap(message).removed.count == 8)
        #expect(ContentJSON(message).kind == .unknown || ContentJSON(message).kind == .empty)
        let empty = try ProtoMessage(.message, json: #"{"viewOnceMessage":{}}"#)
        #expect(MessageWrapper.unwrap(empty).removed == [])
    }
}

import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// The table of 05-message-content, section 2.2.
@Suite("What a message's content says on its stanza")
struct StanzaTraitsTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let json: String
        let type: String
        var media: String?
        var edit: String?
        var hide = false
        var meta: String?
        var business: String?
        var testDescription: String { json }
    }

    static let rows: [Row] = [
        Row(json: #"{"conversation":"a"}"#, type: "text"),
        Row(json: #"{"extendedTextMessage":{"text":"a"}}"#, type: "text"),
        Row(json: #"{"extendedTextMessage":{"text":"a","title":"t"}}"#, type: "media", media: "url"),
        Row(json: #"{"imageMessage":{}}"#, type: "media", media: "image"),
        Row(json: #"{"viewOnceMessageV2":{"message":{"imageMessage":{}}}}"#, type: "media", media: "image"),
        Row(json: #"{"ephemeralMessage":{"message":{"videoMessage":{}}}}"#, type: "media", media: "video"),
        Row(json: #"{"videoMessage":{"gifPlayback":true}}"#, type: "media", media: "gif"),
        Row(json: #"{"ptvMessage":{}}"#, type: "media", media: "ptv"),
        Row(json: #"{"audioMessage":{}}"#, type: "media", media: "audio"),
        Row(json: #"{"audioMessage":{"PTT":true}}"#, type: "media", media: "ptt"),
        Row(
            json: #"{"documentWithCaptionMessage":{"message":{"documentMessage":{}}}}"#, type: "media",
            media: "document"),
        Row(json: #"{"stickerMessage":{}}"#, type: "media", media: "sticker"),
        Row(json: #"{"stickerPackMessage":{}}"#, type: "media", media: "sticker_pack"),
        Row(json: #"{"locationMessage":{}}"#, type: "media", media: "location"),
        Row(json: #"{"liveLocationMessage":{}}"#, type: "media", media: "livelocation"),
        Row(json: #"{"contactMessage":{}}"#, type: "media", media: "vcard"),
        Row(json: #"{"contactsArrayMessage":{}}"#, type: "media", media: "contact_array"),
        Row(json: #"{"albumMessage":{}}"#, type: "text"),
        Row(json: #"{"groupInviteMessage":{}}"#, type: "text"),
        Row(json: #"{"productMessage":{}}"#, type: "media", media: "product"),
        Row(json: #"{"orderMessage":{}}"#, type: "media", media: "order"),
        Row(json: #"{"listMessage":{}}"#, type: "media", media: "list", business: "list"),
        Row(json: #"{"listResponseMessage":{}}"#, type: "media", media: "list_response", business: "list_response"),
        Row(json: #"{"buttonsMessage":{}}"#, type: "text", business: "buttons"),
        Row(
            json: #"{"buttonsResponseMessage":{}}"#, type: "media", media: "buttons_response",
            business: "buttons_response"),
        Row(json: #"{"templateButtonReplyMessage":{}}"#, type: "text"),
        Row(json: #"{"interactiveMessage":{}}"#, type: "text"),
        Row(
            json: #"{"interactiveResponseMessage":{}}"#, type: "media", media: "native_flow_response",
            business: "interactive_response"),
        Row(json: #"{"reactionMessage":{"text":"👍"}}"#, type: "reaction", hide: true),
        Row(json: #"{"reactionMessage":{"text":""}}"#, type: "reaction", edit: "7", hide: true),
        Row(json: #"{"encReactionMessage":{}}"#, type: "reaction", hide: true),
        Row(json: #"{"encCommentMessage":{}}"#, type: "text"),
        Row(json: #"{"pollCreationMessage":{}}"#, type: "poll", meta: "poll creation"),
        Row(json: #"{"pollCreationMessageV3":{}}"#, type: "poll", meta: "poll creation"),
        Row(json: #"{"pollCreationMessageV6":{}}"#, type: "poll", meta: "poll creation"),
        Row(json: #"{"pollUpdateMessage":{"vote":{}}}"#, type: "poll", hide: true, meta: "poll vote"),
        Row(json: #"{"pollResultSnapshotMessage":{}}"#, type: "text", meta: "poll result_snapshot"),
        Row(json: #"{"eventMessage":{}}"#, type: "event", meta: "event creation"),
        Row(json: #"{"encEventResponseMessage":{}}"#, type: "event", hide: true, meta: "event response"),
        Row(
            json: #"{"secretEncryptedMessage":{"secretEncType":"EVENT_EDIT"}}"#, type: "event", edit: "1", hide: true,
            meta: "event edit"),
        Row(
            json: #"{"secretEncryptedMessage":{"secretEncType":"POLL_EDIT"}}"#, type: "poll", hide: true,
            meta: "poll edit"),
        Row(json: #"{"secretEncryptedMessage":{"secretEncType":"MESSAGE_EDIT"}}"#, type: "text", edit: "1", hide: true),
        Row(
            json: #"{"editedMessage":{"message":{"protocolMessage":{"type":"MESSAGE_EDIT","editedMessage":{}}}}}"#,
            type: "text", edit: "1", hide: true),
        Row(
            json: #"{"protocolMessage":{"type":"REVOKE","key":{"fromMe":true,"ID":"A"}}}"#, type: "text", edit: "7",
            hide: true),
        Row(json: #"{"protocolMessage":{"type":"REVOKE","key":{"fromMe":false,"ID":"A"}}}"#, type: "text", edit: "8"),
        Row(json: #"{"protocolMessage":{"type":"EPHEMERAL_SETTING"}}"#, type: "text"),
        Row(json: #"{"pinInChatMessage":{}}"#, type: "text", edit: "2", hide: true),
        Row(
            json: #"{"keepInChatMessage":{"key":{"fromMe":true},"keepType":"UNDO_KEEP_FOR_ALL"}}"#, type: "text",
            edit: "7", hide: true),
        Row(json: #"{"keepInChatMessage":{"keepType":"KEEP_FOR_ALL"}}"#, type: "text", hide: true),
        Row(json: #"{"invoiceMessage":{}}"#, type: "text"),
    ]

    @Test("each kind has its type, mediatype, edit, decrypt-fail and extra child", arguments: rows)
    func row(_ row: Row) throws {
        let traits = StanzaTraits(try ProtoMessage(.message, json: row.json))
        #expect(traits.type == row.type)
        #expect(traits.mediaType == row.media)
        #expect(traits.edit == row.edit)
        #expect(traits.hidesDecryptFailure == row.hide)
        #expect(traits.pollType.map { "poll \($0)" } ?? traits.eventType.map { "event \($0)" } == row.meta)
        #expect(traits.business?.tag == row.business)
    }
}

import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Messages: the content is ours, ciphertexts, devices and tokens are the capture's.
extension StanzaCounterparts {
    static let messages: [String: Builder] = contents.mapValues { json in
        { step in
            guard step.sent.tag == "message" else { return nil }
            return try message(step, content: json)
        }
    }

    private static let contents: [String: String] = [
        "send text, first contact (lid lookup, device list, prekey fetch, pkmsg) and its delivery receipt":
            #"{"conversation":"a"}"#,
        "send text again": #"{"conversation":"a"}"#,
        "send reaction": #"{"reactionMessage":{"key":{"ID":"A"},"text":"👍"}}"#,
        "send edit":
            #"{"editedMessage":{"message":{"protocolMessage":{"type":"MESSAGE_EDIT","key":{"ID":"A"},"editedMessage":{"conversation":"b"}}}}}"#,
        "send revoke": #"{"protocolMessage":{"type":"REVOKE","key":{"fromMe":true,"ID":"A"}}}"#,
        "send extended text with quote":
            #"{"extendedTextMessage":{"text":"a","contextInfo":{"stanzaID":"A","quotedMessage":{"conversation":"q"}}}}"#,
        "send image": #"{"imageMessage":{}}"#,
        "send video": #"{"videoMessage":{}}"#,
        "send gif": #"{"videoMessage":{"gifPlayback":true}}"#,
        "send voice note": #"{"audioMessage":{"PTT":true}}"#,
        "send audio": #"{"audioMessage":{}}"#,
        "send document": #"{"documentMessage":{}}"#,
        "send sticker": #"{"stickerMessage":{}}"#,
        "send location": #"{"locationMessage":{}}"#,
        "send live location": #"{"liveLocationMessage":{}}"#,
        "send contact": #"{"contactMessage":{}}"#,
        "send contacts": #"{"contactsArrayMessage":{}}"#,
        "send view once image": #"{"viewOnceMessage":{"message":{"imageMessage":{}}}}"#,
        "send list": #"{"listMessage":{}}"#,
        "send buttons": #"{"buttonsMessage":{}}"#,
        "send url preview": #"{"extendedTextMessage":{"text":"https://x","matchedText":"https://x","title":"t"}}"#,
        "send group invite": #"{"groupInviteMessage":{}}"#,
        "send event": #"{"eventMessage":{"name":"e"}}"#,
        "send poll": #"{"pollCreationMessage":{"name":"p"}}"#,
        "send poll vote": #"{"pollUpdateMessage":{"vote":{}}}"#,
        "disappearing timer in a chat":
            #"{"protocolMessage":{"type":"EPHEMERAL_SETTING","ephemeralExpiration":86400}}"#,
        "group send, first (group query, device list, sender key distribution)": #"{"conversation":"a"}"#,
        "group send, second": #"{"conversation":"a"}"#,
    ]

    private static func message(_ step: StanzaCapture.Step, content json: String) throws -> Stanza? {
        let sent = step.sent
        guard let to = sent.to else { return nil }
        var content = try ProtoMessage(.message, json: json)
        content.update("messageContextInfo") { $0[bytes: "messageSecret"] = [UInt8](repeating: 1, count: 32) }
        let copies = sent.child("participants")?.children("to").compactMap { copy -> EncryptedCopy? in
            guard let device = copy.jid("jid"), let enc = copy.child("enc"), let bytes = enc.bytesContent else {
                return nil
            }
            return EncryptedCopy(device: device, type: enc.type ?? "", ciphertext: bytes)
        }
        let stanza = OutgoingStanza(
            id: step.id, to: to, traits: StanzaTraits(content),
            deviceIdentity: sent.child("device-identity")?.bytesContent ?? [])
        // The capture's client had reporting tokens switched on.
        let token = ReportingToken.applies(to: content) ? sent.child("reporting", "reporting_token")?.bytesContent : nil
        guard to.isGroup else {
            return stanza.direct(
                copies: copies ?? [], recipientPN: sent.jid("peer_recipient_pn"), token: nil, reportingToken: token)
        }
        guard let ciphertext = sent.child("enc")?.bytesContent, let phash = sent["phash"] else { return nil }
        return stanza.group(
            distribution: copies ?? [], ciphertext: ciphertext, phash: phash, isLIDMode: true, reportingToken: token)
    }

    static let receipts: [String: Builder] = [
        "mark read (one-to-one)": { step in
            ReadReceipt.make(
                kind: .read, chat: .lid("100000020007919"), ids: [step.id], participant: nil, at: 1_750_000_000
            )
            .first
        },
        "mark read (group, two ids)": { step in
            let second = step.sent.child("list", "item")?["id"] ?? ""
            return ReadReceipt.make(
                kind: .read, chat: .group("120363000000000003"), ids: [step.id, second],
                participant: .lid("100000020007919", device: 1), at: 1_750_000_000
            ).first
        },
        "mark played": { step in
            ReadReceipt.make(
                kind: .played, chat: .lid("100000020007919"), ids: [step.id], participant: nil, at: 1_750_000_000
            ).first
        },
        "undecryptable message: retry receipt and ack": { step in
            guard let message = step.answered(tag: "message"), let info = MessageInfo(message, own: own(step.client))
            else {
                return nil
            }
            let registration = step.sent.child("registration")?.bytesContent ?? []
            return RetryReceipt.make(
                for: message, info: info, count: 1,
                registrationID: registration.reduce(0) { $0 << 8 | UInt32($1) }, reason: nil, keys: nil)
        },
        "media retry receipt": { step in
            let encrypted = step.sent.child("encrypt")
            return MediaStanzas.retryReceipt(
                messageID: step.id, own: own(step.client).pn, chat: .lid("100000020015838"), fromMe: false,
                participant: nil, payload: encrypted?.child("enc_p")?.bytesContent ?? [],
                iv: encrypted?.child("enc_iv")?.bytesContent ?? [])
        },
    ]
}

import Cryptography
import Transport

/// Stanzas about media servers and files (05-message-content, sections 26.1, 26.6).
package enum MediaStanzas {
    /// Asks for the media servers and a token for them.
    package static func connectionQuery(id: String) -> Stanza {
        Stanza(
            "iq", ["id": .text(id), "xmlns": "w:m", "type": "set", "to": .jid(.serverJID)],
            children: [Stanza("media_conn")])
    }

    /// Asks the own phone to upload a message's file again.
    ///
    /// ```
    /// <receipt id="<message>" to="<own bare>" type="server-error">
    ///   <encrypt><enc_p/><enc_iv/></encrypt><rmr jid="<chat>" from_me [participant]/>
    /// </receipt>
    /// ```
    /// - Parameters:
    ///   - payload: of `MediaRetry.request(iv:)`.
    ///   - participant: the sender, in groups only.
    package static func retryReceipt(
        messageID: String, own: JID, chat: JID, fromMe: Bool, participant: JID?, payload: Bytes, iv: Bytes
    ) -> Stanza {
        Stanza(
            "receipt", ["id": .text(messageID), "to": .jid(own.bare), "type": "server-error"],
            children: [
                Stanza("encrypt", children: [Stanza("enc_p", bytes: payload), Stanza("enc_iv", bytes: iv)]),
                Stanza(
                    "rmr",
                    [
                        "jid": .jid(chat), "from_me": .bool(fromMe),
                        "participant": participant.map { .jid($0.bare) },
                    ]),
            ])
    }
}

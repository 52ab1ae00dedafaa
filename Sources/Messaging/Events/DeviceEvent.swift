import Cryptography

/// One webhook event, born in the transaction of what caused it (11-webhooks).
///
/// The envelope (event id, sequence, device id) is the store's: it makes one row per (device, `dedupeKey`) and ignores a
/// second one with the same key, so a redelivered stanza never sends an event twice.
package struct DeviceEvent: Sendable, Equatable {
    /// Longest key in UTF-8 bytes, far below what an index row holds.
    private static let keyLimit = 512

    /// Name of the catalogue, `message.received`.
    package var type: String
    /// Unique per device for 15 days. A long one, with ids that others chose, is its SHA-256.
    package var dedupeKey: String
    /// The `data` object: JSON in UTF-8.
    package var data: [UInt8]
    /// When the event was produced.
    package var at: Timestamp
    /// Whose message it says was changed: no event is made of a claim that the stored messages contradict.
    package var claim: AuthorshipClaim?

    package init(
        type: String, dedupeKey: String, data: [UInt8], at: Timestamp, claim: AuthorshipClaim? = nil
    ) {
        self.type = type
        let isShort = dedupeKey.utf8.count <= Self.keyLimit
        self.dedupeKey = isShort ? dedupeKey : "\(type) " + Hex.encode(SHA256Digest.hash(Array(dedupeKey.utf8)))
        self.data = data
        self.at = at
        self.claim = claim
    }
}

/// That a message is somebody's own, to edit or to revoke (04-message-pipeline, section 13.6). The id is what a peer
/// writes; whose message it is, only the stored row knows. A message that is not stored contradicts nothing.
package struct AuthorshipClaim: Sendable, Equatable {
    /// Key of the chat.
    package var chat: String
    package var messageID: String
    package var fromMe: Bool
    /// Addresses of the person, PN and LID; nil for an own message.
    package var author: [String]?

    package init(chat: String, messageID: String, fromMe: Bool, author: [String]?) {
        self.chat = chat
        self.messageID = messageID
        self.fromMe = fromMe
        self.author = author
    }
}

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

    package init(type: String, dedupeKey: String, data: [UInt8], at: Timestamp) {
        self.type = type
        let isShort = dedupeKey.utf8.count <= Self.keyLimit
        self.dedupeKey = isShort ? dedupeKey : "\(type) " + Hex.encode(SHA256Digest.hash(Array(dedupeKey.utf8)))
        self.data = data
        self.at = at
    }
}

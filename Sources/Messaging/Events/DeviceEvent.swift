/// One webhook event, born in the transaction of what caused it (11-webhooks).
///
/// The envelope (event id, sequence, device id) is the store's: it makes one row per (device, `dedupeKey`) and ignores a
/// second one with the same key, so a redelivered stanza never sends an event twice.
package struct DeviceEvent: Sendable, Equatable {
    /// Name of the catalogue, `message.received`.
    package var type: String
    /// Unique per device for 15 days.
    package var dedupeKey: String
    /// The `data` object: JSON in UTF-8.
    package var data: [UInt8]
    /// When the event was produced.
    package var at: Timestamp

    package init(type: String, dedupeKey: String, data: [UInt8], at: Timestamp) {
        self.type = type
        self.dedupeKey = dedupeKey
        self.data = data
        self.at = at
    }
}

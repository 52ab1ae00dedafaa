import Cryptography
import Transport
import WhatsAppProtobuf

/// The keys with which an account encrypts its app state; only its phone makes them (06-app-state-history, section 3).
package struct PhoneAppStateKeys: Sendable, Equatable, Codable {
    package struct Key: Sendable, Equatable, Codable {
        /// Device 0 in two bytes, then the epoch in four, big-endian.
        package var id: Bytes
        /// 32 bytes.
        package var data: Bytes
        /// Unix milliseconds.
        package var time: Int64
        /// ADV raw id, current key index and valid key indexes when the key was made.
        package var rawID: UInt32
        package var currentIndex: UInt32
        package var deviceIndexes: [UInt32]
    }

    /// Oldest first; the last one encrypts.
    package private(set) var keys: [Key] = []
    private var epoch: UInt32 = 0

    package init() {}

    package var isEmpty: Bool { keys.isEmpty }

    /// Adds a key of the next epoch. The first epoch of an account is `firstEpoch` (1…65536).
    package mutating func rotate(
        data: Bytes, time: Int64, firstEpoch: UInt32, rawID: UInt32, currentIndex: UInt32, deviceIndexes: [UInt32]
    ) {
        epoch = keys.isEmpty ? firstEpoch : epoch &+ 1
        let id: Bytes = [0, 0] + WireNumber.bytes(epoch, 4)
        // A later key must have a later time, whatever the clock says: clients pick the newest by it.
        let time = max(time, (keys.last?.time ?? 0) + 1)
        keys.append(
            Key(
                id: id, data: data, time: time, rawID: rawID, currentIndex: currentIndex, deviceIndexes: deviceIndexes))
    }

    /// `AppStateSyncKeyShare` of all keys, or of those in `wanted`; an unknown wanted id is answered without data.
    package func share(wanted: [Bytes]? = nil) -> Bytes {
        var writer = ProtoWriter()
        for id in wanted ?? keys.map(\.id) {
            let key = keys.first { $0.id == id }
            writer.message(1) { entry in
                entry.message(1) { $0.bytes(1, id) }
                guard let key else { return }
                entry.message(2) { data in
                    data.bytes(1, key.data)
                    data.message(2) { fingerprint in
                        fingerprint.varint(1, UInt64(key.rawID))
                        fingerprint.varint(2, UInt64(key.currentIndex))
                        var packed = ProtoWriter()
                        for index in key.deviceIndexes { packed.raw(varint: UInt64(index)) }
                        fingerprint.bytes(3, packed.bytes)
                    }
                    data.int(3, key.time)
                }
            }
        }
        return writer.bytes
    }
}

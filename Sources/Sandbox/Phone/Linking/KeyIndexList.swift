import Cryptography
import WhatsAppProtobuf

/// The list of companions that an account still vouches for, signed by its identity key.
///
/// Layout: `ADVKeyIndexList` and `ADVSignedKeyIndexList` of 02-pairing-login, section 7.2.
package struct KeyIndexList: Sendable, Equatable {
    package var rawID: UInt32
    /// Unix seconds.
    package var timestamp: UInt64
    /// The key index given out last.
    package var currentIndex: UInt32
    /// 0 (the phone) and the indexes of all live companions, ascending.
    package var validIndexes: [UInt32]

    package init(rawID: UInt32, timestamp: UInt64, currentIndex: UInt32, validIndexes: [UInt32]) {
        self.rawID = rawID
        self.timestamp = timestamp
        self.currentIndex = currentIndex
        self.validIndexes = validIndexes
    }

    package func serialized() -> Bytes {
        var writer = ProtoWriter()
        writer.varint(1, UInt64(rawID))
        writer.varint(2, timestamp)
        writer.varint(3, UInt64(currentIndex))
        var packed = ProtoWriter()
        for index in validIndexes { packed.raw(varint: UInt64(index)) }
        writer.bytes(4, packed.bytes)
        return writer.bytes
    }

    /// The `ADVSignedKeyIndexList` as device lists carry it. `random` is the 64 bytes that the signature needs.
    package func signed(by account: KeyPair, random: Bytes) -> Bytes {
        let details = serialized()
        var writer = ProtoWriter()
        writer.bytes(1, details)
        writer.bytes(
            2, account.privateKey.sign(DeviceIdentity.Prefix.keyIndexList + details, random: random))
        return writer.bytes
    }
}

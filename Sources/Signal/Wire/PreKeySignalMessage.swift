import Cryptography
import WhatsAppProtobuf

/// The first ciphertexts of a session, `<enc type="pkmsg">`: what the receiver needs to build it, around a SignalMessage.
///
/// Layout: `33 ‖ protobuf` (03-signal, section 7.2). Fields: 1 preKeyId uint32 (absent or 0 = none), 2 baseKey bytes(33),
/// 3 identityKey bytes(33), 4 message bytes, 5 registrationId uint32, 6 signedPreKeyId uint32.
package struct PreKeySignalMessage: Sendable, Equatable {
    package let preKeyID: UInt32?
    package let baseKey: PublicKey
    package let identityKey: PublicKey
    package let message: SignalMessage
    /// The sender's.
    package let registrationID: UInt32
    package let signedPreKeyID: UInt32

    /// Throws `legacyVersion`, `unknownVersion`, `invalidMessage` or `invalidKey`.
    package init(parsing bytes: Bytes) throws { try self.init(parsing: bytes[...]) }

    package init(parsing bytes: ArraySlice<UInt8>) throws {
        guard let version = bytes.first else { throw SignalError.invalidMessage("PreKeySignalMessage: empty") }
        try MessageVersion.check(version)
        var (preKeyID, signedPreKeyID): (UInt32?, UInt32?)
        var (baseKey, identityKey): (PublicKey?, PublicKey?)
        var inner: ArraySlice<UInt8>?
        var registrationID: UInt32 = 0
        try ProtoReader.fields(bytes.dropFirst(), of: "PreKeySignalMessage") { field in
            switch field.number {
            case 1: preKeyID = try field.uint32Value()
            case 2: baseKey = try field.keyValue()
            case 3: identityKey = try field.keyValue()
            case 4: inner = try field.dataValue()
            case 5: registrationID = try field.uint32Value()
            case 6: signedPreKeyID = try field.uint32Value()
            default: break
            }
        }
        guard let baseKey, let identityKey, let inner, let signedPreKeyID else {
            throw SignalError.invalidMessage("PreKeySignalMessage: incomplete")
        }
        // X25519 ignores the top bit of a key, so two spellings of a base key would name one session as two, and a
        // message without one-time prekey could be replayed once. No honest key has the bit set.
        guard baseKey.withUnsafeBytes({ $0[31] & 0x80 == 0 }) else { throw SignalError.invalidKey }
        self.preKeyID = preKeyID == 0 ? nil : preKeyID
        self.baseKey = baseKey
        self.identityKey = identityKey
        self.registrationID = registrationID
        self.signedPreKeyID = signedPreKeyID
        message = try SignalMessage(parsing: inner)
    }

    static func encode(
        pending: PendingPreKey, baseKey: PublicKey, identityKey: PublicKey, registrationID: UInt32, message: Bytes
    ) -> Bytes {
        var writer = ProtoWriter(capacity: message.count + 104)
        writer.raw(CollectionOfOne(MessageVersion.byte))
        if let id = pending.oneTimePreKeyID { writer.varint(1, UInt64(id)) }
        writer.bytes(2, baseKey.serialized)
        writer.bytes(3, identityKey.serialized)
        writer.bytes(4, message)
        writer.varint(5, UInt64(registrationID))
        writer.varint(6, UInt64(pending.signedPreKeyID))
        return writer.bytes
    }
}

import Cryptography
import WhatsAppProtobuf

/// The ciphertext of an established session, `<enc type="msg">`, and the inside of a pkmsg.
///
/// Layout: `33 ‖ protobuf ‖ mac[8]` (03-signal, section 7.1). Fields: 1 ratchetKey bytes(33), 2 counter uint32,
/// 3 previousCounter uint32, 4 ciphertext bytes. Written with every field, ascending, because one peer checks the MAC over
/// its own re-serialisation; checked here over the bytes as received.
package struct SignalMessage: Sendable, Equatable {
    package static let macCount = 8

    /// The sender's current ratchet key.
    package let ratchetKey: PublicKey
    package let counter: UInt32
    /// Informational: last counter of the sender's previous chain. Never validated.
    package let previousCounter: UInt32
    package let ciphertext: ArraySlice<UInt8>
    /// Everything in front of the MAC, as received.
    package let authenticated: ArraySlice<UInt8>
    package let mac: ArraySlice<UInt8>

    /// Throws `legacyVersion`, `unknownVersion`, `invalidMessage` or `invalidKey`.
    package init(parsing bytes: Bytes) throws { try self.init(parsing: bytes[...]) }

    package init(parsing bytes: ArraySlice<UInt8>) throws {
        guard let version = bytes.first else { throw SignalError.invalidMessage("SignalMessage: empty") }
        try MessageVersion.check(version)
        guard bytes.count > 1 + SignalMessage.macCount else {
            throw SignalError.invalidMessage("SignalMessage: incomplete")
        }
        authenticated = bytes.dropLast(SignalMessage.macCount)
        mac = bytes.suffix(SignalMessage.macCount)
        var (ratchetKey, ciphertext): (PublicKey?, ArraySlice<UInt8>?)
        var (counter, previousCounter): (UInt32, UInt32) = (0, 0)
        try ProtoReader.fields(authenticated.dropFirst(), of: "SignalMessage") { field in
            switch field.number {
            case 1: ratchetKey = try field.keyValue()
            case 2: counter = try field.uint32Value()
            case 3: previousCounter = try field.uint32Value()
            case 4: ciphertext = try field.dataValue()
            default: break
            }
        }
        guard let ratchetKey, let ciphertext, !ciphertext.isEmpty else {
            throw SignalError.invalidMessage("SignalMessage: incomplete")
        }
        self.ratchetKey = ratchetKey
        self.counter = counter
        self.previousCounter = previousCounter
        self.ciphertext = ciphertext
    }

    /// `33 ‖ protobuf`, with room for the MAC.
    static func encode(
        ratchetKey: PublicKey, counter: UInt32, previousCounter: UInt32, ciphertext: Bytes
    ) -> Bytes {
        var writer = ProtoWriter(capacity: ciphertext.count + 64)
        writer.raw(CollectionOfOne(MessageVersion.byte))
        writer.bytes(1, ratchetKey.serialized)
        writer.varint(2, UInt64(counter))
        writer.varint(3, UInt64(previousCounter))
        writer.bytes(4, ciphertext)
        return writer.bytes
    }
}

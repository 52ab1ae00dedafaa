import Cryptography
import WhatsAppProtobuf

/// A group ciphertext, `<enc type="skmsg">`.
///
/// Layout: `33 ‖ protobuf ‖ signature[64]`, the XEdDSA signature covering everything in front of it (03-signal, section
/// 7.3). Fields: 1 id uint32, 2 iteration uint32, 3 ciphertext bytes.
package struct SenderKeyMessage: Sendable, Equatable {
    package let keyID: UInt32
    package let iteration: UInt32
    package let ciphertext: ArraySlice<UInt8>
    /// Everything in front of the signature, as received.
    package let signed: ArraySlice<UInt8>
    package let signature: ArraySlice<UInt8>

    /// Throws `legacyVersion`, `unknownVersion` or `invalidMessage`.
    package init(parsing bytes: Bytes) throws { try self.init(parsing: bytes[...]) }

    package init(parsing bytes: ArraySlice<UInt8>) throws {
        guard let version = bytes.first else { throw SignalError.invalidMessage("SenderKeyMessage: empty") }
        try MessageVersion.check(version)
        guard bytes.count > 1 + XEdDSA.signatureCount else {
            throw SignalError.invalidMessage("SenderKeyMessage: incomplete")
        }
        signed = bytes.dropLast(XEdDSA.signatureCount)
        signature = bytes.suffix(XEdDSA.signatureCount)
        var (keyID, iteration): (UInt32, UInt32) = (0, 0)
        var ciphertext: ArraySlice<UInt8>?
        try ProtoReader.fields(signed.dropFirst(), of: "SenderKeyMessage") { field in
            switch field.number {
            case 1: keyID = try field.uint32Value()
            case 2: iteration = try field.uint32Value()
            case 3: ciphertext = try field.dataValue()
            default: break
            }
        }
        guard let ciphertext, !ciphertext.isEmpty else {
            throw SignalError.invalidMessage("SenderKeyMessage: incomplete")
        }
        self.keyID = keyID
        self.iteration = iteration
        self.ciphertext = ciphertext
    }

    /// `33 ‖ protobuf`, with room for the signature.
    static func encode(keyID: UInt32, iteration: UInt32, ciphertext: Bytes) -> Bytes {
        var writer = ProtoWriter(capacity: ciphertext.count + 24 + XEdDSA.signatureCount)
        writer.raw(CollectionOfOne(MessageVersion.byte))
        writer.varint(1, UInt64(keyID))
        writer.varint(2, UInt64(iteration))
        writer.bytes(3, ciphertext)
        return writer.bytes
    }
}

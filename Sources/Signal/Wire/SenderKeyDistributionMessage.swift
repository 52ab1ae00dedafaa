import Cryptography
import WhatsAppProtobuf

/// A sender key as it is given to the members of a group, inside a pairwise message.
///
/// Layout: `33 ‖ protobuf` (03-signal, section 7.4). Fields: 1 id uint32, 2 iteration uint32, 3 chainKey bytes(32),
/// 4 signingKey bytes(33).
package struct SenderKeyDistributionMessage: Sendable, Equatable {
    package let keyID: UInt32
    /// The first message that the receiver of this will be able to decrypt.
    package let iteration: UInt32
    package let chainKey: SecretBytes
    package let signingKey: PublicKey

    init(keyID: UInt32, iteration: UInt32, chainKey: SecretBytes, signingKey: PublicKey) {
        self.keyID = keyID
        self.iteration = iteration
        self.chainKey = chainKey
        self.signingKey = signingKey
    }

    /// Throws `legacyVersion`, `unknownVersion`, `invalidMessage` or `invalidKey`.
    package init(parsing bytes: Bytes) throws { try self.init(parsing: bytes[...]) }

    package init(parsing bytes: ArraySlice<UInt8>) throws {
        guard let version = bytes.first else {
            throw SignalError.invalidMessage("SenderKeyDistributionMessage: empty")
        }
        try MessageVersion.check(version)
        var (keyID, iteration): (UInt32, UInt32) = (0, 0)
        var chainKey: SecretBytes?
        var signingKey: PublicKey?
        try ProtoReader.fields(bytes.dropFirst(), of: "SenderKeyDistributionMessage") { field in
            switch field.number {
            case 1: keyID = try field.uint32Value()
            case 2: iteration = try field.uint32Value()
            case 3: chainKey = SecretBytes(try field.dataValue())
            case 4: signingKey = try field.keyValue()
            default: break
            }
        }
        guard let chainKey, let signingKey, chainKey.count == ChainKey.count else {
            throw SignalError.invalidMessage("SenderKeyDistributionMessage: incomplete")
        }
        self.init(keyID: keyID, iteration: iteration, chainKey: chainKey, signingKey: signingKey)
    }

    package func serialized() -> Bytes {
        var writer = ProtoWriter(capacity: 96)
        writer.raw(CollectionOfOne(MessageVersion.byte))
        writer.varint(1, UInt64(keyID))
        writer.varint(2, UInt64(iteration))
        chainKey.withUnsafeBytes { writer.bytes(3, $0) }
        writer.bytes(4, signingKey.serialized)
        return writer.bytes
    }
}

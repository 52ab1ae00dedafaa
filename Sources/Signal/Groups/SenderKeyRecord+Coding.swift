import Cryptography
import WhatsAppProtobuf

// Layout of a stored record: a format byte, then field 1 for each state, newest first:
//   1 keyID, 2 signingKey 32, 3 chainKey 32, 4 iteration,
//   own: 5 signing private key 32, 6 extensions; remote: 7 firstIteration, 8 skipped: n × (iteration 4 LE ‖ seed 32)
extension SenderKeyRecord {
    private static let format: UInt8 = 0x21

    /// A record from its row or from `serialized`. Throws `corruptRecord`. Nothing may be sent from it before an image is
    /// durable.
    package init(parsing bytes: Bytes) throws {
        guard bytes.first == SenderKeyRecord.format else { throw SignalError.corruptRecord("sender key: format") }
        var states: [SenderKeyState] = []
        try RecordDecoding.fields(bytes.dropFirst(), of: "sender key") { field in
            guard field.number == 1 else { throw SignalError.corruptRecord("sender key: field \(field.number)") }
            states.append(try SenderKeyState(decoding: field.bytes))
        }
        guard states.count <= SignalLimits.senderKeyStates else {
            throw SignalError.corruptRecord("sender key: \(states.count) states")
        }
        self.states = states
    }

    /// The whole record as it stands, an own chain live included; the same caution as `SessionRecord.serialized`.
    package func serialized() -> Bytes { encoded(.live) }

    func encoded(_ image: SessionState.SenderImage) -> Bytes {
        var writer = ProtoWriter(capacity: 160 * (1 + states.count))
        writer.raw(CollectionOfOne(SenderKeyRecord.format))
        for state in states { writer.message(1) { state.encode(image, into: &$0) } }
        return writer.bytes
    }
}

extension SenderKeyState {
    fileprivate func encode(_ image: SessionState.SenderImage, into writer: inout ProtoWriter) {
        writer.varint(1, UInt64(keyID))
        writer.key(2, signingKey)
        switch role {
        case .own(let chain, let signing):
            let position = image == .live ? chain.live : chain.parked
            writer.secret(3, position.key)
            writer.varint(4, UInt64(position.index))
            writer.secret(5, signing.secret)
            writer.varint(6, UInt64(chain.extensions))
        case .remote(let chain, let firstIteration):
            writer.secret(3, chain.position.key)
            writer.varint(4, UInt64(chain.position.index))
            writer.varint(7, UInt64(firstIteration))
            if !chain.skipped.isEmpty { writer.bytes(8, chain.skipped.encoded()) }
        }
    }

    fileprivate init(decoding bytes: ArraySlice<UInt8>) throws {
        var (keyID, iteration): (UInt32?, UInt32?)
        var signingKey: PublicKey?
        var (chainKey, signing): (SecretBytes?, SecretBytes?)
        var (extensions, firstIteration): (UInt32, UInt32) = (0, 0)
        var skipped = SkippedKeys()
        try RecordDecoding.fields(bytes, of: "sender key state") { field in
            switch field.number {
            case 1: keyID = field.uint32
            case 2: signingKey = try RecordDecoding.key(field)
            case 3: chainKey = try RecordDecoding.secret(field)
            case 4: iteration = field.uint32
            case 5: signing = try RecordDecoding.secret(field)
            case 6: extensions = field.uint32
            case 7: firstIteration = field.uint32
            case 8: skipped = try SkippedKeys(decoding: field.bytes)
            default: throw SignalError.corruptRecord("sender key state: field \(field.number)")
            }
        }
        guard let keyID, let iteration, let signingKey, let chainKey else {
            throw SignalError.corruptRecord("sender key state: incomplete")
        }
        let position = ChainKey(key: chainKey, index: iteration)
        self.keyID = keyID
        self.signingKey = signingKey
        if let signing {
            guard let key = try? PrivateKey(signing) else {
                throw SignalError.corruptRecord("sender key state: signing key")
            }
            role = .own(
                ReservedChain(stored: position, used: iteration, extensions: UInt8(clamping: extensions)), signing: key)
        } else {
            role = .remote(MessageChain(position, skipped: skipped), firstIteration: firstIteration)
        }
    }
}

import Cryptography
import WhatsAppProtobuf

// Layout of a stored state: a format byte, then protobuf fields in ascending order:
//   1 localIdentity 32, 2 remoteIdentity 32, 3 baseKey 32, 4 localRegistrationID, 5 remoteRegistrationID, 6 rootKey 32,
//   7 previousCounter, 8 sender {1 public 32, 2 private 32, 3 chainKey 32, 4 index, 5 used, 6 extensions},
//   9 repeated receiver {1 ratchetKey 32, 2 chainKey 32, 3 index, 4 skipped: n × (counter 4 LE ‖ seed 32)},
//   10 pending {1 oneTimePreKeyID, 2 signedPreKeyID}
// The row of a record without current state is the format byte alone.
extension SessionState {
    /// First byte of a stored state.
    static let format: UInt8 = 0x01

    /// Which position of the sending chain is written.
    enum SenderImage {
        /// The end of the reservation: safe to load whatever was sent.
        case parked
        /// The chain as it stands: only right when nothing is sent between the write and the next load.
        case live
    }

    static func encode(_ state: SessionState?, _ image: SenderImage) -> Bytes {
        state?.encoded(image) ?? [format]
    }

    func encoded(_ image: SenderImage) -> Bytes {
        var writer = ProtoWriter(capacity: 512 + receivers.reduce(0) { $0 + 88 + 36 * $1.chain.skipped.count })
        writer.raw(CollectionOfOne(SessionState.format))
        writer.key(1, localIdentity)
        writer.key(2, remoteIdentity)
        writer.key(3, baseKey)
        writer.varint(4, UInt64(localRegistrationID))
        writer.varint(5, UInt64(remoteRegistrationID))
        writer.secret(6, rootKey)
        writer.varint(7, UInt64(previousCounter))
        let chain = image == .live ? sender.chain.live : sender.chain.parked
        writer.message(8) { writer in
            writer.key(1, sender.ratchetKey.publicKey)
            writer.secret(2, sender.ratchetKey.privateKey.secret)
            writer.secret(3, chain.key)
            writer.varint(4, UInt64(chain.index))
            writer.varint(5, UInt64(sender.chain.used))
            writer.varint(6, UInt64(sender.chain.extensions))
        }
        for receiver in receivers {
            writer.message(9) { writer in
                writer.key(1, receiver.ratchetKey)
                writer.secret(2, receiver.chain.position.key)
                writer.varint(3, UInt64(receiver.chain.position.index))
                if !receiver.chain.skipped.isEmpty { writer.bytes(4, receiver.chain.skipped.encoded()) }
            }
        }
        if let pending {
            writer.message(10) { writer in
                if let id = pending.oneTimePreKeyID { writer.varint(1, UInt64(id)) }
                writer.varint(2, UInt64(pending.signedPreKeyID))
            }
        }
        return writer.bytes
    }

    /// The state of a row, or nil for the row of a record without one. Throws `corruptRecord`.
    static func decode(_ bytes: ArraySlice<UInt8>) throws -> SessionState? {
        guard bytes.first == format else { throw SignalError.corruptRecord("session: format") }
        if bytes.count == 1 { return nil }
        var (local, remote, base): (PublicKey?, PublicKey?, PublicKey?)
        var (localRegistrationID, remoteRegistrationID, previousCounter): (UInt32, UInt32, UInt32) = (0, 0, 0)
        var rootKey: SecretBytes?
        var sender: SendingRatchet?
        var receivers: [ReceivingRatchet] = []
        var pending: PendingPreKey?
        try RecordDecoding.fields(bytes.dropFirst(), of: "session") { field in
            switch field.number {
            case 1: local = try RecordDecoding.key(field)
            case 2: remote = try RecordDecoding.key(field)
            case 3: base = try RecordDecoding.key(field)
            case 4: localRegistrationID = field.uint32
            case 5: remoteRegistrationID = field.uint32
            case 6: rootKey = try RecordDecoding.secret(field)
            case 7: previousCounter = field.uint32
            case 8: sender = try decodeSender(field.bytes)
            case 9: receivers.append(try decodeReceiver(field.bytes))
            case 10: pending = try decodePending(field.bytes)
            default: throw SignalError.corruptRecord("session: field \(field.number)")
            }
        }
        guard let local, let remote, let base, let rootKey, let sender,
            receivers.count <= SignalLimits.receivingChains
        else { throw SignalError.corruptRecord("session: incomplete") }
        return SessionState(
            localIdentity: local, remoteIdentity: remote, baseKey: base, localRegistrationID: localRegistrationID,
            remoteRegistrationID: remoteRegistrationID, rootKey: rootKey, previousCounter: previousCounter,
            sender: sender, receivers: receivers, pending: pending)
    }

    private static func decodeSender(_ bytes: ArraySlice<UInt8>) throws -> SendingRatchet {
        var (publicKey, privateKey, chainKey): (PublicKey?, SecretBytes?, SecretBytes?)
        var (index, used, extensions): (UInt32, UInt32, UInt32) = (0, 0, 0)
        try RecordDecoding.fields(bytes, of: "session sender") { field in
            switch field.number {
            case 1: publicKey = try RecordDecoding.key(field)
            case 2: privateKey = try RecordDecoding.secret(field)
            case 3: chainKey = try RecordDecoding.secret(field)
            case 4: index = field.uint32
            case 5: used = field.uint32
            case 6: extensions = field.uint32
            default: throw SignalError.corruptRecord("session sender: field \(field.number)")
            }
        }
        guard let publicKey, let privateKey, let chainKey, let key = try? PrivateKey(privateKey) else {
            throw SignalError.corruptRecord("session sender: incomplete")
        }
        return SendingRatchet(
            ratchetKey: KeyPair(privateKey: key, publicKey: publicKey),
            chain: ReservedChain(
                stored: ChainKey(key: chainKey, index: index), used: used, extensions: UInt8(clamping: extensions)))
    }

    private static func decodeReceiver(_ bytes: ArraySlice<UInt8>) throws -> ReceivingRatchet {
        var (ratchetKey, chainKey): (PublicKey?, SecretBytes?)
        var index: UInt32 = 0
        var skipped = SkippedKeys()
        try RecordDecoding.fields(bytes, of: "session receiver") { field in
            switch field.number {
            case 1: ratchetKey = try RecordDecoding.key(field)
            case 2: chainKey = try RecordDecoding.secret(field)
            case 3: index = field.uint32
            case 4: skipped = try SkippedKeys(decoding: field.bytes)
            default: throw SignalError.corruptRecord("session receiver: field \(field.number)")
            }
        }
        guard let ratchetKey, let chainKey else { throw SignalError.corruptRecord("session receiver: incomplete") }
        return ReceivingRatchet(
            ratchetKey: ratchetKey, chain: MessageChain(ChainKey(key: chainKey, index: index), skipped: skipped))
    }

    private static func decodePending(_ bytes: ArraySlice<UInt8>) throws -> PendingPreKey {
        var (oneTime, signed): (UInt32?, UInt32?)
        try RecordDecoding.fields(bytes, of: "session pending") { field in
            switch field.number {
            case 1: oneTime = field.uint32
            case 2: signed = field.uint32
            default: throw SignalError.corruptRecord("session pending: field \(field.number)")
            }
        }
        guard let signed else { throw SignalError.corruptRecord("session pending: incomplete") }
        return PendingPreKey(oneTimePreKeyID: oneTime, signedPreKeyID: signed)
    }
}

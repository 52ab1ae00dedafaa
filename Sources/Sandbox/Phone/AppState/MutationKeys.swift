import Cryptography

/// The sub-keys of one app state key (06, section 3.4) and what is done with them (sections 5 and 6).
struct MutationKeys: Sendable {
    private static let info = Bytes("WhatsApp Mutation Keys".utf8)

    let keyID: Bytes
    private let index: Bytes
    private let valueEncryption: Bytes
    private let valueMACKey: Bytes
    private let snapshotMACKey: Bytes
    private let patchMACKey: Bytes

    /// `data`: the key's 32 bytes.
    init(keyID: Bytes, data: Bytes) {
        self.keyID = keyID
        let expanded = HKDFSHA256.derive(inputKeyMaterial: data, info: Self.info, count: 160)
        index = Bytes(expanded[..<32])
        valueEncryption = Bytes(expanded[32..<64])
        valueMACKey = Bytes(expanded[64..<96])
        snapshotMACKey = Bytes(expanded[96..<128])
        patchMACKey = Bytes(expanded[128..<160])
    }

    enum Failure: Error, Equatable {
        case valueMAC
        case indexMAC
        case malformed
    }

    func indexMAC(_ indexJSON: Bytes) -> Bytes { HMACSHA256.authenticate(indexJSON, key: index) }

    /// `op ‖ key id ‖ data ‖ 8 bytes big-endian of (1 + length of the key id)`, HMAC-SHA512 cut to 32 bytes.
    private func valueMAC(_ operation: SyncdMutation.Operation, _ data: Bytes) -> Bytes {
        let code: UInt8 = operation == .set ? 1 : 2
        let length = Self.bigEndian(UInt64(keyID.count + 1))
        return Bytes(
            HMACSHA512.authenticate([code] + keyID + data + length, key: valueMACKey).prefix(32))
    }

    /// `plaintext`: a serialized `SyncActionData`; `iv`: 16 bytes.
    func seal(
        _ operation: SyncdMutation.Operation, indexJSON: Bytes, plaintext: Bytes, iv: Bytes
    ) throws -> SyncdMutation {
        let data = iv + (try AESCBC.encrypt(plaintext, key: valueEncryption, iv: iv))
        return SyncdMutation(
            operation: operation, indexMAC: indexMAC(indexJSON), value: data + valueMAC(operation, data), keyID: keyID)
    }

    /// The serialized `SyncActionData`; the index inside is checked too. Throws ``Failure``.
    func open(_ mutation: SyncdMutation) throws -> SyncAction {
        let data = Bytes(mutation.value.dropLast(32))
        guard constantTimeEquals(valueMAC(mutation.operation, data), mutation.valueMAC) else { throw Failure.valueMAC }
        let plaintext = try AESCBC.decrypt(Bytes(data[16...]), key: valueEncryption, iv: Bytes(data[..<16]))
        guard let action = SyncAction(parsing: plaintext) else { throw Failure.malformed }
        guard constantTimeEquals(indexMAC(action.indexJSON), mutation.indexMAC) else { throw Failure.indexMAC }
        return action
    }

    /// `version` after the patch.
    func snapshotMAC(_ hash: LTHash, version: UInt64, collection: String) -> Bytes {
        HMACSHA256.authenticate(
            hash.bytes + Self.bigEndian(version) + Bytes(collection.utf8), key: snapshotMACKey)
    }

    func patchMAC(snapshotMAC: Bytes, valueMACs: [Bytes], version: UInt64, collection: String) -> Bytes {
        HMACSHA256.authenticate(
            snapshotMAC + valueMACs.flatMap(\.self) + Self.bigEndian(version) + Bytes(collection.utf8), key: patchMACKey
        )
    }

    private static func bigEndian(_ value: UInt64) -> Bytes {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
    }
}

/// The homomorphic hash over the value MACs of a collection: 64 lanes of 16 bits (06, section 6).
struct LTHash: Sendable, Equatable {
    private static let info = Bytes("WhatsApp Patch Integrity".utf8)
    private var lanes = [UInt16](repeating: 0, count: 64)

    /// 128 bytes, each lane little-endian.
    var bytes: Bytes { lanes.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] } }

    mutating func add(_ valueMAC: Bytes) { combine(valueMAC, &+) }
    mutating func subtract(_ valueMAC: Bytes) { combine(valueMAC, &-) }

    private mutating func combine(_ valueMAC: Bytes, _ operation: (UInt16, UInt16) -> UInt16) {
        let expanded = HKDFSHA256.derive(inputKeyMaterial: valueMAC, info: Self.info, count: 128)
        for lane in lanes.indices {
            lanes[lane] = operation(
                lanes[lane], UInt16(expanded[2 * lane]) | UInt16(expanded[2 * lane + 1]) << 8)
        }
    }
}

import Cryptography
import WhatsAppProtobuf

/// One change of one record: what was set or removed, in clear.
package struct AppStateMutation: Sendable, Equatable {
    package enum Operation: UInt8, Sendable {
        /// The raw value is the byte that goes into the value MAC.
        case set = 1
        case remove = 2
    }

    package var operation: Operation
    /// The JSON array of the index, exactly as it travels: `["mute","12025550123@s.whatsapp.net"]`.
    package var indexJSON: Bytes
    /// `SyncActionValue`: the time in milliseconds and one action.
    package var value: ProtoMessage
    /// Version of the action's format.
    package var version: Int32

    package init(operation: Operation, indexJSON: Bytes, value: ProtoMessage, version: Int32) {
        self.operation = operation
        self.indexJSON = indexJSON
        self.value = value
        self.version = version
    }

    /// A change whose index is given in parts, `["mute", "12025550123@s.whatsapp.net"]`.
    package init(operation: Operation, index: [String], value: ProtoMessage, version: Int32) {
        self.init(
            operation: operation, indexJSON: ProtoJSON.array(index.map { .string($0) }).utf8, value: value,
            version: version)
    }

    /// The parts of the index, the first naming the action. Nil when it is not an array of at least one string.
    package var index: [String]? {
        guard let parts = (try? ProtoJSON(parsing: indexJSON))?.arrayValue, !parts.isEmpty else { return nil }
        let texts = parts.compactMap(\.stringValue)
        return texts.count == parts.count ? texts : nil
    }

    /// `SyncActionData`: what is encrypted. The padding is empty and present.
    var plaintext: Bytes {
        ProtoMessage(.syncActionData) { data in
            data[bytes: "index"] = indexJSON
            data[message: "value"] = value
            data[bytes: "padding"] = []
            data[int: "version"] = Int64(version)
        }.serialized()
    }

    init(operation: Operation, plaintext: Bytes) throws(AppStateError) {
        guard let data = try? ProtoMessage(.syncActionData, parsing: plaintext) else {
            throw .malformed("value is no SyncActionData")
        }
        self.init(
            operation: operation, indexJSON: data[bytes: "index"] ?? [],
            value: data[message: "value"] ?? ProtoMessage(.syncActionValue),
            version: Int32(truncatingIfNeeded: data[int: "version"] ?? 0))
    }
}

/// A record as it travels: everything but the operation is encrypted or a MAC.
///
/// Layout of the value blob: iv(16) ‖ AES-256-CBC ciphertext ‖ value MAC(32), where the value MAC is the first half of
/// HMAC-SHA512(key, operation ‖ key id ‖ iv ‖ ciphertext ‖ 8 bytes big-endian of 1 + length of the key id); the index MAC
/// is HMAC-SHA256(key, index JSON) (06-app-state-history, section 5).
package struct AppStateRecord: Sendable, Equatable {
    package static let macCount = 32

    package var operation: AppStateMutation.Operation
    /// 32 bytes.
    package var indexMAC: Bytes
    package var valueBlob: Bytes
    package var keyID: Bytes

    /// The last 32 bytes of the value blob: what the LTHash sums up.
    package var valueMAC: Bytes { Bytes(valueBlob.suffix(AppStateRecord.macCount)) }

    package init(operation: AppStateMutation.Operation, indexMAC: Bytes, valueBlob: Bytes, keyID: Bytes) {
        self.operation = operation
        self.indexMAC = indexMAC
        self.valueBlob = valueBlob
        self.keyID = keyID
    }

    /// Encrypts a change. `iv` has 16 fresh bytes.
    package init(encrypting mutation: AppStateMutation, keyID: Bytes, keys: AppStateKeys, iv: Bytes) throws {
        let sealed = iv + (try AESCBC.encrypt(mutation.plaintext, key: keys.valueEncryption, iv: iv))
        self.init(
            operation: mutation.operation,
            indexMAC: HMACSHA256.authenticate(mutation.indexJSON, key: keys.index),
            valueBlob: sealed + AppStateRecord.valueMAC(mutation.operation, keyID, sealed, keys),
            keyID: keyID)
    }

    /// Verifies and decrypts. Throws `AppStateError.valueMACMismatch`, `.indexMACMismatch` or `.malformed`.
    package func decrypt(_ keys: AppStateKeys) throws(AppStateError) -> AppStateMutation {
        let sealed = valueBlob.dropLast(AppStateRecord.macCount)
        guard sealed.count >= 32, sealed.count.isMultiple(of: 16) else { throw .malformed("value blob too short") }
        guard constantTimeEquals(AppStateRecord.valueMAC(operation, keyID, sealed, keys), valueMAC) else {
            throw .valueMACMismatch
        }
        guard
            let plaintext = try? AESCBC.decrypt(
                sealed.dropFirst(16), key: keys.valueEncryption, iv: sealed.prefix(16))
        else { throw .malformed("value cannot be decrypted") }
        let mutation = try AppStateMutation(operation: operation, plaintext: plaintext)
        guard constantTimeEquals(HMACSHA256.authenticate(mutation.indexJSON, key: keys.index), indexMAC) else {
            throw .indexMACMismatch
        }
        guard mutation.index != nil else { throw .malformed("index is no list of strings") }
        return mutation
    }

    private static func valueMAC(
        _ operation: AppStateMutation.Operation, _ keyID: Bytes, _ sealed: some Collection<UInt8>, _ keys: AppStateKeys
    ) -> Bytes {
        let input = [operation.rawValue] + keyID + Bytes(sealed) + bigEndian(UInt64(keyID.count + 1))
        return Bytes(HMACSHA512.authenticate(input, key: keys.valueMAC).prefix(macCount))
    }

    /// The `SyncdRecord` inside mutations and snapshots.
    package var protobuf: ProtoMessage {
        ProtoMessage(.syncdRecord) { record in
            record.update("index") { $0[bytes: "blob"] = indexMAC }
            record.update("value") { $0[bytes: "blob"] = valueBlob }
            record.update("keyID") { $0[bytes: "ID"] = keyID }
        }
    }

    init(operation: AppStateMutation.Operation, protobuf record: ProtoMessage) throws(AppStateError) {
        guard let indexMAC = record[message: "index"]?[bytes: "blob"], indexMAC.count == AppStateRecord.macCount,
            let valueBlob = record[message: "value"]?[bytes: "blob"], valueBlob.count >= 64,
            let keyID = record[message: "keyID"]?[bytes: "ID"]
        else { throw .malformed("record without index, value or key id") }
        self.init(operation: operation, indexMAC: indexMAC, valueBlob: valueBlob, keyID: keyID)
    }
}

/// Eight bytes, most significant first.
func bigEndian(_ number: UInt64) -> Bytes {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> UInt64(56 - 8 * $0)) }
}

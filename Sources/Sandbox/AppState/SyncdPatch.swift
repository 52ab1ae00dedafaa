import Cryptography
import WhatsAppProtobuf

/// One mutation of a patch, as the server reads it without any key.
///
/// Layout: `SyncdMutation` and `SyncdRecord` of 06, section 4.
struct SyncdMutation: Sendable, Equatable {
    enum Operation: UInt64, Sendable { case set = 0, remove = 1 }

    let operation: Operation
    /// HMAC of the index, 32 bytes.
    let indexMAC: Bytes
    /// iv 16 ‖ ciphertext ‖ value MAC 32.
    let value: Bytes
    let keyID: Bytes

    /// `nil` when a part is missing or too short.
    init?(_ fields: ProtoFields) {
        guard let operation = Operation(rawValue: fields.uint(1) ?? 0), let record = fields.message(2),
            let mutation = SyncdMutation(record: record, operation: operation)
        else { return nil }
        self = mutation
    }

    init?(record: ProtoFields, operation: Operation) {
        guard let indexMAC = record.message(1)?.bytes(1), indexMAC.count == 32,
            let value = record.message(2)?.bytes(1), value.count >= 64, value.count % 16 == 0,
            let keyID = record.message(3)?.bytes(1), !keyID.isEmpty
        else { return nil }
        self.init(operation: operation, indexMAC: indexMAC, value: value, keyID: keyID)
    }

    init(operation: Operation, indexMAC: Bytes, value: Bytes, keyID: Bytes) {
        self.operation = operation
        self.indexMAC = indexMAC
        self.value = value
        self.keyID = keyID
    }

    /// The last 32 bytes of the value.
    var valueMAC: Bytes { Bytes(value.suffix(32)) }

    /// The serialized `SyncdRecord`.
    var record: Bytes {
        var writer = ProtoWriter()
        writer.message(1) { $0.bytes(1, indexMAC) }
        writer.message(2) { $0.bytes(1, value) }
        writer.message(3) { $0.bytes(1, keyID) }
        return writer.bytes
    }

    var serialized: Bytes {
        var writer = ProtoWriter()
        writer.varint(1, operation.rawValue)
        writer.message(2, record)
        return writer.bytes
    }
}

/// A patch as it travels. Layout: `SyncdPatch` of 06, section 4.
struct SyncdPatch: Sendable, Equatable {
    var version: UInt64?
    var mutations: [SyncdMutation]
    /// Serialized `ExternalBlobReference`, when the mutations are in a file.
    var external: Bytes?
    var snapshotMAC: Bytes
    var patchMAC: Bytes
    var keyID: Bytes
    /// Whether the sender says that the collection is broken.
    var isExit = false
    /// The serialized patch as it came.
    private(set) var bytes: Bytes

    enum Failure: Error, Equatable { case malformed(String) }

    init(parsing bytes: Bytes) throws(Failure) {
        guard let fields = try? ProtoFields(bytes) else { throw .malformed("the patch is no protobuf") }
        self.bytes = bytes
        version = fields.message(1)?.uint(1)
        let nodes = fields.messages(2)
        mutations = nodes.compactMap { SyncdMutation($0) }
        guard mutations.count == nodes.count else { throw .malformed("a mutation lacks a part") }
        external = fields.bytes(3)
        guard let snapshotMAC = fields.bytes(4), snapshotMAC.count == 32, let patchMAC = fields.bytes(5),
            patchMAC.count == 32
        else { throw .malformed("a MAC has not 32 bytes") }
        guard let keyID = fields.message(6)?.bytes(1), !keyID.isEmpty else { throw .malformed("no key id") }
        self.snapshotMAC = snapshotMAC
        self.patchMAC = patchMAC
        self.keyID = keyID
        isExit = (fields.message(7)?.uint(1) ?? 0) != 0
        guard !mutations.isEmpty || external != nil || isExit else { throw .malformed("no mutations") }
    }

    /// A patch of a phone.
    init(mutations: [SyncdMutation], snapshotMAC: Bytes, patchMAC: Bytes, keyID: Bytes) {
        self.mutations = mutations
        self.snapshotMAC = snapshotMAC
        self.patchMAC = patchMAC
        self.keyID = keyID
        var writer = ProtoWriter()
        for mutation in mutations { writer.message(2, mutation.serialized) }
        writer.bytes(4, snapshotMAC)
        writer.bytes(5, patchMAC)
        writer.message(6) { $0.bytes(1, keyID) }
        bytes = writer.bytes
    }

    /// The patch with its version filled in, everything else as it came.
    func numbered(_ version: UInt64) -> SyncdPatch {
        var copy = self
        copy.version = version
        var writer = ProtoWriter()
        writer.message(1) { $0.varint(1, version) }
        writer.raw(ProtoFields(lenient: bytes).serialized(without: [1]))
        copy.bytes = writer.bytes
        return copy
    }
}

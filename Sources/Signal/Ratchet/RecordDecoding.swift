import Cryptography
import WhatsAppProtobuf

/// What the readers of stored records share. Everything they throw is `corruptRecord`: a row that cannot be read is
/// treated as absent, never as an error that blocks its address (16-performance-durability, section 1.8).
enum RecordDecoding {
    static func fields(_ bytes: ArraySlice<UInt8>, of name: String, _ body: (ProtoField) throws -> Void) throws {
        var reader = ProtoReader(bytes)
        do {
            while let field = try reader.next() { try body(field) }
        } catch let error as ProtoError {
            throw SignalError.corruptRecord("\(name): \(error)")
        }
    }

    static func key(_ field: ProtoField) throws -> PublicKey {
        guard let key = try? PublicKey(raw: field.bytes) else {
            throw SignalError.corruptRecord("field \(field.number): key of \(field.bytes.count) bytes")
        }
        return key
    }

    static func secret(_ field: ProtoField) throws -> SecretBytes {
        guard field.bytes.count == ChainKey.count else {
            throw SignalError.corruptRecord("field \(field.number): secret of \(field.bytes.count) bytes")
        }
        return SecretBytes(field.bytes)
    }
}

extension ProtoWriter {
    /// A raw public key, 32 bytes.
    mutating func key(_ field: Int, _ key: PublicKey) { key.withUnsafeBytes { bytes(field, $0) } }

    mutating func secret(_ field: Int, _ secret: SecretBytes) { secret.withUnsafeBytes { bytes(field, $0) } }
}

extension SkippedKeys {
    private static let entryCount = 4 + ChainKey.count

    /// Each key as its counter (4 bytes, little-endian) and seed (32 bytes), ascending.
    func encoded() -> Bytes {
        var bytes = Bytes()
        bytes.reserveCapacity(count * SkippedKeys.entryCount)
        for (index, counter) in counters.enumerated() {
            withUnsafeBytes(of: counter.littleEndian) { bytes.append(contentsOf: $0) }
            withSeed(at: index) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Throws `corruptRecord` for a wrong length, counters that do not ascend, or more keys than the limit.
    init(decoding bytes: ArraySlice<UInt8>) throws {
        guard bytes.count % SkippedKeys.entryCount == 0,
            bytes.count / SkippedKeys.entryCount <= SignalLimits.skippedKeys
        else { throw SignalError.corruptRecord("skipped keys: \(bytes.count) bytes") }
        self.init()
        try bytes.withUnsafeBytes { raw in
            for start in stride(from: 0, to: raw.count, by: SkippedKeys.entryCount) {
                let counter = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                guard counters.last.map({ $0 < counter }) ?? true else {
                    throw SignalError.corruptRecord("skipped keys: order")
                }
                append(counter, UnsafeRawBufferPointer(rebasing: raw[start + 4..<start + SkippedKeys.entryCount]))
            }
        }
    }
}

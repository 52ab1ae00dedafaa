import Cryptography
import WhatsAppProtobuf

/// The first byte of every wire format: version in both nibbles (03-signal, section 7).
enum MessageVersion {
    /// What we emit: version 3.
    static let byte: UInt8 = 0x33

    /// Accepts any byte whose high nibble is 3.
    static func check(_ byte: UInt8) throws {
        switch byte >> 4 {
        case 3: return
        case 0...2: throw SignalError.legacyVersion(byte >> 4)
        default: throw SignalError.unknownVersion(byte >> 4)
        }
    }
}

extension ProtoReader {
    /// Calls `body` for each field; wire errors become `SignalError.invalidMessage`.
    static func fields(_ bytes: ArraySlice<UInt8>, of name: String, _ body: (ProtoField) throws -> Void) throws {
        var reader = ProtoReader(bytes)
        do {
            while let field = try reader.next() { try body(field) }
        } catch let error as ProtoError {
            throw SignalError.invalidMessage("\(name): \(error)")
        }
    }
}

extension ProtoField {
    /// The value of a `uint32` field; throws `invalidMessage` for another wire type.
    func uint32Value() throws -> UInt32 {
        guard wireType == .varint else { throw SignalError.invalidMessage("field \(number): wire type") }
        return uint32
    }

    /// The value of a `bytes` field; throws `invalidMessage` for another wire type.
    func dataValue() throws -> ArraySlice<UInt8> {
        guard wireType == .lengthDelimited else { throw SignalError.invalidMessage("field \(number): wire type") }
        return bytes
    }

    /// The value of a 33-byte public key field; throws `invalidKey`.
    func keyValue() throws -> PublicKey {
        let bytes = try dataValue()
        do { return try PublicKey(serialized: bytes) } catch { throw SignalError.invalidKey }
    }
}

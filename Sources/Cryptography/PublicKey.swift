/// An X25519 public key (a Montgomery u coordinate, little-endian), which also verifies XEdDSA signatures.
///
/// Held as received: X25519 ignores bit 255 of u, but MAC inputs take the bytes verbatim.
package struct PublicKey: Sendable, Hashable, CustomStringConvertible {
    /// Bytes of the raw and the serialized form.
    package static let rawCount = 32
    package static let serializedCount = 33
    /// First byte of the serialized form: the key type of curve25519.
    package static let typeByte: UInt8 = 0x05

    let value: Bytes32

    init(_ value: Bytes32) { self.value = value }

    /// From 32 bytes; throws `invalidKeyLength`.
    package init(raw: some Collection<UInt8>) throws {
        guard let value = Bytes32(raw) else {
            throw CryptographyError.invalidKeyLength(expected: PublicKey.rawCount, actual: raw.count)
        }
        self.value = value
    }

    /// From 33 bytes, the first being 05; throws `invalidKeyLength` or `invalidPublicKey`.
    package init(serialized: some Collection<UInt8>) throws {
        guard serialized.count == PublicKey.serializedCount else {
            throw CryptographyError.invalidKeyLength(
                expected: PublicKey.serializedCount, actual: serialized.count)
        }
        guard serialized.first == PublicKey.typeByte else { throw CryptographyError.invalidPublicKey }
        try self.init(raw: serialized.dropFirst())
    }

    package var raw: Bytes { value.bytes }

    /// 05 followed by the raw key.
    package var serialized: Bytes {
        Bytes(filling: PublicKey.serializedCount) { output in
            output[0] = PublicKey.typeByte
            value.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: output[1...]).copyMemory(from: $0) }
        }
    }

    /// The raw 32 bytes, without a copy.
    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try value.withUnsafeBytes(body)
    }

    package var description: String { Hex.encode(raw) }
}

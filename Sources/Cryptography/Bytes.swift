import CSodium

/// The byte string of all protocol logic.
package typealias Bytes = [UInt8]

/// Why a cryptographic operation was refused.
package enum CryptographyError: Error, Equatable {
    /// A key, nonce or seed of the wrong size; both in bytes.
    case invalidKeyLength(expected: Int, actual: Int)
    /// A public key of the wrong form, or one whose agreement is the all-zero secret (small order).
    case invalidPublicKey
    /// The tag of an authenticated cipher does not match.
    case authenticationFailed
    /// CBC plaintext whose PKCS#7 padding is damaged, or a ciphertext that is not a positive multiple of 16 bytes.
    case invalidPadding
    /// Anything else that is wrong with an argument; the text says what.
    case invalidInput(String)
}

/// Whether two byte strings are equal, in time that depends only on their lengths.
package func constantTimeEquals(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    withBytes(a) { a in withBytes(b) { b in constantTimeEquals(a, b) } }
}

/// Runs `body` on the collection's bytes, copying them only when they are not contiguous.
func withBytes<C: Collection<UInt8>, R>(_ bytes: C, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    if let result = try bytes.withContiguousStorageIfAvailable({ try body(UnsafeRawBufferPointer($0)) }) {
        return result
    }
    return try Bytes(bytes).withUnsafeBytes(body)
}

extension Bytes {
    /// An array of exactly `count` bytes that `initialize` writes.
    init(filling count: Int, _ initialize: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        try self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
            try initialize(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The address as C functions want it: typed and never null in front of an empty buffer.
    var octets: UnsafePointer<UInt8> {
        (baseAddress ?? emptyAddress.pointer).assumingMemoryBound(to: UInt8.self)
    }
}

extension UnsafeMutableRawBufferPointer {
    var octets: UnsafeMutablePointer<UInt8> {
        (baseAddress ?? emptyAddress.mutable).assumingMemoryBound(to: UInt8.self)
    }
}

/// A valid address for empty buffers, which C functions may take but not null.
///
/// Safe to share: nobody reads or writes through it, since the length that goes with it is zero.
private struct EmptyAddress: @unchecked Sendable {
    let mutable = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
    var pointer: UnsafeRawPointer { UnsafeRawPointer(mutable) }
}

private let emptyAddress = EmptyAddress()

extension UnsafeMutableRawBufferPointer {
    /// Overwrites the buffer with zeros in a way that is not optimised away.
    package func zero() { sodium_memzero(octets, count) }
}

import CSodium

/// Secret key material of any length.
///
/// The bytes live in one heap block that is overwritten with zeros when the last copy goes away. They never appear in a
/// description, a mirror or an interpolated string, and `==` takes time that depends only on the lengths.
package struct SecretBytes: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    // Safe to share although it holds raw memory: written once, before it is shared, and only read until it dies.
    nonisolated(unsafe) private let storage: Storage

    package init(_ bytes: some Collection<UInt8>) {
        self = withBytes(bytes) { source in
            SecretBytes(count: source.count) { $0.copyMemory(from: source) }
        }
    }

    /// `count` bytes that `initialize` writes in place, so that no copy stays behind elsewhere.
    package init(count: Int, _ initialize: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let storage = Storage.make(count: count)
        try storage.withUnsafeMutablePointerToElements {
            try initialize(UnsafeMutableRawBufferPointer(start: $0, count: count))
        }
        self.storage = storage
    }

    package var count: Int { storage.header }

    /// The bytes, valid during the call only.
    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try storage.withUnsafeMutablePointers { count, bytes in
            try body(UnsafeRawBufferPointer(start: bytes, count: count.pointee))
        }
    }

    /// An explicit copy as plain bytes, which nobody zeroes.
    package var bytes: Bytes { withUnsafeBytes { Bytes($0) } }

    package static func == (a: SecretBytes, b: SecretBytes) -> Bool {
        a.withUnsafeBytes { a in b.withUnsafeBytes { b in constantTimeEquals(a, b) } }
    }

    package var description: String { "<redacted>" }
    package var debugDescription: String { "<redacted>" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    private final class Storage: ManagedBuffer<Int, UInt8> {
        static func make(count: Int) -> Storage {
            let buffer = Storage.create(minimumCapacity: max(count, 1)) { _ in count }
            return unsafeDowncast(buffer, to: Storage.self)
        }

        deinit {
            withUnsafeMutablePointers { count, bytes in sodium_memzero(bytes, count.pointee) }
        }
    }
}

/// Constant-time comparison of two raw buffers.
func constantTimeEquals(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    a.count == b.count && sodium_memcmp(a.octets, b.octets, a.count) == 0
}

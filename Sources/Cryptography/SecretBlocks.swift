import CSodium

/// A growable list of 32-byte secrets in one heap block, for keys that are kept by the hundred.
///
/// A value type with copy-on-write storage. Memory that an entry leaves (removal, growth, last copy gone) is overwritten
/// with zeros.
package struct SecretBlocks: Sendable, CustomStringConvertible {
    package static let blockCount = 32

    private var storage: Storage?
    package private(set) var count = 0

    package init() {}

    package var description: String { "<\(count) redacted>" }

    /// Makes room for `capacity` entries at once.
    package mutating func reserveCapacity(_ capacity: Int) { _ = writable(capacity) }

    /// Appends an entry that `initialize` writes in place (32 bytes).
    package mutating func append(_ initialize: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let base = writable(count + 1)
        try initialize(
            UnsafeMutableRawBufferPointer(
                start: base + count * SecretBlocks.blockCount, count: SecretBlocks.blockCount))
        count += 1
    }

    /// Appends all entries of another list.
    package mutating func append(contentsOf other: SecretBlocks) {
        guard let source = other.storage, other.count > 0 else { return }
        let base = writable(count + other.count)
        (base + count * SecretBlocks.blockCount)
            .copyMemory(from: source.base, byteCount: other.count * SecretBlocks.blockCount)
        withExtendedLifetime(source) {}
        count += other.count
    }

    /// The 32 bytes of entry `index`, which must exist; valid during the call only.
    package func withBlock<R>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        guard let storage, index >= 0, index < count else { preconditionFailure("no secret at \(index) of \(count)") }
        defer { withExtendedLifetime(storage) {} }
        return try body(
            UnsafeRawBufferPointer(
                start: storage.base + index * SecretBlocks.blockCount, count: SecretBlocks.blockCount))
    }

    /// Removes entries `range`, which must exist; later ones move down.
    package mutating func removeSubrange(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "no secrets at \(range) of \(count)")
        let size = SecretBlocks.blockCount
        let base = writable(count)
        (base + range.lowerBound * size)
            .copyMemory(from: base + range.upperBound * size, byteCount: (count - range.upperBound) * size)
        sodium_memzero(base + (count - range.count) * size, range.count * size)
        count -= range.count
    }

    /// Uniquely owned memory with room for `capacity` entries.
    private mutating func writable(_ capacity: Int) -> UnsafeMutableRawPointer {
        // Uniqueness first: a binding of the storage would be a second reference.
        let unique = isKnownUniquelyReferenced(&storage)
        let current = storage?.capacity ?? 0
        if unique, current >= capacity, let base = storage?.base { return base }
        let fresh = Storage(capacity: current >= capacity ? current : max(capacity, 2 * current, 4))
        if let storage { fresh.base.copyMemory(from: storage.base, byteCount: count * SecretBlocks.blockCount) }
        storage = fresh
        return fresh.base
    }

    /// Sendable although it holds raw memory: only `writable` hands it out for writing, and only when nobody shares it.
    private final class Storage: @unchecked Sendable {
        let base: UnsafeMutableRawPointer
        let capacity: Int

        init(capacity: Int) {
            self.capacity = capacity
            base = .allocate(byteCount: capacity * SecretBlocks.blockCount, alignment: 16)
        }

        deinit {
            sodium_memzero(base, capacity * SecretBlocks.blockCount)
            base.deallocate()
        }
    }
}

import CProtobufC

/// The memory of one message tree, given back all at once.
///
/// Unpacking into an arena takes half the time of malloc per node, and nothing inside a tree needs freeing on its own:
/// a value that is replaced stays until the tree goes. Not thread-safe by itself; `ProtoStorage` says why that is enough.
final class ProtoArena {
    private static let alignment = 16

    private var chunks: [UnsafeMutableRawPointer] = []
    private var next: UnsafeMutableRawPointer?
    private var remaining = 0
    private var chunkSize: Int
    private var allocated = 0
    private let limit: Int

    /// - Parameters:
    ///   - expected: bytes that the first chunk should hold.
    ///   - limit: bytes after which `allocate` answers nil.
    init(expecting expected: Int, limit: Int) {
        self.chunkSize = min(max(expected, 256), 64 << 10)
        self.limit = limit
    }

    deinit {
        for chunk in chunks { chunk.deallocate() }
    }

    /// Uninitialised memory aligned to 16 bytes that lives as long as the arena, or nil when the limit is reached.
    func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        guard count >= 0, count <= limit else { return nil }
        let size = max((count + Self.alignment - 1) & ~(Self.alignment - 1), Self.alignment)
        if size > remaining || next == nil {
            guard allocated <= limit - size else { return nil }
            let fresh = max(size, chunkSize)
            let chunk = UnsafeMutableRawPointer.allocate(byteCount: fresh, alignment: Self.alignment)
            chunks.append(chunk)
            allocated += fresh
            chunkSize = min(chunkSize * 2, 64 << 10)
            (next, remaining) = (chunk, fresh)
        }
        defer {
            next = next.map { $0 + size }
            remaining -= size
        }
        return next
    }

    /// Memory for `count` values, never nil: for what we build ourselves.
    func allocate<Value>(_ count: Int, of type: Value.Type) -> UnsafeMutablePointer<Value> {
        guard let memory = allocate(count * MemoryLayout<Value>.stride) else {
            preconditionFailure("a protobuf of our own outgrew its memory limit")
        }
        return memory.bindMemory(to: type, capacity: count)
    }

    /// Unpacks bytes that passed `ProtoGuard` into this arena; nil when the memory limit is reached.
    func unpack(
        _ bytes: [UInt8], as descriptor: UnsafePointer<ProtobufCMessageDescriptor>
    ) -> UnsafeMutablePointer<ProtobufCMessage>? {
        var allocator = ProtobufCAllocator(
            alloc: { data, size in
                guard let data else { return nil }
                return Unmanaged<ProtoArena>.fromOpaque(data).takeUnretainedValue().allocate(size)
            },
            free: { _, _ in },
            allocator_data: Unmanaged.passUnretained(self).toOpaque())
        return withExtendedLifetime(self) {
            bytes.withUnsafeBufferPointer { buffer in
                protobuf_c_message_unpack(descriptor, &allocator, buffer.count, buffer.baseAddress)
            }
        }
    }
}

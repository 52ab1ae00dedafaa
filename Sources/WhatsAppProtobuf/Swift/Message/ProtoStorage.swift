import CProtobufC

/// Owns the memory of one message tree and the struct at its root.
///
/// `@unchecked Sendable`: a tree is changed only through a `ProtoMessage` that holds the one reference to its storage
/// (`ProtoMessage.makeUnique`), never through two of them; with more references it is only read.
final class ProtoStorage: @unchecked Sendable {
    let arena: ProtoArena
    let root: UnsafeMutablePointer<ProtobufCMessage>

    private init(arena: ProtoArena, root: UnsafeMutablePointer<ProtobufCMessage>) {
        self.arena = arena
        self.root = root
    }

    /// Unpacks bytes that passed `ProtoGuard`. Nil when they take more than `memory` bytes.
    static func unpacking(_ bytes: [UInt8], as type: ProtoType, memory: Int) -> ProtoStorage? {
        let arena = ProtoArena(expecting: type.descriptor.pointee.sizeof_message + 4 * bytes.count, limit: memory)
        return arena.unpack(bytes, as: type.descriptor).map { ProtoStorage(arena: arena, root: $0) }
    }

    /// A tree of our own: empty, or the copy of one in memory.
    static func own(_ bytes: [UInt8], as type: ProtoType) -> ProtoStorage {
        guard let storage = unpacking(bytes, as: type, memory: Int.max / 4) else {
            preconditionFailure("a protobuf of our own could not be unpacked")
        }
        return storage
    }
}

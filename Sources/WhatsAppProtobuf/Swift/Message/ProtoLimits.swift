/// What a message from outside may cost before it is refused.
///
/// A few bytes of input can become nearly a kilobyte of memory (an empty `Message` takes 904 bytes), and the unpacker
/// recurses without a limit of its own, so all of this is counted before it runs (05-message-content, sections 3.2, 29.3).
package struct ProtoLimits: Sendable, Equatable {
    /// Bytes of input.
    package var bytes: Int
    /// Levels of messages, the outermost one included.
    package var depth: Int
    /// Submessages at all levels together.
    package var messages: Int
    /// Elements of repeated fields that are not messages, packed ones included, at all levels together.
    package var elements: Int
    /// Occurrences of fields, known and unknown, at all levels together.
    package var fields: Int
    /// Bytes of memory that the tree may take.
    package var memory: Int

    package init(bytes: Int, depth: Int = 64, messages: Int, elements: Int, fields: Int, memory: Int) {
        self.bytes = bytes
        self.depth = depth
        self.messages = messages
        self.elements = elements
        self.fields = fields
        self.memory = memory
    }

    /// For what a peer sent: 1 MiB, 64 levels, 10 000 submessages and elements.
    package static let `default` = ProtoLimits(
        bytes: 1 << 20, messages: 10_000, elements: 10_000, fields: 100_000, memory: 64 << 20)

    /// For bulk data of the own account: history chunks, app state snapshots, key shares.
    package static let bulk = ProtoLimits(
        bytes: 128 << 20, messages: 4_000_000, elements: 4_000_000, fields: 40_000_000, memory: 1 << 30)
}

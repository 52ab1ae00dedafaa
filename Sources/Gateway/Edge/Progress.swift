import Synchronization

/// Bytes of a body that arrived so far, shared between its reader and its watch.
final class Progress: Sendable {
    private let bytes = Atomic<Int>(0)

    var count: Int { bytes.load(ordering: .relaxed) }

    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }
}

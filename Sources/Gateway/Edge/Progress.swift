import Synchronization

/// How far a body has come, shared between its reader and its watch.
final class Progress: Sendable {
    private let bytes = Atomic<Int>(0)
    private let seen = Atomic<Int>(0)
    private let ended = Atomic<Bool>(false)
    private let stalled = Atomic<Bool>(false)

    /// Whether all of it was read.
    var isEnded: Bool { ended.load(ordering: .acquiring) }

    /// Whether the watch gave up.
    var isStalled: Bool { stalled.load(ordering: .acquiring) }

    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }

    func end() { ended.store(true, ordering: .releasing) }

    /// Looks whether anything came since the last look, or the beginning; once nothing did it is stalled.
    func check() {
        let now = bytes.load(ordering: .relaxed)
        if seen.exchange(now, ordering: .relaxed) == now { stalled.store(true, ordering: .releasing) }
    }
}

import NIOConcurrencyHelpers

/// What the group commits of all loops of a process have waiting or in flight: one bound holds for all of them together
/// (16-performance-durability, section 2.4). Safe from any thread.
package final class CommitBacklog: Sendable {
    private let count = NIOLockedValueBox(0)

    package init() {}

    /// Roughly.
    package var bytes: Int { count.withLockedValue { $0 } }

    func change(by difference: Int) {
        if difference != 0 { count.withLockedValue { $0 += difference } }
    }
}

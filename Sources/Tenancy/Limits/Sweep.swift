import NIOConcurrencyHelpers

/// Work on many items, so many at once, that goes on when whoever began it waits no longer.
package final class Sweep<Outcome: Sendable>: Sendable {
    private let done: NIOLockedValueBox<[Outcome?]>
    private let task: Task<Void, Never>

    /// Begins at once.
    package init<Item: Sendable>(
        _ items: [Item], atOnce: Int, _ work: @escaping @Sendable (Item) async -> Outcome
    ) {
        let done = NIOLockedValueBox<[Outcome?]>(Array(repeating: nil, count: items.count))
        self.done = done
        task = Task {
            await withTaskGroup(of: Void.self) { group in
                for (index, item) in items.enumerated() {
                    if index >= max(1, atOnce) { await group.next() }
                    group.addTask {
                        let outcome = await work(item)
                        done.withLockedValue { $0[index] = outcome }
                    }
                }
            }
        }
    }

    /// What came of the items so far, in their order; nil for those that are under way or to come. Returns when all are done
    /// or `limit` is over.
    package func outcomes(within limit: Duration) async -> [Outcome?] {
        _ = try? await Race.run(within: limit) { [task] in await task.value }
        return done.withLockedValue { $0 }
    }

    /// Returns when all are done.
    package func finished() async { await task.value }
}

import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@Suite("Calls that share a transaction")
struct CallBatcherTests {
    private struct Refused: Error {}

    /// Work that waits until it is let go, and tells what it was given.
    private final class Work: Sendable {
        let batches = Mutex<[[Int]]>([])
        let isOpen = Mutex(false)

        func run(_ calls: [Int]) async throws -> [Int: Int] {
            batches.withLock { $0.append(calls) }
            _ = try await eventually("the work to be let go") { isOpen.withLock { $0 } ? true : nil }
            if calls.contains(13) { throw Refused() }
            return Dictionary(uniqueKeysWithValues: calls.filter { $0 >= 0 }.map { ($0, $0 * 10) })
        }
    }

    @Test("calls that come while one is under way go together, equal ones apart")
    func gathering() async throws {
        let work = Work()
        let batcher = CallBatcher<Int, Int>(missing: 0) { try await work.run($0) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await batcher.submit(1) }
            _ = try await eventually("the first batch") { work.batches.withLock { $0.count == 1 } ? true : nil }
            for call in [2, 3, 2, -1] { group.addTask { try await batcher.submit(call) } }
            _ = try await eventually("the others to wait") { await batcher.waitingCount == 4 ? true : nil }
            work.isOpen.withLock { $0 = true }
            var answers: [Int] = []
            for try await answer in group { answers.append(answer) }
            #expect(answers.sorted() == [0, 10, 20, 20, 30])
        }
        let batches = work.batches.withLock { $0 }
        #expect(batches.map { $0.sorted() } == [[1], [-1, 2, 3], [2]])
    }

    @Test("one call that fails leaves the others of its batch alone")
    func failure() async throws {
        let work = Work()
        let batcher = CallBatcher<Int, Int>(missing: 0) { try await work.run($0) }
        let first = Task { try await batcher.submit(1) }
        _ = try await eventually("the first batch") { work.batches.withLock { $0.count == 1 } ? true : nil }
        let good = Task { try await batcher.submit(2) }
        let bad = Task { try await batcher.submit(13) }
        _ = try await eventually("the others to wait") { await batcher.waitingCount == 2 ? true : nil }
        work.isOpen.withLock { $0 = true }
        #expect(try await first.value == 10)
        #expect(try await good.value == 20)
        await #expect(throws: Refused.self) { try await bad.value }
    }
}

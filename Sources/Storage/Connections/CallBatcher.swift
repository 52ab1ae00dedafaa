/// Puts calls together that come while an earlier one is under way: the next transaction does the work of all of them, so
/// that many callers share one write to the disk. A caller alone waits for nobody.
package actor CallBatcher<Call: Hashable & Sendable, Answer: Sendable> {
    private struct Waiting {
        let call: Call
        let continuation: CheckedContinuation<Answer, any Error>
    }

    private let limit: Int
    private let work: @Sendable ([Call]) async throws -> [Call: Answer]
    private let missing: Answer
    private var waiting: [Waiting] = []
    private var isRunning = false

    /// - Parameters:
    ///   - limit: Calls in one batch.
    ///   - missing: Answers a call that `work` did not answer.
    ///   - work: Does everything or, when it throws, nothing; then each call is tried alone. Calls of one batch differ.
    package init(
        limit: Int = 256, missing: Answer, work: @escaping @Sendable ([Call]) async throws -> [Call: Answer]
    ) {
        self.limit = limit
        self.missing = missing
        self.work = work
    }

    /// Calls that wait for the batch under way.
    package var waitingCount: Int { waiting.count }

    /// Returns when the transaction that did this call's work is durable. Throws what `work` throws for this call alone.
    package func submit(_ call: Call) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            waiting.append(Waiting(call: call, continuation: continuation))
            if isRunning { return }
            isRunning = true
            Task { await run() }
        }
    }

    private func run() async {
        while !waiting.isEmpty {
            let batch = take()
            do {
                settle(batch, try await work(batch.map(\.call)))
            } catch  where batch.count > 1 {
                for one in batch {
                    do { settle([one], try await work([one.call])) } catch { one.continuation.resume(throwing: error) }
                }
            } catch {
                for one in batch { one.continuation.resume(throwing: error) }
            }
        }
        isRunning = false
    }

    /// The oldest calls; of equal ones the first, for each is to have an effect of its own.
    private func take() -> [Waiting] {
        var taken: [Waiting] = []
        var left: [Waiting] = []
        var calls: Set<Call> = []
        for one in waiting {
            if taken.count < limit, calls.insert(one.call).inserted { taken.append(one) } else { left.append(one) }
        }
        waiting = left
        return taken
    }

    private func settle(_ batch: [Waiting], _ answers: [Call: Answer]) {
        for one in batch { one.continuation.resume(returning: answers[one.call] ?? missing) }
    }
}

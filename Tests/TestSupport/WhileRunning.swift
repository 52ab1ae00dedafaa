/// Runs `work` while `body` runs, then cancels it and waits for its end, whatever became of `body`.
package func whileRunning(_ work: @escaping @Sendable () async -> Void, _ body: () async throws -> Void) async throws {
    let task = Task { await work() }
    do {
        try await body()
    } catch {
        task.cancel()
        await task.value
        throw error
    }
    task.cancel()
    await task.value
}

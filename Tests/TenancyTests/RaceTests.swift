import Tenancy
import Testing

@Suite("A race", .timeLimit(.minutes(3)))
struct RaceTests {
    private struct Failed: Error {}

    /// Work that hears nothing until it is let go.
    private static func deaf() -> (wait: @Sendable () async -> Void, letGo: @Sendable () -> Void) {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        return ({ await Task { for await _ in gate {} }.value }, { opener.finish() })
    }

    @Test("the first to end decides, with its value or its error")
    func first() async throws {
        #expect(try await Race.run(within: .seconds(600)) { 7 } == 7)
        await #expect(throws: Failed.self) { try await Race.run(within: .seconds(600)) { throw Failed() } }
        let (wait, letGo) = Self.deaf()
        await #expect(throws: Failed.self) { try await Race.run(wait) { throw Failed() } }
        letGo()
    }

    @Test("work that does not hear its cancellation is left behind when its time is up")
    func leftBehind() async throws {
        let (wait, letGo) = Self.deaf()
        #expect(try await Race.run(within: .milliseconds(10), wait) == nil)
        letGo()
    }

    @Test("the caller's cancellation ends the race though neither side hears it")
    func cancelled() async throws {
        let (wait, letGo) = Self.deaf()
        let (other, letOtherGo) = Self.deaf()
        let (started, start) = AsyncStream.makeStream(of: Void.self)
        let racing = Task {
            try await Race.run {
                start.finish()
                await wait()
            } against: {
                await other()
            }
        }
        for await _ in started {}
        racing.cancel()
        await #expect(throws: CancellationError.self) { try await racing.value }
        letGo()
        letOtherGo()
    }

    @Test("the loser is told")
    func told() async throws {
        let (heard, hear) = AsyncStream.makeStream(of: Void.self)
        let won = try await Race.run {
            1
        } against: {
            await withTaskCancellationHandler {
                try? await Task.sleep(for: .seconds(600))
            } onCancel: {
                hear.finish()
            }
        }
        #expect(won == 1)
        for await _ in heard {}
    }
}

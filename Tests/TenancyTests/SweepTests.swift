import NIOConcurrencyHelpers
import Tenancy
import TestSupport
import Testing

@Suite("A sweep over many devices", .timeLimit(.minutes(3)))
struct SweepTests {
    @Test("what is not done when patience ends is said to be open, and is done all the same, so many at once")
    func goesOn() async throws {
        let (gate, opener) = AsyncStream.makeStream(of: Void.self)
        let running = NIOLockedValueBox((now: 0, most: 0))
        let sweep = Sweep(Array(0..<20), atOnce: 3) { number in
            running.withLockedValue { count in
                count.now += 1
                count.most = max(count.most, count.now)
            }
            if number > 0 { for await _ in gate {} }
            running.withLockedValue { $0.now -= 1 }
            return number * 2
        }
        _ = try await eventually("the first of them") {
            await sweep.outcomes(within: .milliseconds(1))[0] == 0 ? true : nil
        }
        #expect(await sweep.outcomes(within: .milliseconds(1)).dropFirst().allSatisfy { $0 == nil })
        opener.finish()
        #expect(await sweep.outcomes(within: .seconds(60)) == (0..<20).map { $0 * 2 })
        #expect(running.withLockedValue { $0.most } == 3)
    }
}

import Foundation
import Messaging
import Testing

/// Chains and records, the session's ledger, the coalescing, line and attempts of the group commit, all of them the
/// product's own, against a store that fails in every way, crashes, take-overs and peers out of step
/// (16-performance-durability, section 1.12). `CHAOS_SEED`, `CHAOS_SEEDS` and `CHAOS_STEPS` choose another run, as in
/// `CHAOS_SEEDS=10000 swift test --filter 'Deterministic chaos'`, or one seed again.
@Suite("Deterministic chaos", .serialized)
struct DeterministicChaosTests {
    /// Seeds that run one after another, each for so many steps.
    struct Runs: Sendable, CustomTestStringConvertible {
        let seeds: Range<UInt64>
        let steps: Int

        var testDescription: String { "seeds \(seeds.lowerBound)..<\(seeds.upperBound), \(steps) steps each" }
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment["CHAOS_\(name)"].flatMap { UInt64($0) }
    }

    /// Many short runs, since what goes wrong mostly needs few steps, and some long ones.
    static let runs: [Runs] = {
        guard number("SEED") ?? number("SEEDS") ?? number("STEPS") != nil else {
            return [
                Runs(seeds: 1..<2001, steps: 10), Runs(seeds: 2001..<3001, steps: 16),
                Runs(seeds: 3001..<3101, steps: 96),
            ]
        }
        let first = number("SEED") ?? 1
        let count = number("SEEDS") ?? (number("SEED") == nil ? 400 : 1)
        return [Runs(seeds: first..<first + count, steps: Int(number("STEPS") ?? 96))]
    }()

    /// A run that went wrong, with the fewest steps that still go wrong.
    private struct Failure: CustomStringConvertible, Sendable {
        let seed: UInt64
        let finding: String
        let steps: [ChaosSimulation.Step]

        var description: String {
            "seed \(seed), \(steps.count) steps: \(finding)\n  "
                + steps.map(\.action.rawValue).joined(separator: ", ")
        }
    }

    @Test(
        "under every interleaving no position is used twice, nothing leaves before its commit and nothing is lost",
        arguments: runs)
    func chaos(_ runs: Runs) async throws {
        if let failure = await Self.beside({ Self.firstFailure(in: runs) }) { Issue.record("\(failure)") }
    }

    /// Runs on a thread of its own: the few that tasks share would be missed by all other tests.
    private static func beside<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: body()) }
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    private static func firstFailure(in runs: Runs) -> Failure? {
        let clock = ContinuousClock()
        let began = clock.now
        for seed in runs.seeds {
            let steps = ChaosSimulation.steps(seed: seed, count: runs.steps)
            guard let finding = finding(seed, steps, fault: nil) else { continue }
            let fewest = shrink(seed, steps, fault: nil)
            let last = Self.finding(seed, fewest, fault: nil) ?? finding
            return Failure(seed: seed, finding: "\(finding); shrunk: \(last)", steps: fewest)
        }
        print("chaos: \(runs.testDescription), \(began.duration(to: clock.now))")
        return nil
    }

    @Test("every deliberate fault is found", arguments: ChaosFault.allCases)
    func faults(_ fault: ChaosFault) async throws {
        let found = await Self.beside {
            (UInt64(1)...256).first { seed in
                Self.finding(seed, ChaosSimulation.steps(seed: seed, count: 96), fault: fault) != nil
            }
        }
        #expect(found != nil, "\(fault.rawValue) is not noticed")
    }

    @Test("the same seed gives the same run")
    func repeatable() throws {
        let steps = ChaosSimulation.steps(seed: 7, count: 60)
        var (one, other) = (try ChaosSimulation(seed: 7), try ChaosSimulation(seed: 7))
        for step in steps {
            try one.run(step)
            try other.run(step)
        }
        #expect(one.store.sessions.mapValues(\.record?.record) == other.store.sessions.mapValues(\.record?.record))
        #expect(one.sent.keys.sorted() == other.sent.keys.sorted())
    }

    /// What an oracle says of a run; nil when all are content.
    private static func finding(_ seed: UInt64, _ steps: [ChaosSimulation.Step], fault: ChaosFault?) -> String? {
        do {
            var simulation = try ChaosSimulation(seed: seed, fault: fault)
            for step in steps { try simulation.run(step) }
            try simulation.settle()
            return nil
        } catch { return "\(error)" }
    }

    /// Leaves out steps, halves first, as long as the run still goes wrong.
    private static func shrink(
        _ seed: UInt64, _ steps: [ChaosSimulation.Step], fault: ChaosFault?
    ) -> [ChaosSimulation.Step] {
        var steps = steps
        var size = steps.count / 2
        while size > 0 {
            var start = 0
            while start < steps.count {
                var fewer = steps
                fewer.removeSubrange(start..<min(start + size, steps.count))
                if finding(seed, fewer, fault: fault) != nil { steps = fewer } else { start += size }
            }
            size /= 2
        }
        return steps
    }
}

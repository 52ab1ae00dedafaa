import Foundation
import Messaging
import NIOCore
import Storage

/// The line of an event loop's commits under a clock of its own: sets come at random times, and each commit takes as long as
/// it is told to. What it shows is the waiting that the line itself causes, and what a set costs to pass through it.
struct CommitLineSimulation {
    let devices: Int
    /// Sets a second over all devices.
    let rate: Double
    let commit: TimeAmount
    /// Of the simulated clock.
    let seconds: Double

    func run() throws {
        var line = CommitLine<Int64>()
        let options = CommitOptions()
        var random = Sequence(state: 1)
        var (now, nextArrival, end): (Int64, Int64, Int64?) = (0, 0, nil)
        var (latencies, batches) = (Latencies(), 0)
        let last = Int64(seconds * 1e9)
        let began = ContinuousClock.now
        while nextArrival < last || !line.isEmpty {
            if let due = end, due <= nextArrival || nextArrival >= last {
                now = due
                end = nil
                let outcome = Dictionary(
                    line.inFlight.map { ($0.changes.did, CommitError?.none) }, uniquingKeysWith: { $1 })
                for verdict in line.settle(outcome) { latencies.add(now - (verdict.entry.waiter ?? now)) }
            } else {
                now = nextArrival
                var changes = ChangeSet(did: Int64(random.next() % UInt64(devices)), epoch: 1)
                changes.settledSends = [MessageName(chat: "1@s.whatsapp.net", messageID: "3EB0")]
                line.append(changes, deadline: .distantFuture, waiter: now)
                line.isUrgent = true
                nextArrival += Int64(random.wait(rate: rate) * 1e9)
            }
            if line.mayStart {
                _ = line.nextBatch(maximumSets: options.maximumSets, maximumBytes: options.maximumBytes)
                batches += 1
                end = now + commit.nanoseconds
            }
        }
        let spent = (ContinuousClock.now - began).milliseconds
        let took = Double(commit.nanoseconds) / 1e6
        var report = LoadReport("commit line, \(devices) devices, \(Int(rate)) sets/s, commits of \(took) ms")
        report.set(latencies, in: seconds)
        report.set("sets_per_batch", Double(latencies.count) / Double(max(batches, 1)))
        report.set("cpu_us", spent * 1000 / Double(max(latencies.count, 1)))
        report.set("p99_aim_ms", 2 * took + 2)
        try report.print()
    }

    /// The same numbers in each run.
    private struct Sequence {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }

        /// Seconds until the next of events that come at random.
        mutating func wait(rate: Double) -> Double {
            -log(1 - Double(next() >> 11) / Double(1 << 53)) / rate
        }
    }
}

import Messaging
import NIOCore

/// What the devices of one event loop want committed, in order: which sets go into the next batch, and who is told what
/// when it has ended (16-performance-durability, sections 1.6, 1.8 and 5.3).
///
/// One batch is under way at a time, so that sets of one device commit in the order of submission. Pure: the caller sends
/// the batches and wakes the waiters.
package struct CommitLine<Waiter> {
    package struct Entry {
        package let changes: ChangeSet
        let size: Int
        let deadline: NIODeadline
        /// nil once its waiter was told that the store is away; the set is still to be applied.
        package var waiter: Waiter?
    }

    /// What a waiter is told; nil is success.
    package typealias Verdict = (entry: Entry, error: CommitError?)

    private(set) var waiting: [Entry] = []
    package private(set) var inFlight: [Entry] = []
    /// Somebody waits for what is in `waiting`; otherwise it goes when the timer ends.
    package var isUrgent = false
    /// Bytes waiting or in flight, roughly.
    private(set) var bytes = 0
    /// Devices whose sets go one at a time, because rows of a batch were refused: to find out which.
    private var alone: Set<Int64> = []
    /// Devices that may write no more under their epoch, and why.
    private var stopped: [Int64: (epoch: Int64, error: CommitError)] = [:]

    package init() {}

    /// Whether a batch is under way.
    var isRunning: Bool { !inFlight.isEmpty }
    package var isEmpty: Bool { waiting.isEmpty && inFlight.isEmpty }
    package var mayStart: Bool { !isRunning && isUrgent && !waiting.isEmpty }

    /// Why nothing of the device under this epoch is taken any more; nil when it is.
    mutating func refusal(of changes: ChangeSet) -> CommitError? {
        guard let stop = stopped[changes.did] else { return nil }
        if changes.epoch <= stop.epoch { return stop.error }
        stopped[changes.did] = nil
        return nil
    }

    /// - Parameter deadline: from when on ``late(at:)`` names the waiter.
    package mutating func append(_ changes: ChangeSet, deadline: NIODeadline, waiter: Waiter) {
        let entry = Entry(changes: changes, size: changes.approximateSize, deadline: deadline, waiter: waiter)
        bytes += entry.size
        waiting.append(entry)
    }

    /// Moves the next batch from waiting to in flight: for each device a run of its oldest sets. `outdated` are those of
    /// sessions whose device was claimed anew by this node: they may write no more and are fenced off.
    package mutating func nextBatch(
        maximumSets: Int, maximumBytes: Int
    ) -> (devices: [DeviceChanges], outdated: [Verdict]) {
        var newestEpochs: [Int64: Int64] = [:]
        for entry in waiting {
            newestEpochs[entry.changes.did] = max(newestEpochs[entry.changes.did] ?? .min, entry.changes.epoch)
        }
        var devices: [Int64: DeviceChanges] = [:]
        var blocked: Set<Int64> = []
        var (left, outdated): ([Entry], [Entry]) = ([], [])
        var size = 0
        for entry in waiting {
            let did = entry.changes.did
            if let newest = newestEpochs[did], entry.changes.epoch < newest {
                outdated.append(entry)
                continue
            }
            let isFull =
                inFlight.count >= maximumSets || (size + entry.size > maximumBytes && !inFlight.isEmpty)
            let isAlone = entry.changes.credentials != nil || alone.contains(did)
            let mustWait = isAlone && devices[did] != nil
            if isFull || mustWait || blocked.contains(did) {
                blocked.insert(did)
                left.append(entry)
                continue
            }
            if devices[did] == nil {
                devices[did] = DeviceChanges(entry.changes)
            } else {
                devices[did]?.add(entry.changes)
            }
            size += entry.size
            inFlight.append(entry)
        }
        waiting = left
        isUrgent = !left.isEmpty
        return (devices.values.sorted { $0.did < $1.did }, told(outdated, .fenced))
    }

    /// The batch has ended. Returns who is to be told what, in that order: callers may append from there.
    package mutating func settle(_ outcome: [Int64: CommitError?]) -> [Verdict] {
        var settled = inFlight
        inFlight = []
        let refused = takeRefused(&settled, outcome)
        for (did, error) in outcome {
            guard let error, let epoch = settled.first(where: { $0.changes.did == did })?.changes.epoch else {
                continue
            }
            if case .rejected = error { continue }
            stopped[did] = (epoch, error)
        }
        bytes -= settled.reduce(0) { $0 + $1.size }
        let verdicts: [Verdict] = settled.map { ($0, outcome[$0.changes.did] ?? nil) }
        return verdicts + refused + takeStopped()
    }

    /// Waiters whose sets waited too long, to be told that the store is away. The sets stay: they may still be applied.
    mutating func late(at now: NIODeadline) -> [Waiter] {
        var late: [Waiter] = []
        func take(_ entry: inout Entry) {
            guard entry.deadline <= now, let waiter = entry.waiter else { return }
            late.append(waiter)
            entry.waiter = nil
        }
        for index in inFlight.indices { take(&inFlight[index]) }
        for index in waiting.indices { take(&waiting[index]) }
        return late
    }

    /// The earliest deadline of what is not settled.
    var earliestDeadline: NIODeadline? { (waiting + inFlight).map(\.deadline).min() }

    // MARK: Failures

    /// Deals with devices whose rows were refused. Where one set was sent, it fails, and with it every later one of the
    /// device, which may build upon it: returned to be failed after it. What the device submits from then on counts anew.
    /// Where several were sent together, they go back to be sent one by one: one of them is to blame.
    private mutating func takeRefused(_ settled: inout [Entry], _ outcome: CommitAttempts.Outcome) -> [Verdict] {
        var refused: [Verdict] = []
        for (did, error) in outcome.sorted(by: { $0.key < $1.key }) {
            guard let error, case .rejected = error else { continue }
            let sent = settled.filter { $0.changes.did == did }
            if sent.count > 1 {
                settled.removeAll { $0.changes.did == did }
                waiting.insert(contentsOf: sent, at: 0)
                isUrgent = true
                alone.insert(did)
            } else {
                alone.remove(did)
                refused += take(error) { $0.changes.did == did }
            }
        }
        for did in alone where !waiting.contains(where: { $0.changes.did == did }) { alone.remove(did) }
        return refused
    }

    /// What waits for devices that were stopped. One look at what waits, however many devices a lost lease has stopped.
    private mutating func takeStopped() -> [Verdict] {
        if stopped.isEmpty || waiting.isEmpty { return [] }
        var (left, taken): ([Entry], [Verdict]) = ([], [])
        for entry in waiting {
            if let stop = stopped[entry.changes.did], entry.changes.epoch <= stop.epoch {
                taken += told([entry], stop.error)
            } else {
                left.append(entry)
            }
        }
        waiting = left
        return taken
    }

    private mutating func take(_ error: CommitError, where condition: (Entry) -> Bool) -> [Verdict] {
        let taken = waiting.filter(condition)
        if taken.isEmpty { return [] }
        waiting.removeAll(where: condition)
        return told(taken, error)
    }

    private mutating func told(_ entries: [Entry], _ error: CommitError) -> [Verdict] {
        bytes -= entries.reduce(0) { $0 + $1.size }
        return entries.map { ($0, error) }
    }
}

import Cryptography
import Transport

/// One direction of a connection under fault rules: what is held back, in order or out of it (09, section 23).
@SandboxActor
final class DirectionFaults {
    private var stalled: [@SandboxActor () -> Void]?
    private var collected: [@SandboxActor () -> Void] = []
    private var window = 0
    /// When the last of the paced steps is due, world time in milliseconds; `nil` while none waits.
    private var paced: (due: Int64, waiting: Int)?
    private var timers: [Int: SandboxClock.TimerID] = [:]
    private var nextTimer = 0
    private weak var clock: SandboxClock?

    nonisolated init() {}

    /// Nothing held back comes any more.
    func stop() {
        for timer in timers.values { clock?.cancel(timer) }
        timers = [:]
        stalled = nil
        collected = []
        paced = nil
    }

    /// Runs `step` now, or after what the direction is stalled by.
    func pass(_ step: @escaping @SandboxActor () -> Void) {
        if stalled != nil {
            stalled?.append(step)
        } else if window > 0 {
            collected.append(step)
        } else if let paced, let clock {
            pace(until: paced.due, clock: clock, step)
        } else {
            step()
        }
    }

    /// Runs `step` as ``pass(_:)`` does, or at the pace that rules set for it.
    func pass(_ step: @escaping @SandboxActor () -> Void, at pace: Pace, in world: World) {
        guard pace.isSet, stalled == nil, window == 0 else { return pass(step) }
        self.pace(latency: pace.latency, cost: pace.cost, in: world, step)
    }

    /// Runs `step` no sooner than `latency` milliseconds from now, and `cost` milliseconds after the step before it; whatever
    /// comes later waits behind it.
    private func pace(latency: Int, cost: Int, in world: World, _ step: @escaping @SandboxActor () -> Void) {
        clock = world.clock
        let now = world.clock.milliseconds
        pace(
            until: max(now + Int64(latency), (paced?.due ?? now) + Int64(cost)), clock: world.clock, step)
    }

    private func pace(until due: Int64, clock: SandboxClock, _ step: @escaping @SandboxActor () -> Void) {
        paced = (due, (paced?.waiting ?? 0) + 1)
        later(Int(max(0, due - clock.milliseconds)), clock: clock) { [weak self] in
            guard let self, let paced = self.paced else { return }
            self.paced = paced.waiting > 1 ? (paced.due, paced.waiting - 1) : nil
            step()
        }
    }

    private func later(_ milliseconds: Int, clock: SandboxClock, _ step: @escaping @SandboxActor () -> Void) {
        let number = nextTimer
        nextTimer += 1
        timers[number] = clock.schedule(after: milliseconds) { [weak self] in
            self?.timers[number] = nil
            step()
        }
    }

    /// Runs `step` after `milliseconds` of world time; what comes later passes it.
    func delay(_ milliseconds: Int, in world: World, _ step: @escaping @SandboxActor () -> Void) {
        clock = world.clock
        later(milliseconds, clock: world.clock, step)
    }

    /// Holds the whole direction for `milliseconds` of world time, order kept.
    func stall(_ milliseconds: Int, in world: World) {
        guard stalled == nil else { return }
        stalled = []
        delay(milliseconds, in: world) { [weak self] in
            let steps = self?.stalled ?? []
            self?.stalled = nil
            for step in steps { step() }
        }
    }

    /// Collects the next `count` steps and then runs them shuffled.
    func reorder(_ count: Int, in world: World, first: @escaping @SandboxActor () -> Void) {
        if window == 0 { window = max(1, count) }
        collected.append(first)
        guard collected.count >= window else { return }
        window = 0
        var steps = collected
        collected = []
        for index in stride(from: steps.count - 1, to: 0, by: -1) {
            steps.swapAt(index, Int(world.random.number("faults/reorder", below: UInt32(index + 1))))
        }
        for step in steps { step() }
    }
}

/// How much later one stanza comes, by the rules `latency` and `throttle`.
struct Pace {
    /// Milliseconds from its arrival.
    private(set) var latency = 0
    /// Milliseconds from the stanza before it.
    private(set) var cost = 0

    var isSet: Bool { latency > 0 || cost > 0 }

    /// `size`: bytes of the stanza.
    @SandboxActor
    mutating func add(_ action: FaultAction, size: Int, random: WorldRandom) {
        switch action {
        case .latency(let milliseconds, let jitter):
            let extra = jitter > 0 ? Int(random.number("faults/jitter", below: UInt32(clamping: jitter) + 1)) : 0
            latency += milliseconds + extra
        case .throttle(let bytesPerSecond): cost += (size * 1000 + bytesPerSecond - 1) / max(1, bytesPerSecond)
        default: break
        }
    }
}

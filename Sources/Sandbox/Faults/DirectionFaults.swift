import Cryptography
import Transport

/// One direction of a connection under fault rules: what is held back, in order or out of it (09, section 23).
@SandboxActor
final class DirectionFaults {
    private var stalled: [@SandboxActor () -> Void]?
    private var collected: [@SandboxActor () -> Void] = []
    private var window = 0
    private var timers: [SandboxClock.TimerID] = []
    private weak var clock: SandboxClock?

    nonisolated init() {}

    /// Nothing held back comes any more.
    func stop() {
        for timer in timers { clock?.cancel(timer) }
        timers = []
        stalled = nil
        collected = []
    }

    /// Runs `step` now, or after what the direction is stalled by.
    func pass(_ step: @escaping @SandboxActor () -> Void) {
        if stalled != nil {
            stalled?.append(step)
        } else if window > 0 {
            collected.append(step)
        } else {
            step()
        }
    }

    /// Runs `step` after `milliseconds` of world time; what comes later passes it.
    func delay(_ milliseconds: Int, in world: World, _ step: @escaping @SandboxActor () -> Void) {
        clock = world.clock
        timers.append(world.clock.schedule(after: milliseconds) { step() })
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

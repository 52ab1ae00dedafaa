import NIOCore
import Synchronization

/// The timers of everything that lives on one event loop: a hashed wheel of 512 slots of 250 ms, driven by one task of the
/// loop, which runs only while an entry waits (16, section 3.4).
///
/// An entry costs a list node instead of a scheduled task, and arming it again is O(1): thousands of connections, each
/// with a keepalive, request time-outs and a reconnect delay, share one task. Entries fire up to one tick late, never
/// early. All methods belong on the loop.
package final class TimerWheel {
    /// A timer that can be set, moved and cancelled any number of times. It keeps its action alive while it is set.
    package final class Timer {
        fileprivate let action: () -> Void
        /// The neighbour that holds us by its `next`; set right whenever a neighbour goes, so it never dangles.
        fileprivate unowned(unsafe) var previous: Timer?
        fileprivate var next: Timer?
        fileprivate var tick: Int64 = 0
        fileprivate var slot = -1
        /// Taken off the wheel and about to run, unless it is cancelled or set before its turn.
        fileprivate var isDue = false

        /// - Parameter action: runs on the loop. Capture weakly what owns the timer.
        package init(_ action: @escaping () -> Void) { self.action = action }

        /// Whether the timer will fire.
        package var isSet: Bool { slot >= 0 }
    }

    /// Length of a tick.
    package static let tick = TimeAmount.milliseconds(250)
    private static let slotCount = 512

    private let eventLoop: any EventLoop
    private let epoch: NIODeadline
    private var slots: [Timer?]
    /// Ticks up to here have fired.
    private var current: Int64 = 0
    /// Timers that are set.
    package private(set) var count = 0
    private var task: Scheduled<Void>?

    /// A wheel of its own; ordinary users take the loop's with ``on(_:)``.
    package init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        epoch = eventLoop.now
        slots = Array(repeating: nil, count: TimerWheel.slotCount)
    }

    /// Sets `timer` to fire at `deadline`, or at the next tick when that is past. A timer that was set is moved.
    package func set(_ timer: Timer, at deadline: NIODeadline) {
        eventLoop.assertInEventLoop()
        cancel(timer)
        if count == 0 { current = ticks(until: eventLoop.now) }
        let nanoseconds = max(0, (deadline - epoch).nanoseconds)
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: TimerWheel.tick.nanoseconds)
        timer.tick = max(current + 1, rest == 0 ? whole : whole + 1)
        insert(timer)
        schedule()
    }

    /// Sets `timer` to fire after `amount`.
    package func set(_ timer: Timer, after amount: TimeAmount) { set(timer, at: eventLoop.now + amount) }

    /// Makes sure that `timer` does not fire.
    package func cancel(_ timer: Timer) {
        eventLoop.assertInEventLoop()
        timer.isDue = false
        guard timer.isSet else { return }
        remove(timer)
        if count == 0 { task.take()?.cancel() }
    }

    private func ticks(until time: NIODeadline) -> Int64 {
        max(0, (time - epoch).nanoseconds) / TimerWheel.tick.nanoseconds
    }

    private func insert(_ timer: Timer) {
        let slot = Int(timer.tick % Int64(TimerWheel.slotCount))
        timer.slot = slot
        timer.next = slots[slot]
        timer.next?.previous = timer
        slots[slot] = timer
        count += 1
    }

    private func remove(_ timer: Timer) {
        let next = timer.next
        next?.previous = timer.previous
        if let previous = timer.previous { previous.next = next } else { slots[timer.slot] = next }
        timer.next = nil
        timer.previous = nil
        timer.slot = -1
        count -= 1
    }

    private func schedule() {
        guard task == nil, count > 0 else { return }
        let deadline = epoch + TimeAmount.nanoseconds((current + 1) * TimerWheel.tick.nanoseconds)
        // The wheel stays on its loop: the task only runs there.
        let wheel = NIOLoopBound(self, eventLoop: eventLoop)
        task = eventLoop.scheduleTask(deadline: deadline) { wheel.value.advance() }
    }

    private func advance() {
        task = nil
        let now = ticks(until: eventLoop.now)
        // A loop that was held up longer than a turn of the wheel visits every slot once.
        let steps = min(now - current, Int64(TimerWheel.slotCount))
        let first = now - steps + 1
        current = now
        var due: [Timer] = []
        if steps > 0 {
            for tick in first...now {
                var entry = slots[Int(tick % Int64(TimerWheel.slotCount))]
                while let timer = entry {
                    entry = timer.next
                    guard timer.tick <= now else { continue }
                    remove(timer)
                    timer.isDue = true
                    due.append(timer)
                }
            }
        }
        // Actions may set and cancel any timer, also those that are due.
        for timer in due where timer.isDue {
            timer.isDue = false
            timer.action()
        }
        schedule()
    }
}

extension TimerWheel {
    /// The wheel of `eventLoop`, shared by everything on it that asks while somebody holds it.
    package static func on(_ eventLoop: any EventLoop) -> TimerWheel {
        eventLoop.assertInEventLoop()
        return registry.withLock { registry in
            let key = ObjectIdentifier(eventLoop)
            if let wheel = registry[key]?.value { return wheel }
            let wheel = TimerWheel(eventLoop: eventLoop)
            registry = registry.filter { $0.value.value != nil }
            registry[key] = WeakWheel(wheel)
            return wheel
        }
    }

    private static let registry = Mutex<[ObjectIdentifier: WeakWheel]>([:])

    /// `@unchecked Sendable`: the wheel is only handed out on its own loop.
    private struct WeakWheel: @unchecked Sendable {
        weak var value: TimerWheel?
        init(_ value: TimerWheel) { self.value = value }
    }
}

@available(*, unavailable)
extension TimerWheel: Sendable {}

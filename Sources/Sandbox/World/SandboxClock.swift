import Foundation
import NIOCore

/// The time of a world and everything that is due in it (09, section 25).
///
/// `real` follows the machine; `virtual` stands still until ``advance(by:)``. Timers with equal due time fire in the order
/// in which they were scheduled. Socket time-outs do not use this clock.
@SandboxActor
package final class SandboxClock {
    package typealias Mode = SandboxConfiguration.ClockMode

    /// Names a timer for ``cancel(_:)``.
    package struct TimerID: Hashable, Sendable { fileprivate let sequence: UInt64 }

    private struct Entry {
        let due: Int64
        let sequence: UInt64
        let body: @SandboxActor () -> Void
    }

    package let mode: Mode
    private var virtualNow: Int64
    private var entries: [Entry] = []
    private var nextSequence: UInt64 = 0
    private var wakeUp: Scheduled<Void>?
    private var wakeUpAt: Int64?

    /// `start`: first moment of a virtual clock, Unix seconds.
    package init(mode: Mode, start: Int64) {
        self.mode = mode
        virtualNow = start &* 1000
    }

    /// World time in milliseconds since 1970.
    package var milliseconds: Int64 {
        switch mode {
        case .real: Int64(Date().timeIntervalSince1970 * 1000)
        case .virtual: virtualNow
        }
    }

    /// World time in whole seconds since 1970: the `t` of stanzas.
    package var seconds: Int64 { milliseconds / 1000 }

    /// Runs `body` once, `after` milliseconds of world time from now.
    @discardableResult
    package func schedule(after delay: Int, _ body: @escaping @SandboxActor () -> Void) -> TimerID {
        let sequence = nextSequence
        nextSequence += 1
        let entry = Entry(due: milliseconds + Int64(max(0, delay)), sequence: sequence, body: body)
        let position = entries.firstIndex { ($0.due, $0.sequence) > (entry.due, entry.sequence) } ?? entries.count
        entries.insert(entry, at: position)
        arm()
        return TimerID(sequence: sequence)
    }

    package func cancel(_ timer: TimerID) {
        entries.removeAll { $0.sequence == timer.sequence }
    }

    /// Moves a virtual clock and fires what became due, in order, each timer at its own due time. A real clock ignores it.
    package func advance(by milliseconds: Int) {
        guard mode == .virtual else { return }
        let target = virtualNow + Int64(max(0, milliseconds))
        while let first = entries.first, first.due <= target {
            entries.removeFirst()
            virtualNow = max(virtualNow, first.due)
            first.body()
        }
        virtualNow = target
    }

    /// Drops every timer; the clock's world has ended.
    package func stop() {
        entries.removeAll()
        wakeUp?.cancel()
        wakeUp = nil
    }

    private func arm() {
        guard mode == .real, let first = entries.first else { return }
        if let wakeUpAt, wakeUpAt <= first.due, wakeUp != nil { return }
        wakeUp?.cancel()
        wakeUpAt = first.due
        let delay = max(0, first.due - milliseconds)
        wakeUp = SandboxActor.loop.scheduleTask(in: .milliseconds(delay)) { [weak self] in
            SandboxActor.run { self?.fire() }
        }
    }

    private func fire() {
        wakeUp = nil
        wakeUpAt = nil
        let now = milliseconds
        while let first = entries.first, first.due <= now {
            entries.removeFirst()
            first.body()
        }
        arm()
    }
}

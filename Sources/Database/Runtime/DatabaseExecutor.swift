import Dispatch
import Foundation
import HeapModule
import NIOConcurrencyHelpers

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the executor watches: one descriptor, told on the executor's thread when it became readable or writable.
protocol PollTarget: AnyObject, Sendable {
    /// Runs on the executor's thread. Must not block.
    func ready(readable: Bool, writable: Bool)
}

/// One thread that drives every database connection of the process with `poll`, and runs the actors that own them.
///
/// Connections and pools are actors whose executor this is: a query hops here once, is written to the socket, and its
/// continuation resumes the caller when the answer has been read. No query ever occupies a thread of its own.
///
/// Blocking libpq calls (connecting, which resolves names and does TLS, and cancel requests) never run here; see
/// ``BlockingWorkers``.
final class DatabaseExecutor: SerialExecutor {
    /// The process's executor; its thread starts with the first use and lives as long as the process.
    static let shared = DatabaseExecutor(name: "sb-database")

    private struct Inbox {
        var jobs: [UnownedJob] = []
        var callbacks: [@Sendable () -> Void] = []
        var wakeSent = false
    }

    private let inbox = NIOLockedValueBox(Inbox())
    private let wakeReadEnd: Int32
    private let wakeWriteEnd: Int32
    private let threadIdentity = NIOLockedValueBox<pthread_t?>(nil)
    /// Touched only by the executor's own thread, see ``LoopState``.
    private let loop = LoopState()

    init(name: String) {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no descriptors left for the database thread's wake-up pipe")
        wakeReadEnd = ends[0]
        wakeWriteEnd = ends[1]
        for end in ends {
            _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        let thread = Thread { self.run() }
        thread.name = name
        thread.start()
    }

    // MARK: SerialExecutor

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        submit { $0.jobs.append(unowned) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    func checkIsolated() {
        precondition(isOnThread, "this code must run on the database thread")
    }

    /// True on the executor's own thread.
    var isOnThread: Bool {
        guard let identity = threadIdentity.withLockedValue({ $0 }) else { return false }
        return pthread_equal(identity, pthread_self()) != 0
    }

    /// Runs `callback` on the thread, after what was submitted before it.
    func execute(_ callback: @escaping @Sendable () -> Void) {
        submit { $0.callbacks.append(callback) }
    }

    private func submit(_ change: (inout Inbox) -> Void) {
        let wake = inbox.withLockedValue { inbox in
            change(&inbox)
            if inbox.wakeSent { return false }
            inbox.wakeSent = true
            return true
        }
        // On the thread itself the loop looks into the inbox before it polls again: `wakeSent` keeps it from sleeping.
        if wake && !isOnThread {
            var byte: UInt8 = 1
            _ = write(wakeWriteEnd, &byte, 1)
        }
    }

    // MARK: Descriptors and timers, from the thread only

    /// Begins to watch `descriptor` for reading, and for writing when `writing`. Replaces an earlier registration.
    func watch(_ target: any PollTarget, descriptor: Int32, writing: Bool) {
        checkIsolated()
        loop.watched[ObjectIdentifier(target)] = LoopState.Watched(
            target: target, descriptor: descriptor, writing: writing)
    }

    /// Stops watching whatever `target` registered.
    func unwatch(_ target: any PollTarget) {
        checkIsolated()
        loop.watched[ObjectIdentifier(target)] = nil
    }

    /// Runs `body` on the thread once `delay` has passed. Callable from the thread only.
    func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) {
        checkIsolated()
        loop.timerCount += 1
        loop.timers.insert(
            LoopState.Timer(deadline: .now + delay, order: loop.timerCount, body: body))
    }

    // MARK: The loop

    private func run() {
        threadIdentity.withLockedValue { $0 = pthread_self() }
        var descriptors: [pollfd] = []
        var targets: [any PollTarget] = []
        while true {
            let pending = inbox.withLockedValue { inbox in
                let taken = inbox
                inbox = Inbox()
                return taken
            }
            for callback in pending.callbacks { callback() }
            for job in pending.jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            loop.fireTimers(at: .now)

            descriptors.removeAll(keepingCapacity: true)
            targets.removeAll(keepingCapacity: true)
            descriptors.append(pollfd(fd: wakeReadEnd, events: Int16(POLLIN), revents: 0))
            for watched in loop.watched.values {
                let events = Int16(POLLIN) | (watched.writing ? Int16(POLLOUT) : 0)
                descriptors.append(pollfd(fd: watched.descriptor, events: events, revents: 0))
                targets.append(watched.target)
            }
            // New work that arrived from this thread meanwhile must not wait for a descriptor.
            let hasWork = inbox.withLockedValue { !$0.jobs.isEmpty || !$0.callbacks.isEmpty }
            let timeout = hasWork ? 0 : loop.millisecondsToNextTimer(at: .now)
            guard poll(&descriptors, nfds_t(descriptors.count), timeout) > 0 else { continue }
            if descriptors[0].revents != 0 { drainWakeUps() }
            for (index, target) in targets.enumerated() {
                let events = Int32(descriptors[index + 1].revents)
                guard events != 0 else { continue }
                let broken = events & (POLLERR | POLLHUP | POLLNVAL) != 0
                target.ready(readable: broken || events & POLLIN != 0, writable: events & POLLOUT != 0)
            }
        }
    }

    private func drainWakeUps() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(wakeReadEnd, &bytes, bytes.count) == bytes.count {}
    }
}

/// The part of the executor that only its own thread touches.
///
/// `@unchecked Sendable`: every access goes through a method of ``DatabaseExecutor`` that checks the thread, or through
/// `run`, which is the thread.
private final class LoopState: @unchecked Sendable {
    struct Watched {
        let target: any PollTarget
        let descriptor: Int32
        let writing: Bool
    }

    struct Timer: Comparable {
        let deadline: ContinuousClock.Instant
        let order: Int
        let body: @Sendable () -> Void

        static func == (left: Timer, right: Timer) -> Bool { left.order == right.order }
        static func < (left: Timer, right: Timer) -> Bool {
            (left.deadline, left.order) < (right.deadline, right.order)
        }
    }

    var watched: [ObjectIdentifier: Watched] = [:]
    var timers = Heap<Timer>()
    var timerCount = 0

    func fireTimers(at now: ContinuousClock.Instant) {
        while let next = timers.min, next.deadline <= now {
            timers.removeMin()
            next.body()
        }
    }

    /// The time-out for `poll`: -1 without a timer, rounded up otherwise so that no timer is polled for in a spin.
    func millisecondsToNextTimer(at now: ContinuousClock.Instant) -> Int32 {
        guard let next = timers.min else { return -1 }
        let remaining = (next.deadline - now).components
        let milliseconds = remaining.seconds * 1000 + remaining.attoseconds / 1_000_000_000_000_000 + 1
        return Int32(clamping: max(0, milliseconds))
    }
}

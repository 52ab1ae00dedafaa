import NIOCore

/// Pings the server and tells when the connection is dead (01-transport, section 18).
///
/// Pure: one timer, set to ``nextTimer`` after every call. A ping leaves at a random interval; an answer is due within
/// the deadline; misses are counted; a miss with the last answer too long ago means that the connection is dead.
package struct KeepAlive: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Interval between pings, drawn anew each time.
        package var interval: ClosedRange<Int64>
        /// Milliseconds in which a ping must be answered.
        package var deadline: TimeAmount
        /// Longest time without an answer.
        package var maximumSilence: TimeAmount

        /// - Parameter interval: milliseconds.
        package init(
            interval: ClosedRange<Int64> = 20_000...29_999, deadline: TimeAmount = .seconds(10),
            maximumSilence: TimeAmount = .minutes(3)
        ) {
            self.interval = interval
            self.deadline = deadline
            self.maximumSilence = maximumSilence
        }
    }

    package enum Action: Sendable, Equatable {
        /// Nothing but waiting for ``KeepAlive/nextTimer``.
        case wait
        /// Send a ping.
        case ping
        /// A ping was not answered: report it. `count` misses in a row since `lastReply`.
        case reportMissed(count: Int, lastReply: NIODeadline)
        /// The first answer after `count` misses: report it.
        case reportRestored(count: Int)
        /// The connection is dead: close it and connect again.
        case reconnect
    }

    private enum State {
        /// The next ping leaves at `nextPing`.
        case idle(nextPing: NIODeadline)
        /// A ping is out.
        case awaitingReply(due: NIODeadline, nextPing: NIODeadline)
        /// Given up.
        case dead
    }

    private let settings: Settings
    private var state: State
    /// When the last ping was answered, or the handshake done.
    package private(set) var lastReply: NIODeadline
    private var missed = 0
    /// While we do not read, answers cannot arrive and misses mean nothing.
    private var isReading = true

    /// - Parameters:
    ///   - now: when the handshake was done.
    ///   - random: uniform in 0..<1.
    package init(at now: NIODeadline, settings: Settings = Settings(), random: Double) {
        self.settings = settings
        lastReply = now
        state = .idle(nextPing: now + KeepAlive.interval(settings, random))
    }

    /// When to call ``timerFired(at:random:)`` next; nil when dead.
    package var nextTimer: NIODeadline? {
        switch state {
        case .idle(let nextPing): nextPing
        case .awaitingReply(let due, _): due
        case .dead: nil
        }
    }

    /// - Parameter random: uniform in 0..<1, for the interval to the ping after this one.
    package mutating func timerFired(at now: NIODeadline, random: Double) -> Action {
        switch state {
        case .idle(let nextPing):
            guard now >= nextPing else { return .wait }
            state = .awaitingReply(due: now + settings.deadline, nextPing: now + KeepAlive.interval(settings, random))
            return .ping
        case .awaitingReply(let due, let nextPing):
            guard now >= due else { return .wait }
            state = .idle(nextPing: max(nextPing, now))
            guard isReading else { return .wait }
            missed += 1
            guard now - lastReply <= settings.maximumSilence else {
                state = .dead
                return .reconnect
            }
            return .reportMissed(count: missed, lastReply: lastReply)
        case .dead:
            return .wait
        }
    }

    /// The answer to a ping arrived.
    package mutating func replyReceived(at now: NIODeadline) -> Action {
        guard case .awaitingReply(_, let nextPing) = state else {
            if case .dead = state { return .wait }
            lastReply = now
            return restored()
        }
        lastReply = now
        state = .idle(nextPing: nextPing)
        return restored()
    }

    /// Reading stopped or resumed. While it is stopped, pings go on and misses do not count; after resuming, one interval
    /// of grace.
    package mutating func setReading(_ isReading: Bool, at now: NIODeadline) {
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        guard isReading else { return }
        let grace = TimeAmount.milliseconds(settings.interval.upperBound)
        lastReply = max(lastReply, now)
        if case .awaitingReply(let due, let nextPing) = state {
            state = .awaitingReply(due: max(due, now + grace), nextPing: max(nextPing, now + grace))
        }
    }

    private mutating func restored() -> Action {
        guard missed > 0 else { return .wait }
        defer { missed = 0 }
        return .reportRestored(count: missed)
    }

    private static func interval(_ settings: Settings, _ random: Double) -> TimeAmount {
        let span = Double(settings.interval.upperBound - settings.interval.lowerBound + 1)
        let offset = min(Int64(span * min(max(random, 0), 1)), Int64(span) - 1)
        return .milliseconds(settings.interval.lowerBound + offset)
    }
}

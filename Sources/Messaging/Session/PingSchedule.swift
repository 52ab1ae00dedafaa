/// Keepalive pings and what their silence means (01-transport, section 18). Pure: the caller owns the timer.
package struct PingSchedule: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case ping
        /// A ping went unanswered: the count of misses in a row.
        case missed(count: Int, lastSuccess: Timestamp)
        /// Nothing was answered for too long.
        case giveUp
    }

    private enum State: Sendable, Equatable {
        case idle
        case awaiting(since: Timestamp)
    }

    private var state = State.idle
    private var misses = 0
    package private(set) var lastSuccess: Timestamp
    private let maximumSilence: Int64
    /// Seconds within which a ping must be answered.
    static let deadline: Int64 = 10

    package init(now: Timestamp, maximumSilence: Int64) {
        lastSuccess = now
        self.maximumSilence = maximumSilence
    }

    /// Milliseconds to the next ping: 20 000…29 999.
    package static func interval(fraction: Double) -> Int64 { 20_000 + Int64(fraction * 10_000) }

    package mutating func intervalElapsed(at now: Timestamp) -> Action {
        state = .awaiting(since: now)
        return .ping
    }

    /// `deadline` seconds after a ping; nil when it was answered.
    package mutating func deadlineElapsed(at now: Timestamp) -> Action? {
        guard case .awaiting = state else { return nil }
        state = .idle
        misses += 1
        if now.seconds - lastSuccess.seconds >= maximumSilence { return .giveUp }
        return .missed(count: misses, lastSuccess: lastSuccess)
    }

    /// Returns whether pings are answered again after misses.
    package mutating func answered(at now: Timestamp) -> Bool {
        state = .idle
        lastSuccess = now
        defer { misses = 0 }
        return misses > 0
    }

    /// While we do not read the socket ourselves, silence proves nothing.
    package mutating func excuse(at now: Timestamp) { lastSuccess = max(lastSuccess, now) }
}

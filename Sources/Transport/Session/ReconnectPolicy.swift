import NIOCore

/// How long to wait before the next connection attempt (16, section 7.3; reasons of 01-transport, sections 19 to 21).
///
/// The ladder after a loss: at once within a second, then Fibonacci seconds 1, 1, 2, 3, 5, 8 ... up to 900; from the third
/// attempt on with full jitter, since ± 10 % does not spread thousands of devices. It starts over only after a minute of
/// logged-in connection.
package struct ReconnectPolicy: Sendable {
    /// Longest step of the ladder, seconds.
    package static let longestDelay = 900
    /// Logged-in time after which the ladder starts over.
    package static let stableAfter = TimeAmount.seconds(60)

    /// What to do next.
    package enum Decision: Sendable, Equatable {
        case connect(after: TimeAmount)
        /// Do not connect; the reaction says what instead.
        case stop(DisconnectReason.Reaction)
    }

    /// Attempts made since the last stable connection.
    package private(set) var attempts = 0
    private var loggedInSince: NIODeadline?

    package init() {}

    /// `<success>` arrived.
    package mutating func loggedIn(at now: NIODeadline) { loggedInSince = now }

    /// Somebody asks for a connection now: the ladder starts over.
    package mutating func reset() {
        attempts = 0
        loggedInSince = nil
    }

    /// The connection ended or could not be made.
    ///
    /// - Parameter random: uniform in 0..<1.
    package mutating func decide(after reason: DisconnectReason, at now: NIODeadline, random: Double) -> Decision {
        if let since = loggedInSince, now - since >= ReconnectPolicy.stableAfter { attempts = 0 }
        loggedInSince = nil
        switch reason.reaction {
        case .reconnectNow:
            attempts += 1
            // The server asked for it once; a server that asks again and again gets the ladder.
            return .connect(after: attempts <= 3 ? .zero : delay(random: random))
        case .reconnect(let minimum):
            attempts += 1
            let delay = delay(random: random)
            // Spread what the server told everybody at once.
            let floor = TimeAmount.milliseconds(Int64(Double(minimum) * 1000 * (1 + 0.25 * unit(random))))
            return .connect(after: max(delay, floor))
        case let reaction:
            return .stop(reaction)
        }
    }

    private func delay(random: Double) -> TimeAmount {
        let random = unit(random)
        guard attempts > 1 else { return .milliseconds(Int64(random * 1000)) }
        let seconds = Double(ReconnectPolicy.step(attempts - 1))
        let spread = attempts < 3 ? seconds * (0.9 + 0.2 * random) : seconds * random
        return .milliseconds(Int64(spread * 1000))
    }

    /// The `number`th step of the ladder, from 1: 1, 1, 2, 3, 5, 8 ... seconds.
    static func step(_ number: Int) -> Int {
        var (current, next) = (1, 1)
        for _ in 1..<max(number, 1) {
            (current, next) = (next, min(current + next, longestDelay))
            if current >= longestDelay { return longestDelay }
        }
        return current
    }

    private func unit(_ random: Double) -> Double { min(max(random, 0), 1) }
}

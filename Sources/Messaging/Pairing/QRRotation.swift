/// Which of the server's pairing refs is on show, and until when (02-pairing-login, section 6.3): the first for 60 s, each
/// other for 20 s, then the end.
package struct QRRotation: Sendable, Equatable {
    package enum Action: Sendable, Equatable {
        case show(index: Int, until: Timestamp)
        case exhausted
    }

    package let refs: [String]
    package private(set) var index = 0
    package private(set) var expiresAt: Timestamp

    static let firstPeriod: Int64 = 60
    static let nextPeriod: Int64 = 20

    /// Begins to show the first ref; nil for an empty list.
    package init?(refs: [String], now: Timestamp) {
        guard !refs.isEmpty else { return nil }
        self.refs = refs
        expiresAt = now.adding(seconds: Self.firstPeriod)
    }

    package var current: String { refs[index] }

    /// When the last ref expires.
    package var end: Timestamp { expiresAt.adding(seconds: Int64(refs.count - 1 - index) * Self.nextPeriod) }

    /// The refs after the current one, with the ends of their periods.
    package var upcoming: [(index: Int, ref: String, expiresAt: Timestamp)] {
        refs.enumerated().dropFirst(index + 1).map { number, ref in
            (number, ref, expiresAt.adding(seconds: Int64(number - index) * Self.nextPeriod))
        }
    }

    /// To be called at `expiresAt`; a late call moves on by one ref, whose period then starts at `now`.
    package mutating func timerFired(at now: Timestamp) -> Action {
        guard now >= expiresAt else { return .show(index: index, until: expiresAt) }
        guard index + 1 < refs.count else { return .exhausted }
        index += 1
        expiresAt = now.adding(seconds: Self.nextPeriod)
        return .show(index: index, until: expiresAt)
    }
}

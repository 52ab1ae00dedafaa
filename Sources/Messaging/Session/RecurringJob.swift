/// When something is due that is done again and again: at its time after a success, after pauses that grow from a minute to
/// six hours while it fails. Pure.
struct RecurringJob: Sendable, Equatable {
    private static let firstPause: Int64 = 60
    private static let longestPause: Int64 = 21_600

    /// Nil: at once.
    private(set) var due: Timestamp?
    private var failures = 0

    init(due: Timestamp? = nil) { self.due = due }

    func isDue(at now: Timestamp) -> Bool { due.map { $0 <= now } ?? true }

    mutating func succeeded(next: Timestamp) {
        failures = 0
        due = next
    }

    mutating func failed(at now: Timestamp) {
        due = now.adding(seconds: min(Self.firstPause << min(failures, 10), Self.longestPause))
        failures += 1
    }
}

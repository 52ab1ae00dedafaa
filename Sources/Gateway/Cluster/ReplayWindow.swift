/// Numbers that were used, each remembered for at least one length of the window and at most two.
///
/// Two generations take turns, so that no call pays for the forgetting of many.
struct ReplayWindow: Sendable {
    private let length: Int64
    private var current: Set<String> = []
    private var previous: Set<String> = []
    private var turnedAt: Int64 = .min

    /// - Parameter length: Milliseconds.
    init(length: Int64) { self.length = length }

    /// How many are remembered.
    var count: Int { current.count + previous.count }

    /// False for one that was taken already.
    ///
    /// - Parameter now: Milliseconds since 1970.
    mutating func take(_ nonce: String, at now: Int64) -> Bool {
        if now < turnedAt {
            // The clock was set back: nothing is forgotten before its time on the new one.
            turnedAt = now
        } else if turnedAt == .min || now - turnedAt >= length {
            (previous, current) = (turnedAt != .min && now - turnedAt < 2 * length ? current : [], [])
            turnedAt = now
        }
        if previous.contains(nonce) { return false }
        return current.insert(nonce).inserted
    }
}

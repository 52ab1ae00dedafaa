/// Wrong API keys that begin alike, from whatever addresses: somebody knows the shown part of a key (`wam_0a1b...9f3c`) and
/// tries the rest from many places, below the limit of each.
///
/// A key under attack is not locked, which would lock out its owner: each address keeps one guess instead of twenty a
/// minute, so that the right key works from every address that has shown no wrong one. What addresses guessed before counts.
package final class KeyFailures: Sendable {
    /// By beginning of the key. There are 65,536 beginnings.
    private let beginnings: AttemptLimiter
    /// By beginning and address.
    private let guessers: AttemptLimiter

    /// - Parameters:
    ///   - limit: Wrong keys with the same beginning in a window, after which it counts as under attack.
    ///   - seconds: Length of a window, and how long an address that guessed wrong is refused then.
    package init(limit: Int = 60, seconds: Int64 = 600) {
        beginnings = AttemptLimiter(limit: limit, seconds: seconds)
        guessers = AttemptLimiter(limit: 1, seconds: seconds)
    }

    /// Seconds until the address may show a key with this beginning again; nil: now. `client` as in ``Authenticator``.
    func wait(key: String, client: String, now: Int64) -> Int? {
        let beginning = Self.beginning(of: key)
        let attack = beginnings.standing(beginning, now: now)
        guard attack.isExceeded else { return nil }
        let guesser = guessers.standing("\(beginning) \(client)", now: now)
        return guesser.isExceeded ? min(guesser.resetAfter, attack.resetAfter) : nil
    }

    /// Counts a wrong key.
    func count(key: String, client: String, now: Int64) {
        let beginning = Self.beginning(of: key)
        _ = beginnings.count(beginning, now: now)
        _ = guessers.count("\(beginning) \(client)", now: now)
    }

    private static func beginning(of key: String) -> String { APIKey(text: key).head }
}
